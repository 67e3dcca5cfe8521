//! Platforms that are broken on purpose: `cargo xtask selftest` must find each, with its true cause.

use super::suite::{outcome, turn, xtask};

pub fn found(defect: &str) {
    let _turn = turn();
    let dir = tempfile::tempdir().expect("temp dir");
    let mut command = xtask(&["selftest", "--platform", "globeco", "--defect", defect, "--out"]);
    let (code, text) = outcome(&command.arg(dir.path()).output().expect("xtask starts"));
    assert_eq!(code, Some(0), "{defect}:\n{text}");
    assert!(text.contains("1 of 1 defects found"), "{text}");
}

#[test]
#[ignore = "needs the cluster: cargo xtask test"]
fn an_acknowledgement_before_the_commit_is_found_by_the_ledger() {
    found("acknowledges-before-commit");
}
