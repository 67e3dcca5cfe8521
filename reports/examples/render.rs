//! Renders a run's folder again from its `run.json` and `events.jsonl`:
//! `cargo run -p gauntlet-reports --example render -- DIR`.

use gauntlet_reports::render::{run_json, write_all};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: render DIR (a folder with run.json and events.jsonl)");
        return ExitCode::from(2);
    };
    let rendered = run_json::read(&dir).and_then(|(run, events, broken)| {
        if broken > 0 {
            eprintln!("{broken} lines of events.jsonl could not be read and are left out");
        }
        write_all(&dir, &run, &events)
    });
    match rendered {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed to {error}");
            ExitCode::from(2)
        }
    }
}
