//! `cargo xtask scale`: the guides' scaling procedures.

use super::target::{OwnCluster, PlatformArg};
use crate::deploy::apply::ApplyOptions;
use crate::procedures::scaling;
use crate::provision::context::Context;
use anyhow::{Context as _, Result, bail};
use gauntlet_fixtures::manifest;
use serde_json::Value;

/// Scales one workload, or all to a profile of platform.yaml such as game-day, or puts the HPAs back as the manifests say.
/// A workload that an HPA scales is scaled through the HPA's minimum.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 scaled, 1 the pods do not become ready, 2 it could not be tried.\n\n\
Examples:\n  cargo xtask scale --platform football profile game-day\n  cargo xtask scale --platform football workload api-gateway 5\n  \
cargo xtask scale --platform football configure-hpa\n  cargo xtask scale --platform f1 workload StatefulSet/postgres 5 --dry-run")]
pub struct ScaleArgs {
    #[command(flatten)]
    platform: PlatformArg,
    /// Say what would be done, and change nothing
    #[arg(long, global = true)]
    dry_run: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Every workload of a profile of platform.yaml
    Profile {
        /// Its name, such as game-day, normal or maintenance
        name: String,
    },
    /// One workload
    Workload {
        /// Its name, or Kind/name
        name: String,
        /// Replicas
        replicas: i32,
    },
    /// Applies the HPAs of the manifests again: minimum, maximum, targets
    ConfigureHpa,
}

/// Scales.
///
/// # Errors
/// When there is no such profile or workload, or an HPA does not allow so many.
pub async fn run(args: &ScaleArgs, ctx: &Context) -> Result<u8> {
    let target = OwnCluster::open(&args.platform, ctx, !args.dry_run).await?;
    let wanted = match &args.what {
        What::ConfigureHpa => return configure(&target, ctx, args.dry_run).await,
        What::Workload { name, replicas } => vec![(name.clone(), *replicas)],
        What::Profile { name } => {
            let profiles = &target.loaded.platform.procedures.scale_profiles;
            let Some(profile) = profiles.get(name) else {
                let known: Vec<_> = profiles.keys().map(String::as_str).collect();
                bail!("{} has no scale profile {name:?}; it has: {}", target.loaded.platform.name, known.join(", "));
            };
            profile.iter().map(|(name, n)| (name.clone(), *n)).collect()
        }
    };
    let mut names = Vec::new();
    for (name, replicas) in wanted {
        if args.dry_run {
            println!("{name}: {replicas} replicas");
            continue;
        }
        println!("{}", scaling::scale(&target.client, target.namespace(), &name, replicas).await?);
        if !name.starts_with("StatefulSet/") {
            names.push(name.trim_start_matches("Deployment/").to_owned());
        }
    }
    if args.dry_run { Ok(0) } else { target.rolled_out(&names).await }
}

async fn configure(target: &OwnCluster, ctx: &Context, dry_run: bool) -> Result<u8> {
    let objects = manifest::read_objects(&target.loaded.kind()).context("failed to read the manifests")?;
    let objects: Vec<Value> = objects.iter().map(|o| o.to_json()).collect();
    let options = ApplyOptions { dry_run, ..ApplyOptions::default() };
    for object in scaling::configure(&target.client, target.namespace(), &objects, options, &ctx.recorder).await? {
        println!("{object}{}", if dry_run { " (dry run)" } else { "" });
    }
    Ok(0)
}
