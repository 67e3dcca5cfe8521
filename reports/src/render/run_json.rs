//! `run.json`: the result of a run for machines, and its JSON Schema.

use super::RenderError;
use crate::event::Event;
use crate::run::Run;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The run as pretty JSON with a line break at the end. It fits `reports/schema/run.schema.json`.
///
/// # Errors
/// Only for a bug in the model's serialization.
pub fn render(run: &Run) -> Result<String, RenderError> {
    let text = serde_json::to_string_pretty(run).map_err(|e| RenderError::Draw { file: "run.json", cause: e.to_string() })?;
    Ok(text + "\n")
}

/// The JSON Schema of `run.json` (draft 2020-12), generated from the model.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Run).to_value();
    if let Some(top) = schema.as_object_mut() {
        top.insert("title".into(), "Gauntlet run.json".into());
    }
    schema
}

/// A run's folder read back: the run, its events in order of time, and how many lines of `events.jsonl` could not be
/// read (a killed run may leave half a line). A missing `events.jsonl` gives no events.
///
/// # Errors
/// [`RenderError::Read`] when `run.json` is missing or broken.
pub fn read(dir: &Path) -> Result<(Run, Vec<Event>, usize), RenderError> {
    let path = dir.join("run.json");
    let fail = |cause: String| RenderError::Read { path: path.clone(), cause };
    let text = std::fs::read_to_string(&path).map_err(|e| fail(e.to_string()))?;
    let run = serde_json::from_str(&text).map_err(|e| fail(e.to_string()))?;
    let (mut events, mut broken) = (Vec::new(), 0);
    if let Ok(file) = std::fs::File::open(dir.join("events.jsonl")) {
        for line in BufReader::new(file).split(b'\n').map_while(Result::ok).filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<Event>(&line) {
                Ok(event) => events.push(event),
                Err(_) => broken += 1,
            }
        }
    }
    events.sort_by_key(|e| e.at_ms);
    Ok((run, events, broken))
}
