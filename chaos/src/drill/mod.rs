//! The drill stage: back a store up under writes, restore it into a fresh namespace, and compare. What `cargo xtask backup`
//! and `cargo xtask restore` do is the same code: [`backup`], [`saved`], [`target`], [`restored`].

pub mod archive;
pub mod backup;
pub mod backup_dir;
pub mod content;
pub mod extras;
pub mod flow;
pub mod judge;
pub mod namespace_copy;
pub mod restored;
pub mod saved;
pub mod target;

use self::flow::Flow;
use crate::error::ChaosError;
use crate::journal::{FaultState, Journal, NewFault, Recovery};
use crate::node_control::NotOurNodes;
use crate::recover::{Recovered, recover_one};
use crate::store::Engine;
use crate::stores::engine_of;
use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_fixtures::platform::{Platform, Store};
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::{Assertion, StageName, StageReport};
use kube::Client;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What a drill works with.
pub struct DrillStage<'a> {
    /// The cluster.
    pub client: Client,
    /// The kubeconfig context, for the journal.
    pub cluster: String,
    /// The platform.
    pub platform: &'a Platform,
    /// The entry points that are published on this machine, by name: the ledgers write through them.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// The journal: the namespace of the restore is written down before it is made.
    pub journal: Arc<Journal>,
    /// Where events go, scoped to the platform and this stage.
    pub recorder: Recorder,
    /// The run's folder; the stage writes below `drill/`.
    pub run_dir: PathBuf,
    /// The run.
    pub run_id: String,
    /// The run's seed.
    pub seed: u64,
    /// Fires on Ctrl-C.
    pub stop: CancellationToken,
    /// The fresh namespace, such as `globeco-restore-7f3a`. One that exists and is ours is deleted first.
    pub restore_namespace: String,
}

/// What the drill of a store is for.
const EXPECTED: &str = "the store's backup is restored and compared";

/// Runs the stage. The namespace of the restore is gone when this returns, or stands in the journal.
pub async fn run(stage: DrillStage<'_>) -> StageReport {
    let clock = stage.recorder.clock();
    let started = clock.now_ms();
    if stage.platform.stores.is_empty() {
        return StageReport::not_applicable(StageName::Drill, started, "platform.yaml has no stores");
    }
    let mut assertions = Vec::new();
    for store in &stage.platform.stores {
        let mut of_store = match (engine_of(store), flow::not_backed_up(store)) {
            (Err(error), _) => vec![Assertion::inconclusive("drill.known", EXPECTED, format!("failed to {error}"))],
            (Ok(_), Some(not_backed_up)) => vec![not_backed_up],
            (Ok(engine), None) => {
                stage.recorder.progress(format!("back up and restore {}", store.name));
                one(&stage, engine, store).await
            }
        };
        if stage.platform.stores.len() > 1 {
            for assertion in &mut of_store {
                assertion.id = assertion.id.replacen("drill.", &format!("drill.{}.", store.name), 1);
            }
        }
        assertions.extend(of_store.into_iter().map(|a| stage.recorder.assert(a)));
    }
    let summary = format!("{} stores restored and compared", stage.platform.stores.len());
    StageReport::judge(StageName::Drill, started, clock.now_ms(), assertions, summary)
}

async fn one(stage: &DrillStage<'_>, engine: &dyn Engine, store: &Store) -> Vec<Assertion> {
    if let Err(error) = make_way(stage).await {
        return vec![Assertion::inconclusive("drill.prepared", EXPECTED, format!("failed to {error}"))];
    }
    let record = stage.journal.begin(NewFault {
        run_id: stage.run_id.clone(),
        platform: stage.platform.name.clone(),
        cluster: stage.cluster.clone(),
        experiment: "drill".into(),
        fault: "restore-namespace".into(),
        target: format!("namespace/{}", stage.restore_namespace),
        recovery: Recovery::DeleteNamespace { namespace: stage.restore_namespace.clone() },
    });
    let record = match record {
        Ok(record) => record,
        Err(error) => return vec![Assertion::inconclusive("drill.prepared", EXPECTED, format!("failed to write the journal: {error}"))],
    };
    let flow = Flow { stage, engine, store };
    let mut assertions = tokio::select! {
        assertions = flow.run() => assertions,
        () = stage.stop.cancelled() => {
            vec![Assertion::inconclusive("drill.finished", EXPECTED, format!("failed to {}", ChaosError::Stopped))]
        }
    };
    let _ = stage.journal.mark(&record.id, FaultState::Applied);
    let cleaned = clean(stage, record).await;
    assertions.push(Assertion::check("drill.cleaned", cleaned.ok, "the restore leaves nothing behind", &cleaned.read_back, cleaned.read_back.clone()));
    assertions
}

async fn clean(stage: &DrillStage<'_>, record: crate::journal::FaultRecord) -> Recovered {
    let within = Duration::from_secs(120);
    recover_one(Some(&stage.client), &NotOurNodes, &stage.journal, &stage.recorder, record, within).await
}

/// Deletes what an earlier, killed run left of the same namespace.
async fn make_way(stage: &DrillStage<'_>) -> Result<(), ChaosError> {
    let (name, ours) = (&stage.restore_namespace, &stage.platform.namespace);
    if name == ours {
        return Err(ChaosError::Platform(format!("restore into {name}: it is the platform's own namespace")));
    }
    match crate::recover::delete_namespace(&stage.client, name, Duration::from_secs(120)).await? {
        (true, _) => Ok(()),
        (false, why) => Err(ChaosError::TimedOut { what: format!("namespace {name} to be free"), last_seen: why }),
    }
}
