//! The docker client, as far as provisioning needs it.

use super::cache::Key;
use super::context::Step;
use super::process::{ProcessError, capture, run_logged};
use std::collections::BTreeMap;
use std::path::Path;
use tokio::process::Command;

/// The label by which we know our images, and the content that they were made of.
pub const KEY_LABEL: &str = "gauntlet.key";

/// A docker command. The classic builder is asked for: Debian's engine has no other, and newer ones still have it.
pub fn docker(args: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(args).env("DOCKER_BUILDKIT", "0").env("DOCKER_CLI_HINTS", "false");
    command
}

/// True when the image stands and was made of this content.
pub async fn is_current(image: &str, key: &Key) -> bool {
    let format = format!("{{{{index .Config.Labels \"{KEY_LABEL}\"}}}}");
    let found = capture(&mut docker(&["image", "inspect", "--format", &format, image])).await;
    found.is_ok_and(|label| label == key.to_string())
}

/// Builds an image from a staging folder, with these build arguments.
///
/// # Errors
/// When docker fails.
pub async fn build(image: &str, key: &Key, args: &BTreeMap<String, String>, context: &Path, step: &Step) -> Result<(), ProcessError> {
    let label = format!("{KEY_LABEL}={key}");
    // Without the host's network, a build that installs packages would need one of its own.
    let mut command = docker(&["build", "--network", "host", "--force-rm", "--label", &label, "--label", "gauntlet=image", "-t", image]);
    for (name, value) in args {
        command.arg("--build-arg").arg(format!("{name}={value}"));
    }
    run_logged(command.arg(context), step.log()).await
}

/// Removes images of ours that a newer build took the name from, and the stages that builds left. Other people's stay.
///
/// # Errors
/// When docker fails.
pub async fn prune() -> Result<(), ProcessError> {
    capture(&mut docker(&["image", "prune", "--force", "--filter", "label=gauntlet=image"])).await.map(drop)
}

/// Pulls an image. False when that is not possible here.
pub async fn pull(image: &str, step: &Step) -> bool {
    let mut command = docker(&["pull", "--quiet", image]);
    // A registry that is not reached answers at once or never; a pull that works takes its time.
    let limit = std::time::Duration::from_secs(900);
    matches!(tokio::time::timeout(limit, run_logged(&mut command, step.log())).await, Ok(Ok(())))
}
