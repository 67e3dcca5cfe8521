//! `cargo xtask upgrade`: the guides' blue-green upgrade of one Deployment.

use super::target::{OwnCluster, PlatformArg};
use crate::deploy::rollout::Limits;
use crate::pipeline::interrupt;
use crate::procedures::blue_green::{BlueGreen, Upgraded};
use crate::procedures::configuration;
use crate::provision::context::Context;
use anyhow::{Context as _, Result};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::Api;
use std::time::Duration;

/// Upgrades one Deployment with a blue-green strategy: the configuration is saved, the new set of pods starts whole beside the
/// old one, is asked, takes all traffic at once, and only then the old one goes. What does not come up never sees a client.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 upgraded, 1 taken back, 2 it could not be tried.\n\n\
Examples:\n  cargo xtask upgrade --platform football api-gateway --image football-analytics/api-gateway:v1.2.0\n  \
cargo xtask upgrade --platform crypto market-data-service --image crypto-market-data-service:v2 --dry-run")]
pub struct UpgradeArgs {
    #[command(flatten)]
    platform: PlatformArg,
    /// The Deployment
    deployment: String,
    /// The new image of its first container
    #[arg(long)]
    image: String,
    /// Longest wait for the new pods, in seconds
    #[arg(long, default_value_t = 300)]
    timeout: u64,
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Upgrades.
///
/// # Errors
/// When the Deployment is not there, not at rest, or has this image already.
pub async fn run(args: &UpgradeArgs, ctx: &Context) -> Result<u8> {
    let target = OwnCluster::open(&args.platform, ctx, !args.dry_run).await?;
    let name = &args.deployment;
    let found = Api::<Deployment>::namespaced(target.client.clone(), target.namespace()).get(name).await;
    let mut template = found.with_context(|| format!("failed to read Deployment {name}"))?.spec.map(|s| s.template).unwrap_or_default();
    let container = template.spec.as_mut().and_then(|s| s.containers.first_mut()).with_context(|| format!("Deployment {name} has no container"))?;
    println!("{name}: {} -> {}", container.image.as_deref().unwrap_or("no image"), args.image);
    container.image = Some(args.image.clone());
    if args.dry_run {
        return Ok(0);
    }
    let folder = configuration::folder(ctx.cache.root(), &target.loaded.platform.name);
    let saved = configuration::save(&target.client, target.namespace(), &folder).await?;
    println!("the configuration from before is in {}", saved.display());
    let stop = interrupt::token()?;
    let upgrade = BlueGreen {
        client: &target.client,
        namespace: target.namespace(),
        deployment: name,
        limits: Limits { timeout: Duration::from_secs(args.timeout), look_every: Duration::from_secs(5) },
        recorder: &ctx.recorder,
        stop: &stop,
    };
    match upgrade.run(template).await? {
        Upgraded::Done { blue, green, services } => {
            println!("{green} new pods serve behind {}; {blue} old ones are gone", services.join(", "));
            Ok(0)
        }
        Upgraded::TakenBack { cause, whole_again } => {
            eprintln!("taken back: {cause}");
            if !whole_again {
                eprintln!("not every old pod is ready: `cargo xtask rollback --platform {} from {}`", target.loaded.platform.name, saved.display());
            }
            Ok(1)
        }
    }
}
