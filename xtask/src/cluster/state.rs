//! What we know of the kind cluster that stands: kept beside its kubeconfig.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The file `state.json` of a cluster's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Changes when the node image, the configuration or the add-ons do.
    pub key: String,
    /// Published port of the ingress controller, HTTP.
    pub http_port: u16,
    /// Published port of the ingress controller, HTTPS.
    pub https_port: u16,
    /// Images loaded into the nodes: name to image id.
    #[serde(default)]
    pub loaded: BTreeMap<String, String>,
    /// True once every add-on served.
    #[serde(default)]
    pub complete: bool,
}

impl State {
    /// Reads it. A missing or broken file is no state: the cluster is made anew.
    pub fn load(folder: &Path) -> Option<State> {
        serde_json::from_slice(&std::fs::read(folder.join("state.json")).ok()?).ok()
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join("state.json");
        let half = folder.join("state.json.half");
        std::fs::create_dir_all(folder)?;
        std::fs::write(&half, serde_json::to_vec_pretty(self)?).with_context(|| format!("failed to write {}", half.display()))?;
        std::fs::rename(&half, &path).with_context(|| format!("failed to keep {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_file_is_no_state() {
        let dir = tempfile::tempdir().expect("temp dir");
        let state = State { key: "k".into(), http_port: 1, https_port: 2, ..State::default() };
        state.save(dir.path()).expect("save");
        assert_eq!(State::load(dir.path()), Some(state));
        std::fs::write(dir.path().join("state.json"), "{\"key\":").expect("write");
        assert_eq!(State::load(dir.path()), None);
    }
}
