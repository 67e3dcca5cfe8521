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

/// Applies the platform's experiments one after the other: first those that stay inside its namespace, then, with the
/// cluster to itself, those that take a node.
pub async fn run(session: &Session, chosen: &LoadedPlatform, cluster: &Cluster, gates: &Gates, recorder: Recorder) -> StageReport {
    let started = recorder.clock().now_ms();
    if chosen.platform.experiments.is_empty() {
        return StageReport::not_applicable(StageName::Chaos, started, "the platform declares no experiments");
    }
    if chosen.platform.ledgers.is_empty() && chosen.platform.load.is_none() {
        return super::could_not(&recorder, StageName::Chaos, started, "the platform declares neither a ledger nor a load: nobody would notice a fault");
    }
    if session.options.chosen_experiments(&chosen.platform).experiments.is_empty() {
        return StageReport::not_applicable(StageName::Chaos, started, "the platform declares no experiments for this profile");
    }
    let mut parts = Vec::new();
    for nodes in [false, true] {
        let mut platform = session.options.chosen_experiments(&chosen.platform);
        platform.experiments.retain(|e| takes_a_node(&e.fault) == nodes);
        if platform.experiments.is_empty() {
            continue;
        }
        let waiting = if nodes { "waiting until no other platform is judged" } else { "waiting for the cluster" };
        recorder.progress(waiting);
        let (_pass, _alone) = if nodes { (None, Some(gates.nodes().await)) } else { (Some(gates.stage(StageName::Chaos).await), None) };
        parts.push(part(session, chosen, &platform, cluster, &recorder).await);
    }
    joined(parts, started, recorder.clock().now_ms())
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
