//! `cargo xtask up`: the cluster, and nothing more.

use crate::cluster::kind::KindProvider;
use crate::cluster::{BringUp, Provider as _};
use crate::lock::RunLock;
use crate::machine::Facts;
use crate::pipeline::{consent, platforms, recovery};
use crate::provision::context::Context;
use crate::provision::needed::Needed;
use anyhow::Result;

/// Brings the suite's cluster up, provisioning what is missing, and prints how to reach it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask up\n  cargo xtask up --platform globeco     only what this platform needs\n  cargo xtask up --fresh")]
pub struct UpArgs {
    /// Make and load the images of this platform: a name, or a folder that holds a platform.yaml. May be repeated; default: all.
    #[arg(long, value_name = "NAME|FOLDER")]
    platform: Vec<String>,
    /// Make a new cluster even when a warm one stands.
    #[arg(long)]
    fresh: bool,
    /// Install nothing; say what to do instead.
    #[arg(long)]
    no_provision: bool,
    /// Do not ask before installing something system-wide.
    #[arg(long, short = 'y')]
    yes: bool,
}

/// Brings it up.
///
/// # Errors
/// When provisioning fails, or a run holds the cluster.
pub async fn run(args: &UpArgs, ctx: &Context) -> Result<u8> {
    let _lock = RunLock::take(ctx.cache.root(), "up")?;
    let ctx = Context { no_provision: args.no_provision, ..ctx.clone() };
    let needed = Needed::of(&ctx.fixtures(), &platforms::choose(&ctx.fixtures(), &args.platform)?)?;
    let facts = Facts::gather(&ctx.cache).await;
    consent::ask(&ctx, &facts, &needed, args.yes).await?;
    recovery::before_run(&ctx).await?;
    let cluster = KindProvider { ctx, facts, needed }.bring_up(BringUp { fresh: args.fresh }).await?;
    println!("export KUBECONFIG={}", cluster.kubeconfig.display());
    Ok(0)
}
