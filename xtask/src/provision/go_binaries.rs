//! Programs built from Go modules, each once per content key.

use super::cache::{Key, KeyBuilder};
use super::context::Context;
use super::parts::Binary;
use super::process::run_logged;
use anyhow::{Context as _, Result};
use std::path::PathBuf;
use tokio::process::Command;

/// Everything that a program depends on: its module with checksums, and how it is built.
///
/// # Errors
/// When the module cannot be read.
pub fn key(ctx: &Context, binary: &Binary) -> Result<Key> {
    Ok(KeyBuilder::default()
        .files(&ctx.fixtures().join("modules").join(&binary.module))?
        .text("package", &binary.package)
        .text("tags", &binary.tags)
        .text("ldflags", &binary.ldflags)
        .finish())
}

/// Where a program stands once it is built.
///
/// # Errors
/// When its module cannot be read.
pub fn path(ctx: &Context, binary: &Binary) -> Result<PathBuf> {
    Ok(ctx.cache.program(&binary.name, &key(ctx, binary)?))
}

/// Builds a program unless it stands already, and gives its path. A killed build leaves nothing under that path.
///
/// # Errors
/// When there is no Go, or the build fails.
pub async fn build(ctx: &Context, binary: &Binary) -> Result<PathBuf> {
    let out = path(ctx, binary)?;
    if out.exists() {
        return Ok(out);
    }
    let go = super::go_toolchain::ensure(ctx).await?;
    let step = ctx.step(&format!("build {}", binary.name));
    step.says("compiling (Go)");
    std::fs::create_dir_all(out.parent().context("a program has a folder")?)?;
    let half = out.with_extension("half");
    let mut command = Command::new(&go);
    command
        .current_dir(ctx.fixtures().join("modules").join(&binary.module))
        .args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", &binary.ldflags]);
    if !binary.tags.is_empty() {
        command.args(["-tags", &binary.tags]);
    }
    command
        .arg("-o")
        .arg(&half)
        .arg(&binary.package)
        .env("CGO_ENABLED", "0")
        .env("GOTOOLCHAIN", "local")
        .env("GOWORK", "off")
        .env("GOFLAGS", "")
        .env("GOMODCACHE", ctx.cache.go().join("mod"))
        .env("GOCACHE", ctx.cache.go().join("build"));
    let started = std::time::Instant::now();
    run_logged(&mut command, step.log()).await.with_context(|| format!("failed to build {} from the Go module {}", binary.name, binary.module))?;
    std::fs::rename(&half, &out).with_context(|| format!("failed to keep {}", out.display()))?;
    step.done(format!("built in {} s", started.elapsed().as_secs()));
    Ok(out)
}
