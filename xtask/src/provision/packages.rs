//! Debian packages on the host.

use super::context::{Context, Step};
use super::process::{ProcessError, run_logged};
use anyhow::{Context as _, Result};
use std::fs::File;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::Instant;

/// How long somebody else's apt-get is waited for: a fresh machine may be reading its lists by itself.
const OTHERS_MAY_TAKE: Duration = Duration::from_secs(300);

/// Installs packages with apt-get, without recommended ones. One at a time, whichever step or run asks.
///
/// # Errors
/// When apt-get fails, or somebody else's does not come to an end.
pub async fn install(ctx: &Context, packages: &[&str]) -> Result<()> {
    let step = ctx.step("system packages");
    step.says(format!("apt-get install {}", packages.join(" ")));
    let _turn = turn(ctx.cache.root()).await.context("failed to wait for another step's apt-get")?;
    let deadline = Instant::now() + OTHERS_MAY_TAKE;
    apt(&["update"], deadline, &step).await.context("failed to read the package lists")?;
    let args = [&["install", "-y", "--no-install-recommends"], packages].concat();
    apt(&args, deadline, &step).await.with_context(|| format!("failed to install {}", packages.join(", ")))?;
    step.done(format!("installed {}", packages.join(", ")));
    Ok(())
}

/// Runs apt-get, again and again while another one of this machine is at work.
async fn apt(args: &[&str], deadline: Instant, step: &Step) -> Result<(), ProcessError> {
    loop {
        let mut command = Command::new("apt-get");
        command.args(["-q", "-o", "DPkg::Lock::Timeout=120"]).args(args).env("DEBIAN_FRONTEND", "noninteractive");
        match run_logged(&mut command, step.log()).await {
            // Only the lock of dpkg can be waited for by apt-get itself, not the one of the lists.
            Err(error) if is_busy(&error) && Instant::now() < deadline => {
                step.says("waiting for another apt-get of this machine");
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
            done => return done,
        }
    }
}

/// Waits until no other step installs; until the file is dropped none does.
async fn turn(cache: &Path) -> Result<File> {
    let file = File::options().create(true).append(true).open(cache.join("apt.lock"))?;
    Ok(tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await??)
}

fn is_busy(error: &ProcessError) -> bool {
    matches!(error, ProcessError::Failed { tail, .. } if tail.contains("Could not get lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_steps_take_turns() {
        let cache = tempfile::tempdir().expect("temp dir");
        let first = turn(cache.path()).await.expect("free");
        let second = turn(cache.path());
        tokio::pin!(second);
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut second).await.is_err(), "the first is not done");
        drop(first);
        second.await.expect("free again");
    }

    #[test]
    fn somebody_elses_lock_is_waited_for_and_nothing_else() {
        let failed = |tail: &str| ProcessError::Failed { program: "apt-get".into(), status: "exit status: 100".into(), tail: tail.into(), log: None };
        assert!(is_busy(&failed("E: Could not get lock /var/lib/apt/lists/lock. It is held by process 14665 (apt-get)")));
        assert!(!is_busy(&failed("E: Unable to locate package dockr.io")));
    }
}
