//! A platform on the suite's own cluster, as the procedures' commands work on it.

use crate::deploy::rollout::{self, Limits, Outcome};
use crate::deploy::workload::{Goal, Workload, WorkloadKind};
use crate::lock::RunLock;
use crate::pipeline::{interrupt, platforms, recovery};
use crate::procedures::backup::Home;
use crate::procedures::{environment, stores};
use crate::provision::context::Context;
use anyhow::{Context as _, Result, bail};
use gauntlet_fixtures::manifest;
use gauntlet_fixtures::platform::LoadedPlatform;
use gauntlet_reports::recorder::Recorder;
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::Api;
use serde_json::Value;
use std::time::Duration;

/// Which platform a command is about.
#[derive(Debug, Clone, clap::Args)]
pub struct PlatformArg {
    /// A platform of the suite by name, or a folder with a platform.yaml
    #[arg(long, value_name = "NAME|FOLDER", global = true, default_value = "globeco")]
    pub platform: String,
}

/// Where a platform was deployed to, when that is not where platform.yaml says.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct WhereArgs {
    /// The namespace that it was deployed to; by default the one of the environment, or of platform.yaml
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// The environment that was deployed, such as staging: its manifests tell the namespace
    #[arg(short, long)]
    pub environment: Option<String>,
}

impl WhereArgs {
    /// The namespace, when one of the two says it.
    fn namespace(&self, loaded: &LoadedPlatform) -> Result<Option<String>> {
        let environment = match (&self.namespace, &self.environment) {
            (Some(namespace), _) => return Ok(Some(namespace.clone())),
            (None, None) => return Ok(None),
            (None, Some(environment)) => environment.as_str(),
        };
        let source = environment::source(&loaded.platform, environment)?;
        let objects = manifest::read_objects(&loaded.folder.join(source)).with_context(|| format!("failed to read the manifests of {environment}"))?;
        let objects: Vec<Value> = objects.iter().map(|o| o.to_json()).collect();
        stores::namespace_of(&loaded.platform, environment, &objects).map(Some)
    }
}

/// A deployed platform on the suite's own cluster.
pub struct OwnCluster {
    /// The cluster.
    pub client: Client,
    /// The platform.
    pub loaded: LoadedPlatform,
    recorder: Recorder,
    _lock: Option<RunLock>,
}

impl OwnCluster {
    /// Finds the platform and the cluster; `changes` takes the run's lock, so that no run is disturbed.
    ///
    /// # Errors
    /// When the platform is unknown, no cluster answers, the platform is not deployed, or a run is going on.
    pub async fn open(arg: &PlatformArg, ctx: &Context, changes: bool) -> Result<Self> {
        Self::open_at(arg, &WhereArgs::default(), ctx, changes).await
    }

    /// The same, deployed somewhere else than platform.yaml says.
    ///
    /// # Errors
    /// As [`OwnCluster::open`], and when the environment is unknown.
    pub async fn open_at(arg: &PlatformArg, deployed: &WhereArgs, ctx: &Context, changes: bool) -> Result<Self> {
        let mut loaded = platforms::choose(&ctx.fixtures(), std::slice::from_ref(&arg.platform))?.remove(0);
        if let Some(namespace) = deployed.namespace(&loaded)? {
            loaded.platform.namespace = namespace;
        }
        let lock = if changes { Some(RunLock::take(ctx.cache.root(), "a procedure")?) } else { None };
        let client = match recovery::client(ctx).await {
            Some(client) if client.apiserver_version().await.is_ok() => client,
            _ => bail!("the suite's cluster does not answer: `cargo xtask deploy --platform {}` needs one, `cargo xtask up` makes it", arg.platform),
        };
        let namespace = &loaded.platform.namespace;
        if Api::<Namespace>::all(client.clone()).get_opt(namespace).await?.is_none() {
            bail!("namespace {namespace} does not exist: `cargo xtask deploy --platform {}` deploys the platform", arg.platform);
        }
        Ok(OwnCluster { client, loaded, recorder: ctx.recorder.clone(), _lock: lock })
    }

    /// The platform's namespace.
    pub fn namespace(&self) -> &str {
        &self.loaded.platform.namespace
    }

    /// The platform's stores, for a backup or a restore.
    pub fn home(&self) -> Home<'_> {
        Home { client: &self.client, platform: &self.loaded.platform.name, namespace: self.namespace(), recorder: &self.recorder }
    }

    /// Waits until Deployments are rolled out. 0: they are; 1: they are not, and the causes are printed; 2: stopped.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn rolled_out(&self, deployments: &[String]) -> Result<u8> {
        let workload = |name: &String| Workload { kind: WorkloadKind::Deployment, namespace: self.namespace().to_owned(), name: name.clone() };
        let goal = Goal { workloads: deployments.iter().map(workload).collect(), ..Goal::default() };
        let limits = Limits { timeout: Duration::from_secs(300), look_every: Duration::from_secs(5) };
        match rollout::wait(&self.client, &goal, limits, &self.recorder, &interrupt::token()?).await? {
            Outcome::Finished => {
                eprintln!("rolled out");
                Ok(0)
            }
            Outcome::Stuck { causes, .. } => {
                causes.iter().for_each(|cause| eprintln!("not rolled out: {cause}"));
                Ok(1)
            }
            Outcome::Stopped => Ok(2),
        }
    }
}
