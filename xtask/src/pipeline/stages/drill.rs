//! wip
use crate::cluster::Cluster;
use crate::pipeline::Session;
use crate::pipeline::platforms::Chosen;
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::{StageName, StageReport};
/// wip
pub async fn run(_s: &Session, _c: &Chosen, _k: &Cluster, recorder: Recorder) -> StageReport {
    super::could_not(&recorder, StageName::Drill, 0, "not yet")
}
