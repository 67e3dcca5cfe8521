//! The drill stage: backup under writes, restore into an empty namespace.

use crate::cluster::Cluster;
use gauntlet_fixtures::platform::LoadedPlatform;
use crate::pipeline::{Session, recovery};
use gauntlet_chaos::drill::{self, DrillStage};
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::{StageName, StageReport};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Drills every store of the platform.
pub async fn run(session: &Session, chosen: &LoadedPlatform, cluster: &Cluster, recorder: Recorder) -> StageReport {
    let started = recorder.clock().now_ms();
    let platform = &chosen.platform;
    if platform.stores.is_empty() {
        return StageReport::not_applicable(StageName::Drill, started, "the platform declares no data store");
    }
    if platform.ledgers.is_empty() {
        return super::could_not(&recorder, StageName::Drill, started, "the platform declares no ledger: without acknowledged writes there is no RPO");
    }
    let endpoints = platform.ledgers.iter().map(|l| Ok((l.entrypoint.clone(), super::endpoint(chosen, cluster, &l.entrypoint)?)));
    let endpoints = match endpoints.collect::<Result<BTreeMap<_, _>, String>>() {
        Ok(endpoints) => endpoints,
        Err(why) => return super::could_not(&recorder, StageName::Drill, started, why),
    };
    let journal = match recovery::journal(&session.ctx) {
        Ok(journal) => Arc::new(journal),
        Err(error) => return super::could_not(&recorder, StageName::Drill, started, format!("{error:#}")),
    };
    drill::run(DrillStage {
        client: cluster.client.clone(),
        platform,
        endpoints,
        recorder,
        cluster: cluster.info.name.clone(),
        journal,
        run_dir: session.out.join(&platform.name),
        run_id: session.options.run_id.clone(),
        seed: session.options.seed,
        stop: session.stop.clone(),
        restore_namespace: format!("{}-restore", platform.namespace),
    })
    .await
}
