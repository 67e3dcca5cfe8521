//! The chaos stage, under load.

use super::background;
use crate::cluster::Cluster;
use gauntlet_fixtures::platform::LoadedPlatform;
use crate::pipeline::{Session, recovery};
use gauntlet_chaos::stage::{self, ChaosStage};
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::{StageName, StageReport};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Applies the platform's experiments, one after the other.
pub async fn run(session: &Session, chosen: &LoadedPlatform, cluster: &Cluster, recorder: Recorder) -> StageReport {
    let started = recorder.clock().now_ms();
    if chosen.platform.experiments.is_empty() {
        return StageReport::not_applicable(StageName::Chaos, started, "the platform declares no experiments");
    }
    let could_not = |why: String| super::could_not(&recorder, StageName::Chaos, started, why);
    if chosen.platform.ledgers.is_empty() && chosen.platform.load.is_none() {
        return could_not("the platform declares neither a ledger nor a load: nobody would notice a fault".into());
    }
    let endpoints = chosen.platform.ledgers.iter().map(|l| Ok((l.entrypoint.clone(), super::endpoint(chosen, cluster, &l.entrypoint)?)));
    let endpoints = match endpoints.collect::<Result<BTreeMap<_, _>, String>>() {
        Ok(endpoints) => endpoints,
        Err(why) => return could_not(why),
    };
    let journal = match recovery::journal(&session.ctx) {
        Ok(journal) => Arc::new(journal),
        Err(error) => return could_not(format!("{error:#}")),
    };
    let platform = session.options.chosen_experiments(&chosen.platform);
    let load = match background::start(session, chosen, cluster, &recorder).await {
        Ok(load) => load,
        Err(error) => return could_not(format!("{error:#}")),
    };
    let report = stage::run(ChaosStage {
        client: cluster.client.clone(),
        platform: &platform,
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
