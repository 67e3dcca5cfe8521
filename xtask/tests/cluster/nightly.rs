//! What only `cargo xtask test --nightly` runs: another case of what a test of every run covers with its hardest case.

use super::defects::found;
use super::killed::{killed_during, next_run_passes};
use super::suite::turn;

#[test]
#[ignore = "needs the cluster: cargo xtask test --nightly"]
fn a_readiness_probe_on_a_wrong_port_is_named() {
    found("readiness-wrong-port");
}

#[test]
#[ignore = "needs the cluster: cargo xtask test --nightly"]
fn an_hpa_whose_target_has_no_requests_is_named() {
    found("hpa-without-requests");
}

#[test]
#[ignore = "needs the cluster: cargo xtask test --nightly"]
fn a_backup_that_misses_a_collection_is_named() {
    found("backup-misses-a-collection");
}

#[test]
#[ignore = "needs the cluster: cargo xtask test --nightly"]
fn pods_deleted_and_nodes_drained_by_a_killed_run_are_recovered() {
    let _turn = turn();
    for experiment in ["delete-pod", "drain-node"] {
        killed_during(experiment);
    }
    next_run_passes();
}
