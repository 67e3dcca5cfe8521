//! A Docker engine that answers: the user's own, or Debian's `docker.io` started by us.

use super::context::{Context, Step};
use super::process::{last_lines, run_logged};
use super::{go_binaries, parts::Parts};
use crate::machine::{Engine, Facts};
use anyhow::{Context as _, Result, bail};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// How long a started engine may take to answer.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Makes sure that an engine answers, and that the kernel's limits allow a cluster.
///
/// # Errors
/// When none answers and none may be started; the error says what to do.
pub async fn ensure(ctx: &Context, facts: &Facts, parts: &Parts) -> Result<()> {
    let step = ctx.step("container engine");
    if let Engine::Answers { version } = &facts.engine {
        step.done(format!("Docker {version} answers"));
        return raise_limits(ctx, facts).await;
    }
    if let Some(host) = &facts.docker_host {
        bail!("no Docker engine answers at DOCKER_HOST={host}: start it, or unset DOCKER_HOST");
    }
    if ctx.no_provision || !facts.can_install() {
        let why = if ctx.no_provision { "--no-provision forbids starting one" } else { "only root on Debian or Ubuntu may have one installed" };
        bail!("no Docker engine answers, and {why}: start Docker and check it with `docker info` (is this user in the group docker?)");
    }
    if facts.engine == Engine::Missing {
        super::packages::install(ctx, &["docker.io", "iptables"]).await?;
    }
    start(ctx, facts, parts, &step).await?;
    raise_limits(ctx, facts).await
}

async fn start(ctx: &Context, facts: &Facts, parts: &Parts, step: &Step) -> Result<()> {
    step.says("starting dockerd");
    if facts.systemd {
        run_logged(Command::new("systemctl").args(["start", "docker"]), step.log()).await?;
    } else {
        let wrapper = match facts.needs_oci_wrapper() {
            true => Some(go_binaries::build(ctx, parts.binary("oci-wrapper")?).await?),
            false => None,
        };
        spawn_dockerd(facts, wrapper.as_deref(), step)?;
    }
    let answered = tokio::time::timeout(START_LIMIT, async {
        loop {
            if let Some(version) = crate::machine::engine_version().await {
                return version;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    });
    match answered.await {
        Ok(version) => step.done(format!("Docker {version} started")),
        Err(_) => {
            let log = std::fs::read_to_string(step.log()).unwrap_or_default();
            bail!("dockerd was started and does not answer after {} s; its last lines:\n{}\n  its log: {}", START_LIMIT.as_secs(), last_lines(&log, 8), step.log().display());
        }
    }
    Ok(())
}

/// Closes whatever we inherited. dockerd would hold it as long as it runs: the lock of a `flock` that we were started by.
const CLOSE_INHERITED: &str = r#"for fd in /proc/$$/fd/*; do n=${fd##*/}; if [ "$n" -gt 2 ]; then exec {n}>&-; fi; done; exec setsid "$@""#;

/// Starts dockerd so that it outlives us: its own session, output to the step's log.
fn spawn_dockerd(facts: &Facts, wrapper: Option<&Path>, step: &Step) -> Result<()> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(step.log()).context("failed to open dockerd's log")?;
    let mut command = std::process::Command::new("bash");
    command.args(["-c", CLOSE_INHERITED, "bash", "dockerd"]);
    if facts.cgroup_version == 1 && !facts.systemd {
        command.args(["--exec-opt", "native.cgroupdriver=cgroupfs"]);
    }
    if let Some(wrapper) = wrapper {
        command.arg("--add-runtime").arg(format!("gauntlet={}", wrapper.display())).args(["--default-runtime", "gauntlet"]);
    }
    // A killed dockerd leaves its pid file behind; a new one refuses to start when that number is in use again.
    remove_stale_pid_file(Path::new("/var/run/docker.pid"));
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn().context("failed to start dockerd")?;
    Ok(())
}

fn remove_stale_pid_file(path: &Path) {
    let Some(pid) = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u32>().ok()) else { return };
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    if name.trim() != "dockerd" {
        let _ = std::fs::remove_file(path);
    }
}

/// The kernel's limits that three nodes outgrow: name, least value. Raised only where they are lower.
const LIMITS: [(&str, u64); 3] =
    [("fs/inotify/max_user_instances", 1024), ("fs/inotify/max_user_watches", 524_288), ("net/ipv4/ip_forward", 1)];

/// The limits that are too low on this machine.
pub fn low_limits() -> Vec<(&'static str, u64)> {
    let value = |name: &str| std::fs::read_to_string(format!("/proc/sys/{name}")).ok().and_then(|t| t.trim().parse::<u64>().ok());
    LIMITS.into_iter().filter(|(name, least)| value(name).is_some_and(|now| now < *least)).collect()
}

async fn raise_limits(ctx: &Context, facts: &Facts) -> Result<()> {
    // A desktop's Docker runs in a virtual machine with limits of its own; only root's own kernel is ours to tune.
    if !facts.can_install() || ctx.no_provision {
        return Ok(());
    }
    for (name, least) in low_limits() {
        std::fs::write(format!("/proc/sys/{name}"), least.to_string()).with_context(|| format!("failed to raise {name} to {least}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_of_a_dead_dockerd_is_removed_and_one_of_another_program_too() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("docker.pid");
        // Our own process is alive, and it is no dockerd.
        std::fs::write(&path, std::process::id().to_string()).expect("write");
        remove_stale_pid_file(&path);
        assert!(!path.exists());
    }

    #[test]
    fn what_the_caller_held_open_is_not_handed_on() {
        let open = |script: &str| {
            let caller = r#"exec 9>/dev/null 200>/dev/null; exec bash -c "$0" bash ls /proc/self/fd"#;
            let output = std::process::Command::new("bash").args(["-c", caller, script]).output().expect("bash starts");
            String::from_utf8(output.stdout).expect("UTF-8").split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(open(r#"exec "$@""#).contains(&"200".to_owned()), "the test itself hands something on");
        // 3 is the folder that ls reads.
        assert_eq!(open(CLOSE_INHERITED), ["0", "1", "2", "3"]);
    }
}
