//! `cargo xtask deploy`: one platform to one environment, with the flags of the guides' deploy script.

use crate::cluster::kind::KindProvider;
use crate::deploy::apply::{ApplyOptions, apply};
use crate::deploy::rewrite;
use crate::deploy::rollout::Limits;
use crate::procedures::configuration;
use crate::procedures::environment::source;
use crate::procedures::safe_deploy::{self, Deployed, SafeDeploy};
use crate::provision::needed::Needed;
use anyhow::{Context, bail};
use clap::Args;
use gauntlet_fixtures::platform::Platform;
use gauntlet_reports::recorder::Recorder;
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::Api;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Deploy a platform and watch its rollout
#[derive(Debug, Clone, Args)]
pub struct DeployArgs {
    /// Image tag of the platform's own service; by default the one that the environment's manifests name
    #[arg(short, long)]
    pub tag: Option<String>,
    /// production, staging or another environment of platform.yaml; by default kind on the suite's own cluster, else
    /// production
    #[arg(short, long)]
    pub environment: Option<String>,
    /// Namespace; by default the one that platform.yaml names
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// Change nothing: the API server checks every object, or, without a cluster, the manifests are printed
    #[arg(long)]
    pub dry_run: bool,
    /// A platform of the suite by name, or a folder with a platform.yaml
    #[arg(long, default_value = "globeco")]
    pub platform: String,
    /// Longest wait for each step of the rollout, in seconds
    #[arg(long, default_value_t = 600)]
    pub timeout: u64,
    /// Leave a failed deployment as it is, to look at it; by default every Deployment gets its former state again
    #[arg(long)]
    pub no_rollback: bool,
}

/// What the command works on. The caller chooses the cluster (and refuses one that is not allowed) and reads the platform.
pub struct DeployContext<'a> {
    /// The cluster. `None`: there is none; then only a dry run is possible.
    pub client: Option<Client>,
    /// True when the cluster is one that the suite made.
    pub own_cluster: bool,
    /// The platform.
    pub platform: &'a Platform,
    /// The folder of its platform.yaml.
    pub folder: PathBuf,
    /// Renders a manifest source (a kustomization folder, a folder, a file) to objects.
    pub render: &'a dyn Fn(&Path) -> anyhow::Result<Vec<Value>>,
    /// Where progress goes.
    pub recorder: Recorder,
    /// Where the configuration from before goes; `None`: it is not saved.
    pub configurations: Option<PathBuf>,
    /// Stops the wait.
    pub stop: CancellationToken,
}

/// Deploys. 0: rolled out, or the dry run found nothing wrong; 1: it does not roll out, and the cause is printed;
/// 2: stopped.
///
/// # Errors
/// When the environment is unknown, the manifests cannot be read, or an object cannot be applied.
pub async fn run(args: &DeployArgs, context: DeployContext<'_>) -> anyhow::Result<u8> {
    let environment = args.environment.as_deref().unwrap_or(if context.own_cluster { "kind" } else { "production" });
    let source = source(context.platform, environment)?;
    let mut objects = (context.render)(&context.folder.join(source)).with_context(|| format!("render the manifests of {environment}"))?;
    let namespace = args.namespace.as_deref().unwrap_or(&context.platform.namespace);
    if let Some(tag) = &args.tag {
        let changed = rewrite::tag(&mut objects, context.platform, tag)?;
        eprintln!("image {}", changed.join(", image "));
    }
    if namespace != context.platform.namespace {
        rewrite::namespace(&mut objects, &context.platform.namespace, namespace);
    }
    let Some(client) = &context.client else {
        if !args.dry_run {
            bail!("deploy: there is no cluster; `cargo xtask up` makes one, `--dry-run` prints the manifests");
        }
        print(&objects)?;
        return Ok(0);
    };
    if args.dry_run {
        return dry_run(client, &objects, namespace, &context.recorder).await;
    }
    let order = &context.platform.procedures.deploy_order;
    for step in safe_deploy::unknown_steps(&objects, order) {
        eprintln!("note: the deployment's step {step} is not among the manifests of {environment}");
    }
    save_before(client, &context, namespace).await?;
    let deploy = SafeDeploy {
        client,
        namespace,
        order,
        options: ApplyOptions::default(),
        limits: Limits { timeout: Duration::from_secs(args.timeout), look_every: Duration::from_secs(5) },
        roll_back: !args.no_rollback,
        recorder: &context.recorder,
        stop: &context.stop,
    };
    match deploy.run(&objects).await? {
        Deployed::Done { objects } => {
            eprintln!("{objects} objects applied to {namespace} ({environment}), rolled out");
            Ok(0)
        }
        Deployed::Failed { causes, rolled_back, whole_again } => {
            causes.iter().for_each(|cause| eprintln!("not rolled out: {cause}"));
            match (rolled_back.is_empty(), whole_again) {
                (true, _) => eprintln!("nothing was rolled back: {}", if args.no_rollback { "--no-rollback" } else { "no Deployment had a former state" }),
                (false, true) => eprintln!("rolled back to the former state: {}", rolled_back.join(", ")),
                (false, false) => eprintln!("rolled back, but the former state does not come up either: {}", rolled_back.join(", ")),
            }
            Ok(1)
        }
        Deployed::Stopped => Ok(2),
    }
}

