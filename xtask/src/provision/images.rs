//! Images of our parts, each built once per content key.

use super::cache::{Key, KeyBuilder};
use super::context::Context;
use super::parts::{Image, Jars, Parts};
use super::process::capture;
use super::{docker, go_binaries, jars, wheels};
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

/// Everything that an image depends on: its folder, its programs and jars, its base when that is in the list too.
///
/// # Errors
/// When its folder, a program or a list cannot be read.
pub fn key(ctx: &Context, parts: &Parts, image: &Image) -> Result<Key> {
    let mut key = KeyBuilder::default().files(&ctx.fixtures().join("images").join(&image.dockerfile))?;
    for (name, path) in programs(ctx, parts, image)? {
        // A program's path holds its own content key; one of this workspace is known by its content.
        key = if image.host_libraries { key.text("program", &name).files(&path)? } else { key.text(&name, &path.file_name().unwrap_or_default().to_string_lossy()) };
    }
    for (name, value) in &image.args {
        key = key.text("argument", name).text("value", value);
    }
    if let Some(jars) = jar_set(parts, image) {
        key = key.text("jars", &jars.name).files(&ctx.fixtures().join(&jars.list))?;
    }
    if let Some(base) = image.base.as_deref().and_then(|base| parts.image(base)) {
        key = key.text("base key", &self::key(ctx, parts, base)?.to_string());
    }
    Ok(key.text("base", image.base.as_deref().unwrap_or("")).finish())
}

fn jar_set<'a>(parts: &'a Parts, image: &Image) -> Option<&'a Jars> {
    image.jars.as_deref().and_then(|name| parts.jar_set(name))
}

/// Builds an image unless it stands; true: it was built. Its programs, its jars and its base must stand.
///
/// # Errors
/// When docker fails.
pub async fn build(ctx: &Context, parts: &Parts, image: &Image) -> Result<bool> {
    let key = key(ctx, parts, image)?;
    let name = image.full_name();
    if docker::is_current(&name, &key).await {
        return Ok(false);
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
    if let Some(set) = jar_set(parts, image) {
        std::fs::create_dir_all(staging.join("jars"))?;
        for jar in jars::read(&ctx.fixtures(), set)? {
            std::fs::copy(jar.stored(ctx), staging.join("jars").join(jar.file_name())).with_context(|| format!("{} is not fetched", jar.file_name()))?;
        }
    }
    docker::build(&name, &key, &image.args, &staging, &step).await.with_context(|| format!("failed to build the image {name}"))?;
    std::fs::remove_dir_all(&staging)?;
    step.done(name);
    Ok(true)
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
    use crate::provision::cache::Cache;
    use gauntlet_reports::{clock::Clock, recorder::Recorder};

    const PARTS: &str = "binaries: []\nwheels: []\njars: [{name: server, list: jars.txt}]\nimages:\n\
- {name: base, tag: '1', dockerfile: base, baked: false, role: base}\n\
- {name: store, tag: '1', dockerfile: store, base: 'base:1', jars: server, args: {PACKAGE: redis}, baked: false, role: store}\n";

    /// The key of the store above, after a file below `fixtures` was given other content.
    fn key_with(file: &str, content: &str) -> String {
        let folder = tempfile::tempdir().expect("temp dir");
        let fixtures = folder.path().join("fixtures");
        for (file, content) in [("parts.yaml", PARTS), ("jars.txt", ""), ("images/base/Dockerfile", "FROM scratch"), ("images/store/Dockerfile", "FROM base:1"), (file, content)] {
            let path = fixtures.join(file);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
            std::fs::write(path, content).expect("write");
        }
        let ctx = Context { cache: Cache::at(folder.path().join("cache")).expect("cache"), repo: folder.path().to_owned(), recorder: Recorder::in_memory(Clock::start()), no_provision: true };
        let parts = Parts::load(&fixtures).expect("reads");
        key(&ctx, &parts, parts.image("store:1").expect("listed")).expect("key").to_string()
    }

    #[test]
    fn an_image_is_made_again_when_its_base_its_jars_or_its_arguments_change() {
        let unchanged = key_with("parts.yaml", PARTS);
        assert_eq!(unchanged, key_with("images/base/Dockerfile", "FROM scratch"));
        assert_ne!(unchanged, key_with("images/base/Dockerfile", "FROM debian"));
        assert_ne!(unchanged, key_with("images/store/entrypoint.sh", "exec"));
        assert_ne!(unchanged, key_with("jars.txt", "# another list"));
        assert_ne!(unchanged, key_with("parts.yaml", &PARTS.replace("redis", "valkey")));
    }

    #[test]
    fn ldd_names_libraries_by_path() {
        let listing = "\tlinux-vdso.so.1 (0x7ffd)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f)\n\t/lib64/ld-linux-x86-64.so.2 (0x7f)\n";
        assert_eq!(libraries(listing).collect::<Vec<_>>(), ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]);
    }
}
