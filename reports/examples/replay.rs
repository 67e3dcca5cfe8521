//! Plays a run's `events.jsonl` to the live terminal, faster than it was:
//! `cargo run -p gauntlet-reports --example replay -- DIR [SPEED]` (100 by default).

use gauntlet_reports::render::{live, run_json};
use std::path::PathBuf;
use std::time::Duration;

fn main() {
    let mut words = std::env::args_os().skip(1);
    let dir = words.next().map(PathBuf::from).unwrap_or_default();
    let speed = words.next().and_then(|w| w.to_str()?.parse::<u64>().ok()).unwrap_or(100).max(1);
    match run_json::read(&dir) {
        Err(error) => eprintln!("failed to {error}"),
        Ok((_, events, _)) => {
            let mut listener = live::listener(live::LiveOptions::default());
            let mut last = 0;
            for event in events {
                std::thread::sleep(Duration::from_millis((event.at_ms - last) / speed));
                last = event.at_ms;
                listener.on_event(&event);
            }
        }
    }
}
