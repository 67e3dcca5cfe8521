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

/// Builds it with cargo, in the profile that we were built in. Nothing to do takes cargo a moment.
///
/// # Errors
/// When it does not compile.
pub async fn build(ctx: &Context, name: &str) -> Result<()> {
    let step = ctx.step(&format!("build {name}"));
    step.says("cargo build");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(&ctx.repo).args(["build", "--quiet", "--bin", name]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    run_logged(&mut command, step.log()).await.with_context(|| format!("failed to build {name}"))?;
    step.done("ready");
    Ok(())
}
