//! A baseline: findings that were there before anybody looked. Only new ones fail.
//!
//! It counts findings by rule, object and field: lines may move, and a second breach of the same field is new.

use anyhow::{Context as _, Result, bail};
use gauntlet_reports::finding::Finding;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The file, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// How often each finding is known, by its fingerprint.
    pub findings: BTreeMap<String, usize>,
}

impl Baseline {
    /// The findings that nobody has accepted otherwise.
    pub fn of(findings: &[Finding]) -> Self {
        let mut baseline = Baseline::default();
        for finding in findings.iter().filter(|f| f.stands()) {
            *baseline.findings.entry(finding.fingerprint()).or_default() += 1;
        }
        baseline
    }

    /// Reads a baseline.
    ///
    /// # Errors
    /// When the file is missing (names the way to make it) or is none.
    pub fn read(path: &Path) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                bail!("there is no baseline {}: --write-baseline makes it", path.display())
            }
            Err(error) => return Err(error).with_context(|| format!("failed to read the baseline {}", path.display())),
        };
        serde_json::from_str(&text).with_context(|| format!("{} is no baseline", path.display()))
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| format!("failed to write the baseline {}", path.display()))
    }

    /// Marks what is known as accepted. Gives the number of known findings that are not there any more.
    pub fn apply(&self, findings: &mut [Finding]) -> usize {
        let mut left = self.findings.clone();
        for finding in findings.iter_mut().filter(|f| f.stands()) {
            if let Some(count) = left.get_mut(&finding.fingerprint()).filter(|count| **count > 0) {
                *count -= 1;
                finding.waived = Some("known: it is in the baseline".to_owned());
            }
        }
        left.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(line: u32, field: &str) -> Finding {
        serde_json::from_value(serde_json::json!({"rule": "IMG001", "name": "latest-tag", "severity": "error",
            "location": {"file": "a.yaml", "line": line, "column": 1}, "field": field, "resource": "Deployment shop/web", "message": "", "why": "", "fix": ""}))
        .expect("a finding")
    }

    #[test]
    fn what_is_known_does_not_fail_and_a_second_breach_is_new() {
        let baseline = Baseline::of(&[finding(3, "image"), finding(9, "gone")]);
        let mut now = [finding(30, "image"), finding(31, "image"), finding(4, "other")];
        assert_eq!(baseline.apply(&mut now), 1, "one is mended");
        assert_eq!(now.iter().map(Finding::stands).collect::<Vec<_>>(), [false, true, true]);
    }

    #[test]
    fn it_is_read_as_written_and_a_missing_one_says_how_to_make_it() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("baseline.json");
        assert!(Baseline::read(&path).expect_err("missing").to_string().contains("--write-baseline"));
        let baseline = Baseline::of(&[finding(3, "image")]);
        baseline.write(&path).expect("writes");
        assert_eq!(Baseline::read(&path).expect("reads"), baseline);
        std::fs::write(&path, "{\"rules\": 1}").expect("writes");
        assert!(Baseline::read(&path).expect_err("other").to_string().contains("is no baseline"));
    }
}
