//! Platforms that are broken on purpose: each must be found, with its true cause.

use super::suite::{outcome, run_of, stage, turn, with_defect, xtask};
use gauntlet_reports::run::{Assertion, StageName};
use gauntlet_reports::verdict::Verdict;

/// Verifies GlobeCo with a defect, and gives the failed assertions of a stage. The exit code must be 1.
fn failures(defect: &str, name: StageName, more: &[&str]) -> Vec<Assertion> {
    let _turn = turn();
    let dir = tempfile::tempdir().expect("temp dir");
    with_defect(defect, dir.path());
    let out = dir.path().join("report");
    let mut command = xtask(&["verify", "--yes", "--seed", "7", "--only", name.as_str(), "--platform"]);
    command.arg(dir.path()).arg("--out").arg(&out).args(more);
    let (code, text) = outcome(&command.output().expect("xtask starts"));
    assert_eq!(code, Some(1), "the defect {defect} must fail the run:\n{text}");
    let run = run_of(&out);
    stage(&run, name).assertions.iter().filter(|a| a.verdict == Verdict::Fail).cloned().collect()
}

fn reasons(failures: &[Assertion]) -> String {
    failures.iter().map(|a| format!("{}: {}\n", a.id, a.reason)).collect()
}

#[test]
#[ignore = "needs the cluster: cargo xtask test"]
fn a_readiness_probe_on_a_wrong_port_is_named() {
    let failed = failures("readiness-wrong-port", StageName::Deploy, &[]);
    let text = reasons(&failed);
    assert!(failed.iter().any(|a| a.id == "deploy.rolled_out"), "{text}");
    assert!(text.contains("readiness") && text.contains("9090"), "the cause is the readiness probe on port 9090:\n{text}");
}

#[test]
#[ignore = "needs the cluster: cargo xtask test"]
fn an_hpa_whose_target_has_no_requests_is_named() {
    let failed = failures("hpa-without-requests", StageName::Deploy, &[]);
    let text = reasons(&failed);
    assert!(failed.iter().any(|a| a.id == "deploy.hpa_sees_metrics"), "{text}");
    assert!(text.contains("cpu") && text.contains("request") && text.contains("order-generation-service"), "{text}");
}

#[test]
#[ignore = "needs the cluster: cargo xtask test"]
fn an_acknowledgement_before_the_commit_is_found_by_the_ledger() {
    let failed = failures("acknowledges-before-commit", StageName::Chaos, &["--experiment", "delete-pod"]);
    assert!(failed.iter().any(|a| a.id.contains("no_lost_writes")), "{}", reasons(&failed));
}

#[test]
#[ignore = "needs the cluster: cargo xtask test"]
fn a_backup_that_misses_a_collection_is_named() {
    let failed = failures("backup-misses-a-collection", StageName::Drill, &[]);
    let text = reasons(&failed);
    assert!(text.contains("optimizations"), "the cause is the collection:\n{text}");
}
