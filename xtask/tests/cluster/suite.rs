//! The suite's own program, run as a person would.

use gauntlet_reports::run::Run;
use std::path::Path;
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

/// Reads the run of a report's folder.
pub fn run_of(out: &Path) -> Run {
    let text = std::fs::read(out.join("run.json")).expect("the run wrote run.json");
    serde_json::from_slice(&text).expect("run.json reads")
}
