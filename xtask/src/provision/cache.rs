//! The project's own cache folder: everything that provisioning makes outside the repository.

use anyhow::{Context as _, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The cache folder: `$GAUNTLET_CACHE`, else `$XDG_CACHE_HOME/gauntlet`, else `~/.cache/gauntlet`.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Finds the folder, and makes it.
    ///
    /// # Errors
    /// When no home is known or the folder cannot be made.
    pub fn locate() -> Result<Self> {
        let env = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let root = env("GAUNTLET_CACHE")
            .or_else(|| env("XDG_CACHE_HOME").map(|p| p.join("gauntlet")))
            .or_else(|| env("HOME").map(|p| p.join(".cache/gauntlet")))
            .context("neither GAUNTLET_CACHE nor HOME is set: set GAUNTLET_CACHE to a folder that may be filled")?;
        Self::at(root)
    }

    /// A cache in a given folder.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn at(root: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(root.join("logs")).with_context(|| format!("failed to make the cache folder {}", root.display()))?;
        Ok(Cache { root })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the Go toolchain keeps modules and build results.
    pub fn go(&self) -> PathBuf {
        self.root.join("go")
    }

    /// Programs, by name and content key.
    pub fn program(&self, name: &str, key: &Key) -> PathBuf {
        self.root.join("bin").join(format!("{name}-{key}"))
    }

    /// The log file of a step.
    pub fn log(&self, step: &str) -> PathBuf {
        let name: String = step.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
        self.root.join("logs").join(format!("{name}.log"))
    }

    /// An empty staging folder for a step. What a killed run left there is removed first.
    ///
    /// # Errors
    /// When the folder cannot be emptied or made.
    pub fn staging(&self, step: &str) -> Result<PathBuf> {
        let name: String = step.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let dir = self.root.join("staging").join(name);
        if dir.exists() {
            std::fs::remove_dir_all(&dir).with_context(|| format!("failed to empty {}", dir.display()))?;
        }
        std::fs::create_dir_all(&dir).with_context(|| format!("failed to make {}", dir.display()))?;
        Ok(dir)
    }

    /// The folder of a cluster: kubeconfig, certificates, its key.
    pub fn cluster(&self, name: &str) -> PathBuf {
        self.root.join("clusters").join(name)
    }
}

/// A content key: the first 16 hex digits of the SHA-256 of everything that a result depends on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(String);

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Collects what a result depends on.
#[derive(Default)]
pub struct KeyBuilder(Sha256);

impl KeyBuilder {
    /// Adds a named text.
    pub fn text(mut self, name: &str, value: &str) -> Self {
        for part in [name, value] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
        self
    }

    /// Adds a file, or all files of a folder with their relative paths, in sorted order.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn files(mut self, path: &Path) -> Result<Self> {
        for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
            let entry = entry.with_context(|| format!("failed to read {}", path.display()))?;
            if entry.file_type().is_file() {
                let relative = entry.path().strip_prefix(path).unwrap_or(entry.path());
                let content = std::fs::read(entry.path()).with_context(|| format!("failed to read {}", entry.path().display()))?;
                self.0.update(relative.as_os_str().as_encoded_bytes());
                self.0.update((content.len() as u64).to_le_bytes());
                self.0.update(&content);
            }
        }
        Ok(self)
    }

    /// The key.
    pub fn finish(self) -> Key {
        let digest = self.0.finalize();
        Key(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_changes_with_content_and_not_with_place() {
        let make = |content: &str| {
            let dir = tempfile::tempdir().expect("temp dir");
            std::fs::write(dir.path().join("go.mod"), content).expect("write");
            KeyBuilder::default().files(dir.path()).expect("read").finish()
        };
        assert_eq!(make("a"), make("a"));
        assert_ne!(make("a"), make("b"));
    }

    #[test]
    fn parts_of_a_key_cannot_run_into_each_other() {
        let key = |a: &str, b: &str| KeyBuilder::default().text("x", a).text("y", b).finish();
        assert_ne!(key("ab", "c"), key("a", "bc"));
    }

    #[test]
    fn staging_starts_empty() {
        let dir = tempfile::tempdir().expect("temp dir");
        let cache = Cache::at(dir.path().to_owned()).expect("cache");
        let first = cache.staging("node image").expect("staging");
        std::fs::write(first.join("half"), "built").expect("write");
        let again = cache.staging("node image").expect("staging");
        assert_eq!(std::fs::read_dir(again).expect("list").count(), 0);
    }
}
