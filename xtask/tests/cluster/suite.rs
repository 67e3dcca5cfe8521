//! The suite's own program, run as a person would.

use gauntlet_fixtures::manifest::read_typed;
use gauntlet_reports::run::{Run, StageName, StageReport};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

static TURN: Mutex<()> = Mutex::new(());

/// One test at a time has the cluster.
pub fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `cargo xtask` with these arguments.
pub fn xtask(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(args);
    command
}

/// The exit code and everything that was printed.
pub fn outcome(output: &Output) -> (Option<i32>, String) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

fn globeco() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/platforms/globeco")
}

fn defect(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/defects").join(name)
}

/// Writes GlobeCo with a defect as a platform of its own into `folder`.
pub fn with_defect(name: &str, folder: &Path) {
    let mut platform: Value = read_typed(&globeco().join("platform.yaml")).expect("GlobeCo reads");
    for overlay in ["production", "kind"] {
        let own = globeco().join(platform["manifests"][overlay].as_str().expect("a path"));
        platform["manifests"][overlay] = Value::from(own.to_str().expect("a path is text"));
    }
    platform["manifests"]["environments"] = serde_json::json!({});
    let overlay = defect(name);
    if overlay.join("kustomization.yaml").exists() {
        platform["manifests"]["kind"] = Value::from(overlay.to_str().expect("a path is text"));
    }
    if let Ok(patch) = std::fs::read(overlay.join("platform.patch.json")) {
        let patch: Value = serde_json::from_slice(&patch).expect("the patch is JSON");
        platform["stores"][0]["backup"] = patch["stores"][0]["backup"].clone();
    }
    // JSON is YAML.
    std::fs::write(folder.join("platform.yaml"), platform.to_string()).expect("write");
}

/// Reads the run of a report's folder.
pub fn run_of(out: &Path) -> Run {
    let text = std::fs::read(out.join("run.json")).expect("the run wrote run.json");
    serde_json::from_slice(&text).expect("run.json reads")
}

/// A stage of a run's only platform.
pub fn stage(run: &Run, name: StageName) -> &StageReport {
    run.platforms[0].stages.iter().find(|s| s.name == name).expect("the stage ran")
}
