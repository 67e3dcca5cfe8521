//! Debian packages on the host.

use super::context::Context;
use super::process::run_logged;
use anyhow::{Context as _, Result};
use tokio::process::Command;

/// Installs packages with apt-get, without recommended ones. One apt-get at a time: it holds a lock of its own.
///
/// # Errors
/// When apt-get fails.
pub async fn install(ctx: &Context, packages: &[&str]) -> Result<()> {
    let step = ctx.step("system packages");
    step.says(format!("apt-get install {}", packages.join(" ")));
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(["-q", "-o", "DPkg::Lock::Timeout=120"]).args(args).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    run_logged(&mut apt(&["update"]), step.log()).await.context("failed to read the package lists")?;
    let mut args = vec!["install", "-y", "--no-install-recommends"];
    args.extend(packages);
    run_logged(&mut apt(&args), step.log()).await.with_context(|| format!("failed to install {}", packages.join(", ")))?;
    step.done(format!("installed {}", packages.join(", ")));
    Ok(())
}
