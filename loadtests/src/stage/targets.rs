//! The HPAs that the load must move, each with its own observer.

use super::{Cut, LoadStage, chain};
use crate::oracle::observation::Observation;
use crate::oracle::observe::Observer;
use crate::oracle::target::TargetError;
use futures::future::{FutureExt, select_all};
use gauntlet_fixtures::platform::{Load, ScaleTarget};
use gauntlet_reports::run::Assertion;
use tokio::sync::watch;

/// One HPA under watch.
pub(super) struct Watched<'a> {
    pub(super) target: &'a ScaleTarget,
    /// Replicas that the push must reach at least.
    pub(super) expect: i32,
    /// What its assertions' ids begin with.
    pub(super) prefix: String,
    pub(super) observer: Observer,
}

/// All of them, in the order of platform.yaml.
pub(super) struct Targets<'a>(pub(super) Vec<Watched<'a>>);

/// What the ids of an HPA's assertions begin with: its name is in them only where there are several.
pub(super) fn prefix(load: &Load, hpa: &str) -> String {
    if load.targets.len() > 1 { format!("hpa.{hpa}") } else { "hpa".to_owned() }
}

impl<'a> Targets<'a> {
    /// Begins to watch every target of the load.
    pub(super) async fn start(ctx: &LoadStage<'_>, load: &'a Load, profile: &str) -> Result<Self, Cut> {
        let mut all = Vec::new();
        for target in &load.targets {
            let prefix = prefix(load, &target.hpa);
            let expect = target.expect_replicas.get(profile).copied().unwrap_or(1);
            let start = Observer::start(ctx.client.clone(), &ctx.platform.namespace, &target.hpa, ctx.controller, ctx.recorder.clone());
            let observer = ctx.or_stop(start).await?.map_err(|error| no_target(&prefix, &target.hpa, &error))?;
            all.push(Watched { target, expect: i32::try_from(expect).unwrap_or(i32::MAX), prefix, observer });
        }
        Ok(Targets(all))
    }

    /// Waits until `holds` is true of every target at the same time; with `every` false, until it is not.
    pub(super) async fn until(&self, every: bool, holds: impl Fn(&Watched<'_>, &Observation) -> bool) {
        let mut seen: Vec<_> = self.0.iter().map(|w| w.observer.watch()).collect();
        loop {
            // Each is looked at, also after one that does not hold: what was not looked at counts as changed for ever.
            let states = self.0.iter().zip(&mut seen).map(|(watched, seen)| holds(watched, &seen.borrow_and_update()));
            if states.fold(true, |sum, one| sum & one) == every {
                return;
            }
            changed(&mut seen).await;
        }
    }

    /// What each saw so far.
    pub(super) fn now(&self) -> Vec<(&Watched<'a>, Observation)> {
        self.0.iter().map(|w| (w, w.observer.watch().borrow().clone())).collect()
    }
}

/// Waits until one of them changes. An observer that ended never does.
async fn changed(seen: &mut [watch::Receiver<Observation>]) {
    if seen.is_empty() {
        return std::future::pending().await;
    }
    select_all(seen.iter_mut().map(|one| wait(one).boxed())).await;
}

async fn wait(one: &mut watch::Receiver<Observation>) {
    if one.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn no_target(prefix: &str, hpa: &str, error: &TargetError) -> Cut {
    match error {
        TargetError::Api { what, cause: kube::Error::Api(status) } if status.code == 404 => {
            let expected = format!("the HPA {hpa} and its target exist");
            let reason = format!("{what} is not in the cluster");
            Cut::Settled(Box::new(Assertion::fail(format!("{prefix}.sees_metrics"), expected, "not found", reason)))
        }
        other => Cut::Inconclusive(format!("cannot {}", chain(other))),
    }
}
