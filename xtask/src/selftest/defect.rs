//! A planted defect: a folder `fixtures/platforms/<platform>/defects/<name>/` with a `defect.yaml`, and, where it changes
//! manifests, a `kustomization.yaml` that builds on the platform's overlay.

use anyhow::{Context as _, Result, bail};
use gauntlet_fixtures::manifest::read_typed;
use gauntlet_fixtures::platform::LoadedPlatform;
use gauntlet_reports::run::StageName;
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What kind of defect it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nature {
    /// The manifests declare something wrong.
    Manifest,
    /// A service or store does something wrong.
    Behaviour,
    /// Data is lost, wrong or not backed up.
    Data,
}

/// `defect.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Description {
    /// What is broken, in one line.
    pub about: String,
    /// What kind of defect it is.
    pub nature: Nature,
    /// Which manifests the folder's kustomization replaces: `production`, `kind` or both. Empty: none.
    #[serde(default)]
    pub replaces: Vec<String>,
    /// A JSON merge patch (RFC 7386) of platform.yaml. Lists are replaced as a whole.
    #[serde(default)]
    pub platform: Option<Value>,
    /// Stages to run.
    pub only: Vec<StageName>,
    /// Experiments to run, for the chaos stage; empty: all.
    #[serde(default)]
    pub experiments: Vec<String>,
    /// What must be found.
    pub finds: Finding,
}

/// The failed assertion that finds the defect.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Finding {
    /// The stage that must find it.
    pub stage: StageName,
    /// The assertion's id; `*` stands for any text.
    pub assertion: String,
    /// Texts that its reason or its evidence must hold: the true cause.
    pub cause: Vec<String>,
    /// Further assertions of any stage that may fail as a consequence, `stage/id` with `*`. Any other failure is a false
    /// alarm.
    #[serde(default)]
    pub also: Vec<String>,
}

/// A defect with its place.
#[derive(Debug, Clone)]
pub struct Defect {
    /// Its folder's name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// What it is.
    pub description: Description,
}

/// The defects of a platform, by name.
///
/// # Errors
/// When a description cannot be read: file, line, column.
pub fn of_platform(platform: &LoadedPlatform) -> Result<Vec<Defect>> {
    let Ok(entries) = std::fs::read_dir(platform.folder.join("defects")) else { return Ok(Vec::new()) };
    let mut folders: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_dir()).collect();
    folders.sort();
    folders.into_iter().map(read).collect()
}

fn read(folder: PathBuf) -> Result<Defect> {
    let description: Description = read_typed(&folder.join("defect.yaml"))?;
    let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if description.finds.cause.is_empty() {
        bail!("defect {name}: `finds.cause` is empty, so any failure would count as found");
    }
    if let Some(unknown) = description.replaces.iter().find(|r| !["production", "kind"].contains(&r.as_str())) {
        bail!("defect {name}: `replaces` knows production and kind, not {unknown}");
    }
    if description.replaces.is_empty() == folder.join("kustomization.yaml").is_file() {
        bail!("defect {name}: `replaces` and a kustomization.yaml belong together");
    }
    Ok(Defect { name, folder, description })
}

impl Defect {
    /// The platform.yaml of the broken platform, as JSON (which is YAML), with absolute paths.
    ///
    /// # Errors
    /// When a path is no text.
    pub fn platform_yaml(&self, good: &LoadedPlatform) -> Result<Value> {
        let text = |path: &Path| -> Result<Value> {
            let real = path.canonicalize().with_context(|| format!("failed to find {}", path.display()))?;
            Ok(Value::from(real.to_str().context("a path is no text")?))
        };
        let mut platform = serde_json::to_value(&good.platform)?;
        for overlay in ["production", "kind"] {
            let own = platform["manifests"][overlay].as_str().unwrap_or_default().to_owned();
            let replaced = self.description.replaces.iter().any(|r| r == overlay);
            platform["manifests"][overlay] = if replaced { text(&self.folder)? } else { text(&good.folder.join(own))? };
        }
        platform["manifests"]["environments"] = serde_json::json!({});
        // Procedures take time and find other things.
        platform["procedures"]["tried"] = serde_json::json!([]);
        if !self.description.experiments.is_empty() {
            let wanted = |e: &Value| e["name"].as_str().is_some_and(|name| self.description.experiments.iter().any(|w| w == name));
            let all = platform["experiments"].as_array_mut().map(std::mem::take).unwrap_or_default();
            platform["experiments"] = all.into_iter().filter(wanted).map(of_every_profile).collect();
        }
        if let Some(patch) = &self.description.platform {
            merge(&mut platform, patch);
        }
        Ok(platform)
    }
}

fn of_every_profile(mut experiment: Value) -> Value {
    experiment["profiles"] = serde_json::json!([]);
    experiment
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = serde_json::json!({});
    }
    if let Some(target) = target.as_object_mut() {
        for (key, value) in fields {
            if value.is_null() {
                target.remove(key);
            } else {
                merge(target.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_merge_patch_replaces_lists_removes_nulls_and_keeps_the_rest() {
        let mut target = json!({"a": {"b": [1, 2], "c": 1}, "d": 1});
        merge(&mut target, &json!({"a": {"b": [3]}, "d": null, "e": {"f": 1}}));
        assert_eq!(target, json!({"a": {"b": [3], "c": 1}, "e": {"f": 1}}));
    }

    #[test]
    fn every_defect_of_the_repository_reads_and_gives_a_platform_that_loads() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
        for platform in crate::pipeline::platforms::choose(&fixtures, &[]).expect("platforms") {
            let defects = of_platform(&platform).expect("they read");
            for defect in &defects {
                let folder = tempfile::tempdir().expect("folder");
                let yaml = defect.platform_yaml(&platform).expect("made").to_string();
                std::fs::write(folder.path().join("platform.yaml"), yaml).expect("writes");
                let loaded = gauntlet_fixtures::platform::load_with_folder(folder.path()).unwrap_or_else(|e| panic!("{}: {e}", defect.name));
                for objects in [loaded.production_objects(), loaded.kind_objects()] {
                    objects.unwrap_or_else(|e| panic!("{}: {e}", defect.name));
                }
                let known = |name: &String| loaded.platform.experiments.iter().any(|e| e.name == *name);
                assert!(defect.description.experiments.iter().all(known), "{}: an experiment is unknown", defect.name);
            }
        }
    }
}