/// Saves the configuration that stands, for `cargo xtask rollback from`.
async fn save_before(client: &Client, context: &DeployContext<'_>, namespace: &str) -> anyhow::Result<()> {
    let Some(folder) = &context.configurations else { return Ok(()) };
    if Api::<Namespace>::all(client.clone()).get_opt(namespace).await?.is_none() {
        return Ok(());
    }
    let file = configuration::save(client, namespace, folder).await.context("failed to save the configuration before the deployment")?;
    eprintln!("configuration saved to {}", file.display());
    Ok(())
}

async fn dry_run(client: &Client, objects: &[Value], namespace: &str, recorder: &Recorder) -> anyhow::Result<u8> {
    // In a namespace that is not there yet the API server can check nothing.
    if Api::<Namespace>::all(client.clone()).get_opt(namespace).await?.is_none() {
        print(objects)?;
        eprintln!("namespace {namespace} does not exist yet, so the API server cannot check what goes into it: the manifests are printed instead");
        return Ok(0);
    }
    let options = ApplyOptions { dry_run: true, ..ApplyOptions::default() };
    let checked = apply(client, objects, namespace, &options, recorder).await?;
    for object in &checked {
        println!("{object} (dry run)");
    }
    Ok(0)
}

/// Prints the objects as a stream of YAML documents (each in JSON, which is YAML), without the content of Secrets.
fn print(objects: &[Value]) -> anyhow::Result<()> {
    for object in objects {
        println!("---\n{}", serde_json::to_string_pretty(&rewrite::without_secrets(object))?);
    }
    Ok(())
}

#[cfg(test)]
#[path = "deploy_tests.rs"]
mod tests;

/// Deploys to the suite's own cluster, when it stands; without one only a dry run is possible.
///
/// # Errors
/// As [`run`], and when the platform is unknown.
pub async fn from_command_line(args: &DeployArgs, ctx: &crate::provision::context::Context) -> anyhow::Result<u8> {
    let _lock = if args.dry_run { None } else { Some(crate::lock::RunLock::take(ctx.cache.root(), "deploy")?) };
    let chosen = crate::pipeline::platforms::choose(&ctx.fixtures(), std::slice::from_ref(&args.platform))?.remove(0);
    let render = |path: &Path| -> anyhow::Result<Vec<Value>> {
        Ok(gauntlet_fixtures::manifest::read_objects(path)?.iter().map(|o| o.to_json()).collect())
    };
    let client = match crate::pipeline::recovery::client(ctx).await {
        Some(client) if client.apiserver_version().await.is_ok() => Some(client),
        _ => None,
    };
    if client.is_some() && !args.dry_run {
        let needed = Needed::of(&ctx.fixtures(), std::slice::from_ref(&chosen))?;
        let facts = crate::machine::Facts::gather(&ctx.cache).await;
        KindProvider { ctx: ctx.clone(), facts, needed }.load().await.context("failed to give the cluster the platform's images")?;
    }
    let context = DeployContext {
        own_cluster: client.is_some(),
        client,
        platform: &chosen.platform,
        folder: chosen.folder.clone(),
        render: &render,
        recorder: ctx.recorder.clone(),
        configurations: Some(configuration::folder(ctx.cache.root(), &chosen.platform.name)),
        stop: crate::pipeline::interrupt::token()?,
    };
    run(args, context).await
}
