//! Images of our parts, each built once per content key.

use super::cache::{Key, KeyBuilder};
use super::context::Context;
use super::parts::{Image, Parts};
use super::process::capture;
use super::{docker, go_binaries, wheels};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// The programs of an image: name and where each stands on the host.
fn programs(ctx: &Context, parts: &Parts, image: &Image) -> Result<Vec<(String, PathBuf)>> {
    let find = |name: &String| -> Result<PathBuf> {
        if let Some(wheel) = parts.wheels.iter().find(|w| w.name == *name) {
            return Ok(wheels::path(ctx, wheel));
        }
        match parts.binaries.iter().find(|b| b.name == *name) {
            Some(binary) => go_binaries::path(ctx, binary),
            None => super::rust_binary::path(name),
        }
    };
    image.binaries.iter().map(|name| Ok((name.clone(), find(name)?))).collect()
}

/// Everything that an image depends on.
///
/// # Errors
/// When its folder or a program cannot be read.
pub fn key(ctx: &Context, parts: &Parts, image: &Image) -> Result<Key> {
    let mut key = KeyBuilder::default().files(&ctx.fixtures().join("images").join(&image.dockerfile))?;
    for (name, path) in programs(ctx, parts, image)? {
        // A program's path holds its own content key; one of this workspace is known by its content.
        key = if image.host_libraries { key.text("program", &name).files(&path)? } else { key.text(&name, &path.file_name().unwrap_or_default().to_string_lossy()) };
    }
    Ok(key.text("base", image.base.as_deref().unwrap_or("")).finish())
}

/// Builds an image unless it stands. Its programs and its base must stand.
///
/// # Errors
/// When docker fails.
pub async fn build(ctx: &Context, parts: &Parts, image: &Image) -> Result<()> {
    let key = key(ctx, parts, image)?;
    let name = image.full_name();
    if docker::is_current(&name, &key).await {
        return Ok(());
    }
    let step = ctx.step(&format!("image {}", image.name.trim_start_matches("gauntlet/")));
    step.says("docker build");
    let staging = ctx.cache.staging(&format!("image {}", image.name))?;
    copy_folder(&ctx.fixtures().join("images").join(&image.dockerfile), &staging)?;
    std::fs::create_dir_all(staging.join("bin"))?;
    for (program, path) in programs(ctx, parts, image)? {
        std::fs::copy(&path, staging.join("bin").join(&program)).with_context(|| format!("{program} is not built: {} is missing", path.display()))?;
        if image.host_libraries {
            stage_libraries(&path, &staging.join("rootfs")).await?;
        }
    }
    docker::build(&name, &key, &staging, &step).await.with_context(|| format!("failed to build the image {name}"))?;
    std::fs::remove_dir_all(&staging)?;
    step.done(name);
    Ok(())
}

/// Copies the libraries that `ldd` names to the same paths below `rootfs`.
async fn stage_libraries(program: &Path, rootfs: &Path) -> Result<()> {
    let listing = capture(Command::new("ldd").arg(program)).await.context("failed to list the program's libraries")?;
    for library in libraries(&listing) {
        let target = rootfs.join(library.trim_start_matches('/'));
        std::fs::create_dir_all(target.parent().context("a library has a folder")?)?;
        std::fs::copy(library, &target).with_context(|| format!("failed to copy {library}"))?;
    }
    Ok(())
}

/// The absolute paths in ldd's answer: `name => /path (address)` or `/path (address)`.
fn libraries(listing: &str) -> impl Iterator<Item = &str> {
    listing.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
}

/// Copies a folder's files with their modes.
///
/// # Errors
/// When something cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry?;
        let target = to.join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(&target)?;
        } else {
            std::fs::copy(entry.path(), &target).with_context(|| format!("failed to copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ldd_names_libraries_by_path() {
        let listing = "\tlinux-vdso.so.1 (0x7ffd)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f)\n\t/lib64/ld-linux-x86-64.so.2 (0x7f)\n";
        assert_eq!(libraries(listing).collect::<Vec<_>>(), ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]);
    }
}
