//! The load stage.

use super::background::child;
use crate::cluster::Cluster;
use crate::pipeline::Session;
use gauntlet_fixtures::platform::LoadedPlatform;
use gauntlet_loadtests::oracle::ControllerSettings;
use gauntlet_loadtests::stage::{self, LoadStage};
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::{StageName, StageReport};

/// Drives the platform's journeys against its HPA.
pub async fn run(session: &Session, chosen: &LoadedPlatform, cluster: &Cluster, recorder: Recorder) -> StageReport {
    let started = recorder.clock().now_ms();
    let Some(load) = &chosen.platform.load else {
        return StageReport::not_applicable(StageName::Load, started, "the platform declares no load");
    };
    let endpoint = match super::endpoint(chosen, cluster, &load.entrypoint) {
        Ok(endpoint) => endpoint,
        Err(why) => return super::could_not(&recorder, StageName::Load, started, why),
    };
    let (program, args) = match child() {
        Ok(child) => child,
        Err(error) => return super::could_not(&recorder, StageName::Load, started, format!("{error:#}")),
    };
    stage::run(LoadStage {
        client: cluster.client.clone(),
        platform: &chosen.platform,
        profile: &session.options.args.profile,
        endpoint,
        seed: session.options.seed,
        recorder,
        program,
        args,
        run_dir: &session.out,
        stop: session.stop.clone(),
        controller: ControllerSettings::tuned(&cluster.info.tuned),
    })
    .await
}
