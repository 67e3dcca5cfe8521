//! `fixtures/parts.yaml`: which programs and images are made when no image registry is in reach.

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The whole list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parts {
    /// Programs from Go modules.
    pub binaries: Vec<Binary>,
    /// Programs from PyPI wheels.
    pub wheels: Vec<Wheel>,
    /// Sets of jars from Maven Central.
    pub jars: Vec<Jars>,
    /// Images made of them.
    pub images: Vec<Image>,
}

/// A program built from a Go module of ours.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binary {
    /// File name.
    pub name: String,
    /// Folder under `fixtures/modules`.
    pub module: String,
    /// Import path.
    pub package: String,
    /// Build tags with commas.
    #[serde(default)]
    pub tags: String,
    /// Linker flags.
    #[serde(default = "strip")]
    pub ldflags: String,
}

fn strip() -> String {
    "-s -w".to_owned()
}

/// A program that PyPI ships inside a wheel.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wheel {
    /// File name.
    pub name: String,
    /// Package on PyPI.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Path of the program inside the wheel.
    pub member: String,
}

/// A program's jars, and everything that they ask for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jars {
    /// What the images call it.
    pub name: String,
    /// The list, a file under `fixtures`: see [`super::jars`].
    pub list: String,
}

/// Where an image is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Kubernetes itself; inside the node image.
    ControlPlane,
    /// An add-on of the suite.
    Addon,
    /// A data store of a platform.
    Store,
    /// A platform's service.
    Service,
    /// Other images are made from it; it runs nowhere.
    Base,
}

/// An image built by docker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Image {
    /// Name without tag.
    pub name: String,
    /// Tag.
    pub tag: String,
    /// A second name by which kubeadm asks for it on the node.
    #[serde(default)]
    pub reference: Option<String>,
    /// Folder under `fixtures/images` with the Dockerfile.
    pub dockerfile: String,
    /// Programs copied into the build context's `bin/`.
    #[serde(default)]
    pub binaries: Vec<String>,
    /// A set of jars copied into the build context's `jars/`.
    #[serde(default)]
    pub jars: Option<String>,
    /// Build arguments.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
    /// The programs are dynamic and were linked on this machine.
    #[serde(default)]
    pub host_libraries: bool,
    /// An image of ours that it starts from or copies from; one of this list stands above it.
    #[serde(default)]
    pub base: Option<String>,
    /// Inside the node image.
    pub baked: bool,
    /// Where it is needed.
    pub role: Role,
}

impl Image {
    /// `name:tag`.
    pub fn full_name(&self) -> String {
        format!("{}:{}", self.name, self.tag)
    }
}

impl Parts {
    /// Reads `fixtures/parts.yaml` and checks that images name known programs and jars, and bases above them.
    ///
    /// # Errors
    /// When the file is missing, broken or inconsistent.
    pub fn load(fixtures: &Path) -> Result<Self> {
        let path = fixtures.join("parts.yaml");
        let parts: Parts = gauntlet_fixtures::manifest::read_typed(&path).with_context(|| format!("failed to read {}", path.display()))?;
        for (index, image) in parts.images.iter().enumerate() {
            let fail = |what: String| bail!("{}: image {} {what}", path.display(), image.full_name());
            if let Some(name) = image.binaries.iter().find(|name| !parts.provides(name) && !image.host_libraries) {
                return fail(format!("wants the program {name:?}, which no entry provides"));
            }
            if let Some(name) = image.jars.iter().find(|name| parts.jar_set(name).is_none()) {
                return fail(format!("wants the jars {name:?}, which no entry provides"));
            }
            if let Some(base) = image.base.iter().find(|base| parts.image(base).is_some() && !parts.images[..index].iter().any(|i| i.full_name() == **base)) {
                return fail(format!("stands above its base {base}: images are built from the first to the last"));
            }
        }
        Ok(parts)
    }

    /// The entry of an image, by `name:tag`.
    pub fn image(&self, full_name: &str) -> Option<&Image> {
        self.images.iter().find(|image| image.full_name() == full_name)
    }

    /// The entry of a set of jars.
    pub fn jar_set(&self, name: &str) -> Option<&Jars> {
        self.jars.iter().find(|jars| jars.name == name)
    }

    fn provides(&self, name: &str) -> bool {
        self.binaries.iter().any(|b| b.name == name) || self.wheels.iter().any(|w| w.name == name)
    }

    /// The entry of a program.
    ///
    /// # Errors
    /// When there is none.
    pub fn binary(&self, name: &str) -> Result<&Binary> {
        self.binaries.iter().find(|b| b.name == name).with_context(|| format!("fixtures/parts.yaml has no program {name:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_projects_own_list_is_consistent() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
        let parts = Parts::load(&fixtures).expect("parts.yaml reads");
        for image in &parts.images {
            assert!(fixtures.join("images").join(&image.dockerfile).join("Dockerfile").exists(), "{} has no Dockerfile", image.full_name());
        }
        for jars in &parts.jars {
            assert!(!crate::provision::jars::read(&fixtures, jars).expect("the list reads").is_empty());
        }
        for binary in &parts.binaries {
            assert!(fixtures.join("modules").join(&binary.module).join("go.mod").exists(), "{} has no go.mod", binary.module);
        }
        assert!(parts.binary("kind").is_ok() && parts.binary("nothing").is_err());
    }
}
