//! `gauntlet/simulator-PLATFORM:dev`: the simulator with one platform's service files. A thin layer, made for every platform
//! with a folder `services`, the user's own platforms too.

use super::cache::{Key, KeyBuilder};
use super::context::Context;
use super::parts::Parts;
use super::{docker, images};
use anyhow::{Context as _, Result};
use std::path::Path;

/// What the layer lies on.
pub const SIMULATOR: &str = "gauntlet/simulator:dev";
const PREFIX: &str = "gauntlet/simulator-";
const TAG: &str = ":dev";
const FOLDER: &str = "simulator-platform";

/// The image of a platform's played services.
pub fn image(platform: &str) -> String {
    format!("{PREFIX}{platform}{TAG}")
}

/// The platform whose played services an image holds.
pub fn platform_of(image: &str) -> Option<&str> {
    image.strip_prefix(PREFIX)?.strip_suffix(TAG).filter(|name| !name.is_empty())
}

/// Everything that the image depends on: the simulator's own image, and the service files.
///
/// # Errors
/// When a file cannot be read, or the simulator is not built.
pub fn key(ctx: &Context, parts: &Parts, folder: &Path) -> Result<Key> {
    let simulator = parts.image(SIMULATOR).with_context(|| format!("fixtures/parts.yaml has no image {SIMULATOR}"))?;
    let key = KeyBuilder::default().text("simulator", &images::key(ctx, parts, simulator)?.to_string());
    Ok(key.files(&ctx.fixtures().join("images").join(FOLDER))?.text("part", "services").files(folder)?.finish())
}

/// Builds it unless it stands. The simulator's own image must stand.
///
/// # Errors
/// When docker fails.
pub async fn build(ctx: &Context, parts: &Parts, platform: &str, folder: &Path) -> Result<bool> {
    let (name, key) = (image(platform), key(ctx, parts, folder)?);
    if docker::is_current(&name, &key).await {
        return Ok(false);
    }
    let step = ctx.step(&format!("image simulator-{platform}"));
    step.says("docker build");
    let staging = ctx.cache.staging(&format!("image simulator {platform}"))?;
    images::copy_folder(&ctx.fixtures().join("images").join(FOLDER), &staging)?;
    images::copy_folder(folder, &staging.join("services"))?;
    docker::build(&name, &key, &Default::default(), &staging, &step).await.with_context(|| format!("failed to build the image {name}"))?;
    std::fs::remove_dir_all(&staging)?;
    step.done(name);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_images_name_says_whose_services_it_holds() {
        assert_eq!(platform_of(&image("f1-analytics")), Some("f1-analytics"));
        for other in ["gauntlet/simulator:dev", "gauntlet/simulator-:dev", "gauntlet/simulator-shop:1", "example.com/simulator-shop:dev"] {
            assert_eq!(platform_of(other), None);
        }
    }
}
