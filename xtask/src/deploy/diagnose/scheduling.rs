//! Pods that no node takes, claims that are not bound, volumes that cannot be mounted, pods that a node put out.

use super::{Cause, CauseKind, events_of, times};
use crate::deploy::snapshot::{Snapshot, name};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};

/// Causes around where `pod` runs.
pub(super) fn causes(snapshot: &Snapshot, pod: &Pod) -> Vec<Cause> {
    let mut causes = Vec::new();
    let subject = format!("pod {}", name(pod));
    let status = pod.status.clone().unwrap_or_default();
    if status.phase.as_deref() == Some("Failed") && status.reason.is_some() {
        let reason = status.reason.clone().unwrap_or_default();
        let message = status.message.clone().unwrap_or_default();
        causes.push(Cause { kind: CauseKind::Evicted, subject: subject.clone(), sentence: format!("the node ended it ({reason}): {message}"), certain_after: None });
    }
    let conditions = status.conditions.unwrap_or_default();
    let unplaced = conditions.iter().find(|c| c.type_ == "PodScheduled" && c.status == "False");
    if let Some(condition) = unplaced {
        let unbound: Vec<_> = claims(snapshot, pod).into_iter().filter(|c| claim_phase(c) != "Bound").collect();
        causes.extend(unbound.into_iter().filter_map(|c| unbound_claim(snapshot, c)));
        let message = condition.message.as_deref().unwrap_or("the scheduler has not said why").trim();
        // The second half tells of preemption, which changes nothing here.
        let short = message.split(" preemption:").next().unwrap_or(message).trim_end_matches('.');
        causes.push(Cause { kind: CauseKind::Scheduling, subject: subject.clone(), sentence: format!("no node takes it: {short}"), certain_after: Some(8) });
    }
    for event in events_of(snapshot, "Pod", name(pod)).into_iter().rev() {
        let message = event.message.as_deref().unwrap_or_default().trim();
        let (kind, sentence) = match event.reason.as_deref() {
            Some("FailedMount") => (CauseKind::Mount, format!("a volume cannot be mounted: {message}")),
            Some("FailedAttachVolume") => (CauseKind::Mount, format!("a volume cannot be attached: {message}")),
            Some("FailedCreatePodSandBox") => (CauseKind::Sandbox, format!("the node cannot make its sandbox: {message}")),
            _ => continue,
        };
        // Once its containers have started, these Events are history.
        if containers_started(pod) {
            break;
        }
        let absent = message.contains("not found") && times(event) >= 3;
        causes.push(Cause { kind, subject, sentence, certain_after: absent.then_some(4) });
        break;
    }
    causes
}

fn containers_started(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let mut all = status.iter().flat_map(|s| s.init_container_statuses.iter().flatten().chain(s.container_statuses.iter().flatten()));
    all.any(|c| c.state.as_ref().is_some_and(|s| s.running.is_some() || s.terminated.is_some()) || c.restart_count > 0)
}

/// The claims that the pod's volumes name. A claim that is missing is told by the scheduler's own message.
fn claims<'a>(snapshot: &'a Snapshot, pod: &Pod) -> Vec<&'a PersistentVolumeClaim> {
    let volumes = pod.spec.iter().flat_map(|s| s.volumes.iter().flatten());
    let named: Vec<_> = volumes.filter_map(|v| v.persistent_volume_claim.as_ref()).map(|c| c.claim_name.as_str()).collect();
    snapshot.claims.iter().filter(|c| named.contains(&name(*c))).collect()
}

/// A claim's phase; `Pending` when it has none yet.
pub fn claim_phase(claim: &PersistentVolumeClaim) -> &str {
    claim.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or("Pending")
}

/// Why a claim is not bound, if its Events tell of a failure. Waiting for its first consumer is no failure.
pub fn unbound_claim(snapshot: &Snapshot, claim: &PersistentVolumeClaim) -> Option<Cause> {
    let events = events_of(snapshot, "PersistentVolumeClaim", name(claim));
    let last = events.into_iter().rfind(|e| matches!(e.reason.as_deref(), Some("ProvisioningFailed" | "FailedBinding")))?;
    let class = claim.spec.as_ref().and_then(|s| s.storage_class_name.as_deref()).unwrap_or("the default one");
    let message = last.message.as_deref().unwrap_or_default().trim();
    let sentence = format!("it is not bound (StorageClass {class}): {message}");
    let subject = format!("PersistentVolumeClaim {}", name(claim));
    Some(Cause { kind: CauseKind::VolumeClaim, subject, sentence, certain_after: Some(6) })
}
