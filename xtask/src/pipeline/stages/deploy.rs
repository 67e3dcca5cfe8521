//! The deploy stage.

use crate::cluster::Cluster;
use crate::deploy::certificates::CertificateAuthority;
use crate::deploy::stage::{self, DeployStage};
use crate::pipeline::Session;
use crate::procedures::configuration;
use crate::procedures::helm::Helm;
use gauntlet_fixtures::platform::LoadedPlatform;
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::{StageName, StageReport};
use std::time::Duration;

/// Applies overlays/kind and watches it come up.
pub async fn run(session: &Session, chosen: &LoadedPlatform, cluster: &Cluster, recorder: Recorder) -> StageReport {
    let started = recorder.clock().now_ms();
    let objects = match chosen.kind_objects() {
        Ok(objects) => objects,
        Err(error) => return super::could_not(&recorder, StageName::Deploy, started, format!("{error:#}")),
    };
    let authority = match CertificateAuthority::load_or_create(&cluster.authority) {
        Ok(authority) => authority,
        Err(error) => return super::could_not(&recorder, StageName::Deploy, started, error.to_string()),
    };
    let endpoints = cluster.endpoints(&chosen.platform, authority.ca_pem());
    let places: std::collections::BTreeMap<_, _> = objects.iter().map(|o| ((o.kind.clone(), o.name.clone()), o.source().location().to_string())).collect();
    stage::run(DeployStage {
        client: cluster.client.clone(),
        platform: &chosen.platform,
        objects: objects.iter().map(|o| o.to_json()).collect(),
        recorder,
        run_id: session.options.run_id.clone(),
        run_dir: session.out.clone(),
        authority: Some(&authority),
        endpoints,
        stop: session.stop.clone(),
        rollout_timeout: Duration::from_secs(180),
        metrics_timeout: Duration::from_secs(60),
        configurations: configuration::folder(session.ctx.cache.root(), &chosen.platform.name),
        helm: Helm::find(&session.ctx, &cluster.kubeconfig, &chosen.folder),
        locate: Some(std::sync::Arc::new(move |o| places.get(&(o.kind.clone(), o.name.clone())).cloned())),
    })
    .await
}
