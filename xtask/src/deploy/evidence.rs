//! What a failed deploy leaves behind, written before anything is cleaned.

use super::snapshot::Snapshot;
use serde::Serialize;
use std::io;
use std::path::Path;

/// Writes pods, Events, ReplicaSets, claims, endpoints, autoscalers and budgets as JSON and the last logs as text to
/// `<run_dir>/<platform>/deploy/`. Secrets are never read, so never written. Returns the files, relative to `run_dir`.
///
/// # Errors
/// When a file cannot be written; what was written before stays.
pub fn save(run_dir: &Path, platform: &str, snapshot: &Snapshot) -> io::Result<Vec<String>> {
    let folder = format!("{platform}/deploy");
    std::fs::create_dir_all(run_dir.join(&folder))?;
    let mut written = Vec::new();
    let mut json = |name: &str, items: &dyn Fn() -> serde_json::Result<String>| -> io::Result<()> {
        let file = format!("{folder}/{name}.json");
        std::fs::write(run_dir.join(&file), items().map_err(io::Error::other)?)?;
        written.push(file);
        Ok(())
    };
    json("pods", &|| pretty(&snapshot.pods))?;
    json("events", &|| pretty(&snapshot.events))?;
    json("replicasets", &|| pretty(&snapshot.replica_sets))?;
    json("persistentvolumeclaims", &|| pretty(&snapshot.claims))?;
    json("endpointslices", &|| pretty(&snapshot.slices))?;
    json("horizontalpodautoscalers", &|| pretty(&snapshot.autoscalers))?;
    json("poddisruptionbudgets", &|| pretty(&snapshot.budgets))?;
    for ((pod, container), text) in &snapshot.logs {
        let file = format!("{folder}/{pod}.{container}.log");
        std::fs::write(run_dir.join(&file), text)?;
        written.push(file);
    }
    Ok(written)
}

fn pretty<T: Serialize>(items: &[T]) -> serde_json::Result<String> {
    serde_json::to_string_pretty(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn everything_is_on_disk_under_the_platform() {
        let dir = tempfile::tempdir().expect("temp dir");
        let mut snapshot = Snapshot { pods: vec![serde_json::from_value(json!({"metadata": {"name": "a"}})).expect("pod")], ..Snapshot::default() };
        snapshot.logs.insert(("a".into(), "order".into()), "panic".into());
        let files = save(dir.path(), "globeco", &snapshot).expect("written");
        assert!(files.contains(&"globeco/deploy/events.json".to_owned()));
        let pods: Value = serde_json::from_str(&std::fs::read_to_string(dir.path().join("globeco/deploy/pods.json")).expect("read")).expect("json");
        assert_eq!(pods[0]["metadata"]["name"], "a");
        let log = std::fs::read_to_string(dir.path().join("globeco/deploy/a.order.log")).expect("read");
        assert_eq!(log, "panic");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let file = tempfile::NamedTempFile::new().expect("temp file");
        assert!(save(file.path(), "globeco", &Snapshot::default()).is_err());
    }
}
