//! A run that is killed in mid-fault: `cargo xtask recover` takes the fault back, and the next run passes.

use super::suite::{outcome, run_of, turn, xtask};
use gauntlet_reports::event::{Event, EventKind, FaultPhase};
use gauntlet_reports::verdict::Verdict;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Waits until the run has applied a fault. Gives the target.
fn applied(events: &Path, child: &mut Child) -> String {
    let deadline = Instant::now() + Duration::from_secs(240);
    while Instant::now() < deadline {
        let text = std::fs::read_to_string(events).unwrap_or_default();
        let fault = text.lines().filter_map(|line| serde_json::from_str::<Event>(line).ok()).find_map(|event| match event.kind {
            EventKind::Fault { target, phase: FaultPhase::Applied, .. } => Some(target),
            _ => None,
        });
        if let Some(target) = fault {
            return target;
        }
        assert!(child.try_wait().expect("wait").is_none(), "the run ended before it applied a fault");
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("no fault was applied within 240 s");
}

/// Kills a run while this experiment's fault is there, and recovers.
pub fn killed_during(experiment: &str) {
    let dir = tempfile::tempdir().expect("temp dir");
    let out = dir.path().join("report");
    let mut command = xtask(&["verify", "--yes", "--seed", "7", "--keep", "--platform", "globeco", "--only", "chaos", "--experiment", experiment]);
    command.arg("--out").arg(&out).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("xtask starts");
    let target = applied(&out.join("events.jsonl"), &mut child);
    child.kill().expect("SIGKILL");
    child.wait().expect("wait");

    let (code, text) = outcome(&xtask(&["recover"]).output().expect("xtask starts"));
    assert_eq!(code, Some(0), "recover after {experiment} on {target}:\n{text}");
    assert!(text.contains("recovered: ") && text.contains(experiment), "{text}");
    let (code, text) = outcome(&xtask(&["recover"]).output().expect("xtask starts"));
    assert!(code == Some(0) && text.contains("no fault is pending"), "recover is idempotent:\n{text}");
}

/// The platform is as good as new.
pub fn next_run_passes() {
    let dir = tempfile::tempdir().expect("temp dir");
    let out = dir.path().join("report");
    let mut command = xtask(&["verify", "--yes", "--seed", "7", "--platform", "globeco", "--only", "policies,deploy"]);
    let (code, text) = outcome(&command.arg("--out").arg(&out).output().expect("xtask starts"));
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(run_of(&out).verdict, Verdict::Pass);
}

#[test]
#[ignore = "needs the cluster: cargo xtask test"]
fn a_node_stopped_by_a_killed_run_is_recovered_and_the_next_run_passes() {
    let _turn = turn();
    killed_during("stop-node");
    next_run_passes();
}
