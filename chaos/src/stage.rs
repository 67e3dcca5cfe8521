//! The chaos stage: the platform's experiments, one after the other, each judged.

use crate::client_feed::ClientFeed;
use crate::cluster_watch::ClusterWatch;
use crate::error::ChaosError;
use crate::experiment_run::ExperimentRun;
use crate::journal::Journal;
use crate::judge;
use crate::node_control::NodeControl;
use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_fixtures::platform::Platform;
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::{Assertion, StageName, StageReport};
use kube::Client;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the stage works with. The background load runs before it starts and until it has ended.
pub struct ChaosStage<'a> {
    /// The cluster. Made by [`without_retries`](crate::api_client::without_retries): with kube's default client no
    /// eviction would ever be seen as refused.
    pub client: Client,
    /// The kubeconfig context, for the journal.
    pub cluster: String,
    /// The platform.
    pub platform: &'a Platform,
    /// The entry points that are published on this machine, by name: the ledgers write through them.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// The nodes' machines.
    pub nodes: Arc<dyn NodeControl>,
    /// The journal.
    pub journal: Arc<Journal>,
    /// The run's seed.
    pub seed: u64,
    /// The run.
    pub run_id: String,
    /// Where events go, scoped to the platform and this stage.
    pub recorder: Recorder,
    /// The run's folder; the stage writes below `chaos/`.
    pub run_dir: PathBuf,
    /// Fires on Ctrl-C: the fault that is applied is recovered at once.
    pub stop: CancellationToken,
}

/// Runs the stage. Never leaves a fault behind without saying so: what could not be recovered stays in the journal and
/// fails `<experiment>.recovered`.
pub async fn run(stage: ChaosStage<'_>) -> StageReport {
    let started = stage.recorder.clock().now_ms();
    if stage.platform.experiments.is_empty() {
        return StageReport::not_applicable(StageName::Chaos, started, "platform.yaml has no experiments");
    }
    let end = |reason: String| StageReport::inconclusive(StageName::Chaos, started, stage.recorder.clock().now_ms(), reason);
    let wrong = stage.platform.experiments.iter().find_map(|spec| crate::plan::entry(spec).err());
    if let Some(error) = wrong {
        return end(format!("failed to {error}"));
    }
    let watch = match ClusterWatch::start(&stage.client, &stage.platform.namespace).await {
        Ok(watch) => watch,
        Err(error) => return end(format!("failed to {error}")),
    };
    let feed = ClientFeed::attach(&stage.recorder, &stage.platform.name);
    let mut assertions: Vec<Assertion> = Vec::new();
    for spec in &stage.platform.experiments {
        if stage.stop.is_cancelled() {
            let expected = "every experiment is run";
            let reason = format!("failed to {}", ChaosError::Stopped);
            assertions.push(stage.recorder.assert(Assertion::inconclusive(format!("{}.took_effect", spec.name), expected, reason)));
            continue;
        }
        stage.recorder.progress(format!("experiment {}", spec.name));
        let observed = ExperimentRun { stage: &stage, spec, watch: &watch, feed: &feed }.run().await;
        assertions.extend(judge::assertions(spec, &observed).into_iter().map(|a| stage.recorder.assert(a)));
    }
    let names: Vec<_> = stage.platform.experiments.iter().map(|e| e.name.as_str()).collect();
    let summary = format!("{} experiments recovered: {}", names.len(), names.join(", "));
    StageReport::judge(StageName::Chaos, started, stage.recorder.clock().now_ms(), assertions, summary)
}
