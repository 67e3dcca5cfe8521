//! The chaos stage, under load.

use super::background;
use crate::cluster::Cluster;
use crate::pipeline::gates::{Gates, takes_a_node};
use crate::pipeline::{Session, recovery};
use gauntlet_chaos::stage::{self, ChaosStage};
use gauntlet_fixtures::platform::{LoadedPlatform, Platform};
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::{StageName, StageReport};
use gauntlet_reports::verdict::Verdict;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which of a platform's experiments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Those that stay inside its namespace.
    Namespace,
    /// Those that take a node, and need the cluster to themselves.
    Nodes,
}

impl Part {
    fn of(self, session: &Session, chosen: &LoadedPlatform) -> Platform {
        let mut platform = session.options.chosen_experiments(&chosen.platform);
        platform.experiments.retain(|e| takes_a_node(&e.fault) == (self == Part::Nodes));
        platform
    }
}

/// True when a platform's chaos stage goes on once every node may be taken.
pub fn takes_nodes(session: &Session, chosen: &LoadedPlatform) -> bool {
    refused(session, chosen, &session.recorder).is_none() && !Part::Nodes.of(session, chosen).experiments.is_empty()
}

/// Why a platform has no chaos stage at all.
fn refused(session: &Session, chosen: &LoadedPlatform, recorder: &Recorder) -> Option<StageReport> {
    let now = recorder.clock().now_ms();
    if chosen.platform.experiments.is_empty() {
        return Some(StageReport::not_applicable(StageName::Chaos, now, "the platform declares no experiments"));
    }
    if chosen.platform.ledgers.is_empty() && chosen.platform.load.is_none() {
        let why = "the platform declares neither a ledger nor a load: nobody would notice a fault";
        return Some(super::could_not(recorder, StageName::Chaos, now, why));
    }
    let none = session.options.chosen_experiments(&chosen.platform).experiments.is_empty();
    none.then(|| StageReport::not_applicable(StageName::Chaos, now, "the platform declares no experiments for this profile"))
}

/// Applies the experiments that stay inside the platform's namespace, one after the other.
pub async fn run(session: &Session, chosen: &LoadedPlatform, cluster: &Cluster, recorder: Recorder) -> StageReport {
    if let Some(report) = refused(session, chosen, &recorder) {
        return report;
    }
    let started = recorder.clock().now_ms();
    let platform = Part::Namespace.of(session, chosen);
    if platform.experiments.is_empty() {
        return joined(Vec::new(), started, started);
    }
    part(session, chosen, &platform, cluster, &recorder).await
}

/// Applies the experiments that take a node, when nobody else is judged, and joins their verdicts to those of the others.
pub async fn take_nodes(session: &Session, chosen: &LoadedPlatform, cluster: &Cluster, gates: &Gates, others: StageReport) -> StageReport {
    let recorder = session.recorder.scoped(&chosen.platform.name, StageName::Chaos);
    recorder.progress("waiting until no other platform is judged");
    let _alone = gates.nodes().await;
    let nodes = part(session, chosen, &Part::Nodes.of(session, chosen), cluster, &recorder).await;
    let started = others.started_ms;
    joined(vec![others, nodes], started, recorder.clock().now_ms())
}

/// One report of several parts: what could not be judged in one is not judged by the other.
fn joined(parts: Vec<StageReport>, started_ms: u64, ended_ms: u64) -> StageReport {
    let reasons: Vec<_> = parts.iter().map(|p| p.reason.clone()).filter(|r| !r.is_empty()).collect();
    let verdict = Verdict::of(parts.iter().map(|p| p.verdict));
    let assertions = parts.into_iter().flat_map(|p| p.assertions).collect();
    StageReport { verdict, reason: reasons.join("; "), ..StageReport::judge(StageName::Chaos, started_ms, ended_ms, assertions, "") }
}

async fn part(session: &Session, chosen: &LoadedPlatform, platform: &Platform, cluster: &Cluster, recorder: &Recorder) -> StageReport {
    let started = recorder.clock().now_ms();
    let could_not = |why: String| super::could_not(recorder, StageName::Chaos, started, why);
    let endpoints = platform.ledgers.iter().map(|l| Ok((l.entrypoint.clone(), super::endpoint(chosen, cluster, &l.entrypoint)?)));
    let endpoints = match endpoints.collect::<Result<BTreeMap<_, _>, String>>() {
        Ok(endpoints) => endpoints,
        Err(why) => return could_not(why),
    };
    let journal = match recovery::journal(&session.ctx) {
        Ok(journal) => Arc::new(journal),
        Err(error) => return could_not(format!("{error:#}")),
    };
    let load = match background::start(session, chosen, cluster, recorder).await {
        Ok(load) => load,
        Err(error) => return could_not(format!("{error:#}")),
    };
    let report = stage::run(ChaosStage {
        client: cluster.client.clone(),
        platform,
        endpoints,
        nodes: cluster.nodes.clone(),
        journal,
        cluster: cluster.info.name.clone(),
        seed: session.options.seed,
        run_id: session.options.run_id.clone(),
        recorder: recorder.clone(),
        run_dir: session.out.join(&chosen.platform.name),
        stop: session.stop.clone(),
    })
    .await;
    load.stop().await;
    report
}
