//! A platform on the suite's own cluster, as the procedures' commands work on it.

use crate::deploy::rollout::{self, Limits, Outcome};
use crate::deploy::workload::{Goal, Workload, WorkloadKind};
use crate::lock::RunLock;
use crate::pipeline::{interrupt, platforms, recovery};
use crate::provision::context::Context;
use anyhow::{Result, bail};
use gauntlet_fixtures::platform::LoadedPlatform;
use gauntlet_reports::recorder::Recorder;
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::Api;
use std::time::Duration;

/// Which platform a command is about.
#[derive(Debug, Clone, clap::Args)]
pub struct PlatformArg {
    /// A platform of the suite by name, or a folder with a platform.yaml
    #[arg(long, value_name = "NAME|FOLDER", global = true, default_value = "globeco")]
    pub platform: String,
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
        let lock = if changes { Some(RunLock::take(ctx.cache.root(), "a procedure")?) } else { None };
        let loaded = platforms::choose(&ctx.fixtures(), std::slice::from_ref(&arg.platform))?.remove(0);
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
