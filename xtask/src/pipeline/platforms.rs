//! The platforms that a run was asked for.

use anyhow::{Context as _, Result, bail};
use gauntlet_fixtures::platform::{self, LoadedPlatform};
use std::path::Path;

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
pub fn choose(fixtures: &Path, names: &[String]) -> Result<Vec<LoadedPlatform>> {
    let known = known(fixtures);
    let wanted: &[String] = if names.is_empty() { &known } else { names };
    wanted.iter().map(|name| load(fixtures, name, &known)).collect()
}

fn load(fixtures: &Path, name: &str, known: &[String]) -> Result<LoadedPlatform> {
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
    platform::load_with_folder(&folder).with_context(|| format!("failed to read the platform {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gauntlet_fixtures::manifest::read_objects;
    use std::path::PathBuf;

    fn fixtures() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
    }

    #[test]
    fn an_unknown_platform_is_told_the_known_ones() {
        let error = choose(&fixtures(), &["globecoo".into()]).expect_err("unknown").to_string();
        assert!(error.contains("\"globecoo\"") && error.contains("one of") && error.contains("globeco"), "{error}");
    }

    #[test]
    fn every_platform_of_the_repository_reads() {
        let all = choose(&fixtures(), &[]).expect("they read");
        assert!(all.iter().any(|c| c.platform.name == "globeco"));
        for chosen in all {
            assert!(!read_objects(&chosen.production()).expect("production").is_empty());
            assert!(!read_objects(&chosen.kind()).expect("kind").is_empty());
        }
    }
}
