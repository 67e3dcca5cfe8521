//! The load's child process as a program of its own, for this crate's tests. The suite's binary calls itself instead.

use gauntlet_loadtests::goose_child::{child_main, read_plan};
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let run = async { child_main(read_plan()?).await };
    match run.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed to {error}");
            ExitCode::FAILURE
        }
    }
}
