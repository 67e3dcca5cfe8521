//! Pods that the API server refuses: the controller's `FailedCreate` Events say why.

use super::{Cause, CauseKind, events_of};
use crate::deploy::snapshot::{Snapshot, name};
use crate::deploy::workload::{Workload, WorkloadKind};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Event;

/// Causes from the controllers of `workload`; `sets` are its ReplicaSets.
pub(super) fn causes(snapshot: &Snapshot, workload: &Workload, sets: &[&ReplicaSet]) -> Vec<Cause> {
    if workload.kind != WorkloadKind::Deployment {
        let failed = last_failure(snapshot, workload.kind.as_str(), &workload.name);
        return failed.map(|e| cause(e, &format!("{} {}", workload.kind.as_str(), workload.name))).into_iter().collect();
    }
    // An Event outlives its cause: only a ReplicaSet that lacks pods now is refused now.
    let lacking = |set: &&&ReplicaSet| {
        let wanted = set.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
        let present = set.status.as_ref().map_or(0, |s| s.replicas);
        present < wanted
    };
    let failed = sets.iter().filter(lacking).filter_map(|set| Some((name(*set), last_failure(snapshot, "ReplicaSet", name(*set))?)));
    failed.map(|(set, event)| cause(event, &format!("ReplicaSet {set}"))).collect()
}

/// The last Event of the controller, if it is a failure: a creation that succeeded afterwards takes it back.
fn last_failure<'a>(snapshot: &'a Snapshot, kind: &str, name: &str) -> Option<&'a Event> {
    let events = events_of(snapshot, kind, name);
    let last = events.into_iter().rfind(|e| matches!(e.reason.as_deref(), Some("FailedCreate" | "SuccessfulCreate")))?;
    (last.reason.as_deref() == Some("FailedCreate")).then_some(last)
}

fn cause(event: &Event, subject: &str) -> Cause {
    let message = event.message.as_deref().unwrap_or_default().trim();
    // `Error creating: pods "order-5d-x" is forbidden: exceeded quota: …`: the random name says nothing.
    let bare = message.split_once("is forbidden: ").map_or(message, |(_, rest)| rest);
    let (kind, sentence) = if bare.contains("exceeded quota") || bare.contains("failed quota") {
        (CauseKind::Quota, format!("a ResourceQuota refuses its pods: {bare}"))
    } else if bare.contains("violates PodSecurity") {
        (CauseKind::PodSecurity, format!("Pod Security refuses its pods: {bare}"))
    } else {
        (CauseKind::Admission, format!("the API server refuses its pods: {bare}"))
    };
    // A quota may be freed by pods that are going; the other refusals stay.
    let looks = if kind == CauseKind::Quota { 4 } else { 2 };
    Cause { kind, subject: subject.to_owned(), sentence, certain_after: Some(looks) }
}
