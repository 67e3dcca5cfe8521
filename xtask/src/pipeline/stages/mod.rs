//! Each stage of the pipeline, wired to the crate that knows it.

pub mod background;
pub mod chaos;
pub mod deploy;
pub mod drill;
pub mod load;
pub mod policies;
pub mod soak;

use super::Session;
use gauntlet_fixtures::platform::LoadedPlatform;
use crate::cluster::Cluster;
use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_reports::event::EventKind;
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::{StageName, StageReport};

/// Runs one stage that needs a cluster. Of chaos: what takes no node.
pub async fn run(session: &Session, chosen: &LoadedPlatform, cluster: &Cluster, name: StageName) -> StageReport {
    let recorder = session.recorder.scoped(&chosen.platform.name, name);
    let started = recorder.clock().now_ms();
    recorder.emit(EventKind::StageStarted { expected_ms: expected_ms(session, chosen, name) });
    if session.stop.is_cancelled() {
        return StageReport::inconclusive(name, started, started, "interrupted");
    }
    match name {
        StageName::Deploy => deploy::run(session, chosen, cluster, recorder).await,
        StageName::Load => load::run(session, chosen, cluster, recorder).await,
        StageName::Chaos => chaos::run(session, chosen, cluster, recorder).await,
        StageName::Drill => drill::run(session, chosen, cluster, recorder).await,
        StageName::Soak => soak::run(session, chosen, cluster, recorder).await,
        StageName::Policies => StageReport::inconclusive(name, started, started, "policies need no cluster"),
    }
}

/// The endpoint of a name, or why there is none.
fn endpoint(chosen: &LoadedPlatform, cluster: &Cluster, name: &str) -> Result<Endpoint, String> {
    let authority = crate::deploy::certificates::CertificateAuthority::load_or_create(&cluster.authority).map_err(|e| e.to_string())?;
    cluster
        .endpoints(&chosen.platform, authority.ca_pem())
        .remove(name)
        .ok_or_else(|| format!("the entry point {name:?} is not published on this machine by the provider {:?}", cluster.info.provider))
}

/// How long a stage may take, for the live terminal.
fn expected_ms(session: &Session, chosen: &LoadedPlatform, name: StageName) -> u64 {
    let platform = &chosen.platform;
    let seconds = match name {
        StageName::Policies => 1,
        StageName::Deploy => 90 + 30 * platform.procedures.tried.len() as u64,
        StageName::Load => gauntlet_loadtests::stage::expected_seconds(platform, &session.options.args.profile),
        StageName::Soak => gauntlet_loadtests::soak::stage::expected_seconds(platform, &session.options.args.profile),
        StageName::Chaos => session.options.chosen_experiments(platform).experiments.iter().map(|e| e.hold_seconds + e.rto_seconds / 2 + 20).sum(),
        StageName::Drill => platform.stores.iter().map(|s| s.rto_seconds / 2 + 30).sum(),
    };
    seconds * 1000
}

/// What went wrong before a stage could begin.
fn could_not(recorder: &Recorder, name: StageName, started: u64, why: impl Into<String>) -> StageReport {
    StageReport::inconclusive(name, started, recorder.clock().now_ms(), why)
}
