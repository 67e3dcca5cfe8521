//! A program of this workspace that goes into an image: the simulator.

use super::context::Context;
use super::process::run_logged;
use anyhow::{Context as _, Result};
use std::path::PathBuf;
use tokio::process::Command;

/// Where cargo puts it: beside ourselves.
///
/// # Errors
/// When our own path is not known.
pub fn path(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("failed to find our own path")?;
    let mut folder = own.parent().context("a program has a folder")?;
    // A test program lies one folder deeper.
    if folder.ends_with("deps") {
        folder = folder.parent().context("deps has a parent")?;
    }
    Ok(folder.join(name))
}

/// A cargo command in the repository, as a person would start it. `cargo run` tells us about ourselves through the
/// environment; passed on, that makes build scripts (ring's) run again and everything above them compile again.
pub fn cargo(repo: &std::path::Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(repo);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}

/// Builds it with cargo, in the profile that we were built in. Nothing to do takes cargo a moment.
///
/// # Errors
/// When it does not compile.
pub async fn build(ctx: &Context, name: &str) -> Result<()> {
    let step = ctx.step(&format!("build {name}"));
    step.says("cargo build");
    let mut command = cargo(&ctx.repo);
    command.args(["build", "--quiet", "--bin", name]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    run_logged(&mut command, step.log()).await.with_context(|| format!("failed to build {name}"))?;
    step.done("ready");
    Ok(())
}
