//! `cargo xtask rollback`: the guides' rollback procedures.

use super::target::{OwnCluster, PlatformArg};
use crate::procedures::configuration;
use crate::procedures::revisions::{self, Revision};
use crate::provision::context::Context;
use anyhow::{Result, bail};
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use std::path::{Path, PathBuf};

/// Shows revisions, and rolls one or all Deployments of a platform back, or everything to a saved configuration.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 rolled back, 1 it does not roll out, 2 it could not be tried.\n\n\
Examples:\n  cargo xtask rollback --platform football history\n  cargo xtask rollback --platform football one api-gateway\n  \
cargo xtask rollback --platform football one api-gateway --revision 3\n  cargo xtask rollback --platform football all --dry-run\n  \
cargo xtask rollback --platform football from backup.json\n  cargo xtask rollback --platform streaming release")]
pub struct RollbackArgs {
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
    /// The revisions of every Deployment, or of one
    History {
        /// Only this Deployment
        deployment: Option<String>,
    },
    /// One Deployment, to its former revision
    One {
        /// The Deployment
        deployment: String,
        /// This revision instead of the one before the present
        #[arg(long)]
        revision: Option<i64>,
    },
    /// Every Deployment that has a former revision
    All,
    /// Everything as it was before the last `deploy` that saved it: what `helm rollback` does, for objects that were there
    Release,
    /// The configuration that `deploy` or `backup` saved to a file
    From {
        /// The file
        file: PathBuf,
    },
}

/// Rolls back.
///
/// # Errors
/// When the platform is not deployed, or there is no revision to go back to.
pub async fn run(args: &RollbackArgs, ctx: &Context) -> Result<u8> {
    let target = OwnCluster::open(&args.platform, ctx, !args.dry_run).await?;
    match &args.what {
        What::History { deployment } => history(&target, deployment.as_deref()).await,
        What::One { deployment, revision } => {
            let former = revisions::former(&target.client, target.namespace(), deployment, *revision).await?;
            back(&target, vec![(deployment.clone(), former)], args.dry_run).await
        }
        What::All => {
            let with_former = revisions::with_former(&target.client, target.namespace()).await?;
            if with_former.is_empty() {
                bail!("no Deployment of {} has a former revision", target.namespace());
            }
            back(&target, with_former, args.dry_run).await
        }
        What::Release => {
            let folder = configuration::folder(ctx.cache.root(), &target.loaded.platform.name);
            let file = configuration::newest(&folder)?;
            println!("as saved in {}", file.display());
            restore(&target, &file, args.dry_run, ctx).await
        }
        What::From { file } => restore(&target, file, args.dry_run, ctx).await,
    }
}

async fn restore(target: &OwnCluster, file: &Path, dry_run: bool, ctx: &Context) -> Result<u8> {
    let (namespace, objects) = configuration::load(file)?;
    if namespace != target.namespace() {
        bail!("{} was saved from namespace {namespace}, not from {}", file.display(), target.namespace());
    }
    if dry_run {
        println!("{} objects of {namespace} would be applied", objects.len());
        return Ok(0);
    }
    let count = configuration::restore(&target.client, file, &ctx.recorder).await?;
    println!("{count} objects restored to {namespace}");
    target.rolled_out(&deployments(target).await?).await
}

async fn deployments(target: &OwnCluster) -> Result<Vec<String>> {
    let list = Api::<Deployment>::namespaced(target.client.clone(), target.namespace()).list(&ListParams::default()).await?;
    Ok(list.items.iter().map(ResourceExt::name_any).collect())
}

async fn history(target: &OwnCluster, only: Option<&str>) -> Result<u8> {
    let names = match only {
        Some(name) => vec![name.to_owned()],
        None => deployments(target).await?,
    };
    if names.is_empty() {
        bail!("namespace {} holds no Deployment: `cargo xtask deploy --platform {}` deploys it", target.namespace(), target.loaded.platform.name);
    }
    for name in names {
        println!("{name}");
        for revision in revisions::history(&target.client, target.namespace(), &name).await? {
            println!("  {:>4}  {} pods  {}", revision.number, revision.replicas, revision.images.join(", "));
        }
    }
    Ok(0)
}

/// Everything is looked up by now: nothing is changed before all is known.
async fn back(target: &OwnCluster, former: Vec<(String, Revision)>, dry_run: bool) -> Result<u8> {
    for (name, revision) in &former {
        println!("{name}: back to revision {} ({})", revision.number, revision.images.join(", "));
        if !dry_run {
            revisions::set_template(&target.client, target.namespace(), name, revision.template.clone()).await?;
        }
    }
    if dry_run {
        return Ok(0);
    }
    let names: Vec<String> = former.into_iter().map(|(name, _)| name).collect();
    target.rolled_out(&names).await
}
