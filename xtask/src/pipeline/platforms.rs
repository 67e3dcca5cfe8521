//! The platforms that a run was asked for.

use anyhow::{Context as _, Result, bail};
use gauntlet_fixtures::manifest::{self, Object};
use gauntlet_fixtures::platform::{self, Platform};
use std::path::{Path, PathBuf};

/// A platform with its folder.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The folder of its platform.yaml.
    pub folder: PathBuf,
    /// Its description.
    pub platform: Platform,
}

impl Chosen {
    /// The objects of what ships.
    ///
    /// # Errors
    /// When the manifests cannot be read: file, line, column.
    pub fn production(&self) -> Result<Vec<Object>> {
        Ok(manifest::read_objects(&self.folder.join(&self.platform.manifests.production))?)
    }

    /// The objects of what runs on the suite's cluster.
    ///
    /// # Errors
    /// As above.
    pub fn kind(&self) -> Result<Vec<Object>> {
        Ok(manifest::read_objects(&self.folder.join(&self.platform.manifests.kind))?)
    }
}

/// The platforms of the repository, by name.
fn known(fixtures: &Path) -> Vec<String> {
    let folders = std::fs::read_dir(fixtures.join("platforms")).into_iter().flatten().filter_map(|e| e.ok());
    let mut names: Vec<_> = folders.filter(|e| e.path().join("platform.yaml").exists()).map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Reads the chosen platforms; all of the repository when none is named.
///
/// # Errors
/// An unknown name (with the known ones), or a platform.yaml that cannot be read (with file, line, column).
pub fn choose(fixtures: &Path, names: &[String]) -> Result<Vec<Chosen>> {
    let known = known(fixtures);
    let wanted: &[String] = if names.is_empty() { &known } else { names };
    wanted.iter().map(|name| load(fixtures, name, &known)).collect()
}

fn load(fixtures: &Path, name: &str, known: &[String]) -> Result<Chosen> {
    let folder = if known.iter().any(|k| k == name) {
        fixtures.join("platforms").join(name)
    } else {
        let path = Path::new(name);
        match (path.is_dir(), path.is_file()) {
            (true, _) if path.join("platform.yaml").is_file() => path.to_owned(),
            (true, _) => bail!("{name} holds no platform.yaml"),
            (_, true) => path.parent().map(Path::to_owned).unwrap_or_default(),
            _ => bail!("unknown platform {name:?}: it is neither a folder with a platform.yaml nor one of {}", known.join(", ")),
        }
    };
    let platform = platform::load(&folder).with_context(|| format!("failed to read the platform {name}"))?;
    Ok(Chosen { folder, platform })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixtures() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
    }

    #[test]
    fn an_unknown_platform_is_told_the_known_ones() {
        let error = choose(&fixtures(), &["globecoo".into()]).expect_err("unknown").to_string();
        assert!(error.contains("globecoo") && error.contains("globeco,") | error.contains("globeco"), "{error}");
    }

    #[test]
    fn every_platform_of_the_repository_reads() {
        let all = choose(&fixtures(), &[]).expect("they read");
        assert!(all.iter().any(|c| c.platform.name == "globeco"));
        for chosen in all {
            assert!(!chosen.production().expect("production").is_empty());
            assert!(!chosen.kind().expect("kind").is_empty());
        }
    }
}
