//! The rollout, watched until it is finished, its end is certain, or time is up.

use super::diagnose::{CauseKind, diagnose, explain};
use super::snapshot::Snapshot;
use super::workload::{Goal, Progress, Workload, WorkloadKind, progress};
use futures::{Stream, StreamExt, stream};
use gauntlet_reports::recorder::Recorder;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::runtime::{WatchStreamExt, watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How a rollout ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every workload is rolled out.
    Finished,
    /// It will not finish, or did not in time: the cause of each workload that is behind.
    Stuck {
        /// One sentence for each workload that is behind.
        causes: Vec<String>,
        /// True when it was given up before time was up, because the cause was certain.
        early: bool,
    },
    /// The run was stopped.
    Stopped,
}

/// How long a rollout is watched.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest wait.
    pub timeout: Duration,
    /// How often an unfinished rollout is looked into.
    pub look_every: Duration,
}

type States = BTreeMap<Workload, Progress>;
type Changes = Pin<Box<dyn Stream<Item = (Workload, Progress)> + Send>>;

/// Watches the workloads of `goal` until all are rolled out. An unfinished rollout is diagnosed at every look; the wait ends early
/// when a cause is certain or the Deployment's own deadline is over.
///
/// # Errors
/// When the API server cannot be asked for the diagnosis at the end.
pub async fn wait(client: &Client, goal: &Goal, limits: Limits, recorder: &Recorder, stop: &CancellationToken) -> Result<Outcome, kube::Error> {
    let wanted = &goal.workloads;
    let mut states = States::new();
    let mut changes = watch(client, wanted);
    let mut certainty = Certainty::default();
    let end = tokio::time::sleep(limits.timeout);
    tokio::pin!(end);
    let mut looks = tokio::time::interval(limits.look_every);
    looks.tick().await;
    loop {
        if wanted.iter().all(|w| states.get(w).is_some_and(|p| p.finished)) {
            return Ok(Outcome::Finished);
        }
        let early = tokio::select! {
            () = stop.cancelled() => return Ok(Outcome::Stopped),
            () = &mut end => false,
            Some((workload, progress)) = changes.next() => {
                let progress = goal.measure(&workload, progress);
                if wanted.contains(&workload) && states.get(&workload) != Some(&progress) {
                    recorder.progress(format!("{}/{} pods ready of {} {}", progress.ready, progress.wanted, workload.kind.as_str(), workload.name));
                    states.insert(workload, progress);
                }
                continue;
            }
            _ = looks.tick() => {
                // A look that fails is no news: the next one, or the end, will tell.
                let certain = certainty.look(client, wanted, &states).await.unwrap_or(false);
                if !certain && !states.values().any(|p| p.gave_up) {
                    continue;
                }
                true
            }
        };
        return Ok(Outcome::Stuck { causes: causes(client, wanted, &states).await?, early });
    }
}

/// How often in a row each cause was seen.
#[derive(Default)]
struct Certainty {
    seen: BTreeMap<(Workload, CauseKind, String), u32>,
}

impl Certainty {
    async fn look(&mut self, client: &Client, wanted: &BTreeSet<Workload>, states: &States) -> Result<bool, kube::Error> {
        let snapshots = snapshots(client, wanted, states).await?;
        let mut now = BTreeMap::new();
        let mut certain = false;
        for workload in unfinished(wanted, states) {
            let Some(snapshot) = snapshots.get(&workload.namespace) else { continue };
            for cause in diagnose(snapshot, workload) {
                let key = (workload.clone(), cause.kind, cause.subject);
                let times = self.seen.get(&key).copied().unwrap_or(0) + 1;
                certain |= cause.certain_after.is_some_and(|enough| times >= enough);
                now.insert(key, times);
            }
        }
        self.seen = now;
        Ok(certain)
    }
}

fn unfinished<'a>(wanted: &'a BTreeSet<Workload>, states: &'a States) -> impl Iterator<Item = &'a Workload> {
    wanted.iter().filter(|w| !states.get(w).is_some_and(|p| p.finished))
}

async fn snapshots(client: &Client, wanted: &BTreeSet<Workload>, states: &States) -> Result<BTreeMap<String, Snapshot>, kube::Error> {
    let namespaces: BTreeSet<_> = unfinished(wanted, states).map(|w| w.namespace.clone()).collect();
    let mut snapshots = BTreeMap::new();
    for namespace in namespaces {
        let snapshot = Snapshot::for_diagnosis(client, &namespace).await?;
        snapshots.insert(namespace, snapshot);
    }
    Ok(snapshots)
}

async fn causes(client: &Client, wanted: &BTreeSet<Workload>, states: &States) -> Result<Vec<String>, kube::Error> {
    let snapshots = snapshots(client, wanted, states).await?;
    let explained = unfinished(wanted, states).filter_map(|w| {
        let cause = explain(snapshots.get(&w.namespace)?, w);
        let missing = states.get(w).map_or("the object is not there", |p| p.missing.as_str());
        Some(format!("{cause} ({missing})"))
    });
    Ok(explained.collect())
}

/// One watch for each kind and namespace that is wanted.
fn watch(client: &Client, wanted: &BTreeSet<Workload>) -> Changes {
    let watched: BTreeSet<(WorkloadKind, String)> = wanted.iter().map(|w| (w.kind, w.namespace.clone())).collect();
    let streams = watched.into_iter().map(|(kind, namespace)| {
        let gvk = GroupVersionKind::gvk("apps", "v1", kind.as_str());
        let resource = ApiResource::from_gvk_with_plural(&gvk, kind.plural());
        let api = Api::<DynamicObject>::namespaced_with(client.clone(), &namespace, &resource);
        // The watcher lists again after every failure, with back-off: an error here is never the last word.
        let objects = watcher(api, watcher::Config::default()).default_backoff().applied_objects();
        let changes = objects.filter_map(move |object| {
            let namespace = namespace.clone();
            async move {
                let object = serde_json::to_value(object.ok()?).ok()?;
                let name = object.pointer("/metadata/name")?.as_str()?.to_owned();
                Some((Workload { kind, namespace, name }, progress(kind, &object)))
            }
        });
        changes.boxed()
    });
    stream::select_all(streams).boxed()
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
