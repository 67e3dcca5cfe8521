//! Why a rollout does not finish: the true cause, from what the cluster says. Pure; the table tests hold objects as the
//! API server gives them.

mod admission;
mod containers;
mod probes;
mod scheduling;
#[cfg(test)]
mod tests;

pub use scheduling::{claim_phase, unbound_claim};

use super::snapshot::{Snapshot, name, owner};
use super::workload::{Workload, WorkloadKind};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{Event, Pod};

/// What kind of cause it is. Ordered: what explains more comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseKind {
    /// The API server refuses the pods: Pod Security.
    PodSecurity,
    /// The API server refuses the pods: a ResourceQuota.
    Quota,
    /// The API server refuses the pods for another reason: LimitRange, webhook, missing ServiceAccount.
    Admission,
    /// A PersistentVolumeClaim is not bound.
    VolumeClaim,
    /// No node takes the pod.
    Scheduling,
    /// The node put the pod out, or refused it.
    Evicted,
    /// A volume cannot be mounted.
    Mount,
    /// A ConfigMap, Secret or key that the container names is missing, or the container's settings are refused.
    Config,
    /// The image cannot be pulled.
    Image,
    /// The container used more memory than its limit.
    OutOfMemory,
    /// The kubelet killed the container because of a probe, or a probe keeps the pod out of service.
    Probe,
    /// The container ends by itself.
    Crash,
    /// The node cannot make the pod's network or sandbox.
    Sandbox,
}

/// One cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What kind.
    pub kind: CauseKind,
    /// What it concerns, such as `pod order-7f9c-x, container order`.
    pub subject: String,
    /// What is wrong, for a person.
    pub sentence: String,
    /// After how many looks in a row (5 s apart) waiting longer makes no sense. `None`: it may still pass.
    pub certain_after: Option<u32>,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.subject, self.sentence)
    }
}

/// The causes that keep `workload` from rolling out, the one that explains most first; one of each kind.
pub fn diagnose(snapshot: &Snapshot, workload: &Workload) -> Vec<Cause> {
    let sets = replica_sets(snapshot, workload);
    let pods = pods(snapshot, workload);
    let mut causes = admission::causes(snapshot, workload, &sets);
    for pod in &pods {
        causes.extend(scheduling::causes(snapshot, pod));
        causes.extend(containers::causes(snapshot, pod));
        causes.extend(probes::causes(snapshot, pod));
    }
    causes.sort_by_key(|c| (c.kind, c.certain_after.is_none()));
    causes.dedup_by_key(|c| c.kind);
    // A container that the kubelet killed for its probe also looks like a crash: the probe is the cause. A container that
    // ends by itself also fails its probes: the crash is the cause.
    let killed = causes.iter().any(|c| c.kind == CauseKind::Probe && c.sentence.contains(probes::KILLED));
    let died = causes.iter().any(|c| matches!(c.kind, CauseKind::Crash | CauseKind::OutOfMemory));
    causes.retain(|c| match c.kind {
        CauseKind::Crash => !killed,
        CauseKind::Probe => killed || !died,
        _ => true,
    });
    causes
}

/// The cause in one sentence; when none is known, what the pods look like. Never empty, never just "timed out".
pub fn explain(snapshot: &Snapshot, workload: &Workload) -> String {
    let causes = diagnose(snapshot, workload);
    if !causes.is_empty() {
        let all: Vec<_> = causes.iter().map(ToString::to_string).collect();
        return format!("{workload}: {}", all.join("; "));
    }
    let pods = pods(snapshot, workload);
    if pods.is_empty() {
        return format!("{workload}: its controller has created no pod and reports no reason");
    }
    let waiting = pods.into_iter().find(|p| !super::snapshot::is_ready(p));
    match waiting {
        None => format!("{workload}: every pod is ready, yet its controller does not report the rollout as finished"),
        Some(pod) => {
            let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or("Pending");
            let last = events_of(snapshot, "Pod", name(pod)).last().map_or("no Event tells more".to_owned(), |e| {
                format!("last Event {}: {}", e.reason.as_deref().unwrap_or("?"), e.message.as_deref().unwrap_or("").trim())
            });
            format!("{workload}: pod {} is {phase} and not ready; {last}", name(pod))
        }
    }
}

/// The active pods that belong to `workload`. Of a Deployment: those of its newest ReplicaSet, when it is known.
pub fn pods<'a>(snapshot: &'a Snapshot, workload: &Workload) -> Vec<&'a Pod> {
    let all = snapshot.pods.iter().filter(|p| p.metadata.deletion_timestamp.is_none());
    match workload.kind {
        WorkloadKind::Deployment => {
            let sets = replica_sets(snapshot, workload);
            let newest = sets.iter().max_by_key(|s| revision(s)).map(|s| name(*s));
            all.filter(|p| newest.is_some() && owner(*p, "ReplicaSet") == newest).collect()
        }
        kind => all.filter(|p| owner(*p, kind.as_str()) == Some(workload.name.as_str())).collect(),
    }
}

fn replica_sets<'a>(snapshot: &'a Snapshot, workload: &Workload) -> Vec<&'a ReplicaSet> {
    let own = |s: &&ReplicaSet| workload.kind == WorkloadKind::Deployment && owner(*s, "Deployment") == Some(workload.name.as_str());
    snapshot.replica_sets.iter().filter(own).collect()
}

fn revision(set: &ReplicaSet) -> u64 {
    let annotations = set.metadata.annotations.as_ref();
    annotations.and_then(|a| a.get("deployment.kubernetes.io/revision")).and_then(|r| r.parse().ok()).unwrap_or(0)
}

/// The Events of an object, oldest first.
fn events_of<'a>(snapshot: &'a Snapshot, kind: &str, name: &str) -> Vec<&'a Event> {
    let of = |o: &k8s_openapi::api::core::v1::ObjectReference| o.kind.as_deref() == Some(kind) && o.name.as_deref() == Some(name);
    let mut events: Vec<_> = snapshot.events.iter().filter(|e| of(&e.involved_object)).collect();
    events.sort_by_key(|e| last_seen_ms(e));
    events
}

fn last_seen_ms(event: &Event) -> i64 {
    let series = event.series.as_ref().and_then(|s| s.last_observed_time.as_ref()).map(|t| t.0.as_millisecond());
    let last = event.last_timestamp.as_ref().map(|t| t.0.as_millisecond());
    let first = event.event_time.as_ref().map(|t| t.0.as_millisecond());
    series.or(last).or(first).unwrap_or(0)
}

/// How often an Event was seen.
fn times(event: &Event) -> i32 {
    event.series.as_ref().and_then(|s| s.count).or(event.count).unwrap_or(1)
}
