//! The soak stage.

use crate::cluster::Cluster;
use crate::pipeline::Session;
use gauntlet_fixtures::platform::LoadedPlatform;
use gauntlet_loadtests::soak::stage::{self, Patience, SoakStage};
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::{StageName, StageReport};
use std::collections::BTreeMap;

/// Holds connections to each of the platform's WebSocket endpoints while events flow and a pod goes away.
pub async fn run(session: &Session, chosen: &LoadedPlatform, cluster: &Cluster, recorder: Recorder) -> StageReport {
    let started = recorder.clock().now_ms();
    let mut endpoints = BTreeMap::new();
    for socket in &chosen.platform.websockets {
        match super::endpoint(chosen, cluster, &socket.entrypoint) {
            Ok(endpoint) => endpoints.insert(socket.entrypoint.clone(), endpoint),
            Err(why) => return super::could_not(&recorder, StageName::Soak, started, why),
        };
    }
    stage::run(SoakStage {
        client: cluster.client.clone(),
        platform: &chosen.platform,
        profile: &session.options.args.profile,
        endpoints,
        seed: session.options.seed,
        recorder,
        run_dir: &session.out,
        stop: session.stop.clone(),
        patience: Patience::default(),
    })
    .await
}
