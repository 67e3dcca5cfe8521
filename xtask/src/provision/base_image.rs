//! `gauntlet/debian:12`, the base of every image that is not static: made with debootstrap.

use super::cache::{Key, KeyBuilder};
use super::context::Context;
use super::docker::{KEY_LABEL, docker, is_current};
use super::process::run_logged;
use crate::machine::Facts;
use anyhow::{Context as _, Result, bail};
use std::process::Stdio;
use tokio::process::Command;

/// The base image's name.
pub const NAME: &str = "gauntlet/debian:12";
const SUITE: &str = "bookworm";

fn key(mirror: Option<&str>) -> Key {
    KeyBuilder::default().text("suite", SUITE).text("variant", "minbase").text("mirror", mirror.unwrap_or("default")).text("recipe", "1").finish()
}

/// Makes the base image unless it stands.
///
/// # Errors
/// When debootstrap is missing and may not be installed, or fails.
pub async fn ensure(ctx: &Context, facts: &Facts) -> Result<()> {
    let mirror = debian_mirror();
    let key = key(mirror.as_deref());
    if is_current(NAME, &key).await {
        return Ok(());
    }
    if !facts.can_install() {
        bail!("the base image {NAME} is made with debootstrap, which needs root on Debian or Ubuntu; reach an image registry, or run as root there");
    }
    if ctx.no_provision {
        bail!("the base image {NAME} is missing, and --no-provision forbids making it");
    }
    if !facts.debootstrap {
        super::packages::install(ctx, &["debootstrap"]).await?;
    }
    let step = ctx.step("base image");
    step.says("debootstrap (Debian 12, minimal)");
    let root = ctx.cache.staging("base image")?;
    let mut command = Command::new("debootstrap");
    command.args(["--variant=minbase", SUITE]).arg(&root).args(mirror.as_deref());
    run_logged(&mut command, step.log()).await.context("failed to make a Debian root file system")?;
    step.says("importing it");
    let excluded = ["./var/cache/apt/archives/*.deb", "./var/lib/apt/lists/*", "./usr/share/doc/*", "./usr/share/man/*", "./usr/share/locale/*"];
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(&root).args(excluded.map(|pattern| format!("--exclude={pattern}"))).args(["-c", "."]);
    let mut tar = tar.stdout(Stdio::piped()).kill_on_drop(true).spawn().context("failed to start tar")?;
    let archive: Stdio = tar.stdout.take().context("tar has an output")?.try_into()?;
    let label = format!("LABEL {KEY_LABEL}={key} gauntlet=image");
    let status = docker(&["import", "--change", &label, "-", NAME]).stdin(archive).stdout(Stdio::null()).kill_on_drop(true).status().await?;
    if !(status.success() && tar.wait().await?.success()) {
        bail!("failed to import the base image: docker import ended with {status}");
    }
    std::fs::remove_dir_all(&root).context("failed to clear the staging folder")?;
    step.done(NAME);
    Ok(())
}

/// The Debian mirror that this machine's apt uses, when it is a Debian.
fn debian_mirror() -> Option<String> {
    let files = std::fs::read_dir("/etc/apt/sources.list.d").ok().into_iter().flatten().filter_map(|e| e.ok()).map(|e| e.path());
    let mut texts = files.chain([std::path::PathBuf::from("/etc/apt/sources.list")]).filter_map(|p| std::fs::read_to_string(p).ok());
    texts.find_map(|text| mirror_in(&text))
}

/// The first address that ends in `/debian` in a sources file, in either of apt's two formats.
fn mirror_in(text: &str) -> Option<String> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(str::split_whitespace)
        .find(|word| word.starts_with("http") && word.trim_end_matches('/').ends_with("/debian"))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_of_apt_sources_name_the_mirror() {
        assert_eq!(mirror_in("# http://old.example/debian\ndeb http://mirror.example/debian bookworm main").as_deref(), Some("http://mirror.example/debian"));
        assert_eq!(mirror_in("Types: deb\nURIs: http://mirror.example/debian\n").as_deref(), Some("http://mirror.example/debian"));
        assert_eq!(mirror_in("URIs: http://mirror.example/debian-security\n"), None);
    }
}
