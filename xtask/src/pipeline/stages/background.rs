//! The load that goes on while faults are applied and backups are taken: the quiet users of the platform's journeys.

use crate::cluster::Cluster;
use crate::machine;
use crate::pipeline::Session;
use gauntlet_fixtures::platform::LoadedPlatform;
use anyhow::{Context as _, Result, anyhow};
use gauntlet_loadtests::plan::LoadPlan;
use gauntlet_loadtests::profile;
use gauntlet_loadtests::runner::{self, RunningLoad};
use gauntlet_reports::recorder::Recorder;
use std::path::PathBuf;
use std::time::Duration;

/// The longest that background load may run by itself.
const LIMIT_SECONDS: u64 = 1800;

/// The program and the arguments of a goose child: ourselves.
///
/// # Errors
/// When our own path is not known.
pub fn child() -> Result<(PathBuf, Vec<String>)> {
    Ok((machine::own_program()?, vec!["internal-goose".to_owned()]))
}

/// Starts the load and returns once it flows.
///
/// # Errors
/// When the platform declares no load, or none flows within 20 s.
pub async fn start(session: &Session, chosen: &LoadedPlatform, cluster: &Cluster, recorder: &Recorder) -> Result<RunningLoad> {
    let load = chosen.platform.load.as_ref().context("the platform declares no load, and a fault without load proves nothing")?;
    let profile = profile::choose("load", &load.profiles, &session.options.args.profile)?.profile;
    let endpoint = super::endpoint(chosen, cluster, &load.entrypoint).map_err(|why| anyhow!(why))?;
    let plan = LoadPlan::steady(load, endpoint, profile.quiet_users, session.options.seed, recorder.clock().origin_ns(), LIMIT_SECONDS)?;
    let (program, args) = child()?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let running = runner::spawn(&program, &args, &plan, recorder.clone()).await?;
    if !running.flows(Duration::from_secs(20)).await {
        let result = running.stop().await;
        anyhow::bail!("no load flowed within 20 s: {}", result.complaint);
    }
    Ok(running)
}
