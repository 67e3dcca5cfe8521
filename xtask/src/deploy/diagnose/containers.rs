//! Containers that do not start or do not stay: image, settings, memory, crash.

use super::{Cause, CauseKind, events_of, times};
use crate::deploy::snapshot::{Snapshot, name};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Pod};

/// How many of the last log lines stand in a sentence.
const QUOTED_LINES: usize = 3;

/// Causes in the containers of `pod`, init containers first: while one of them fails, the others have not begun.
pub(super) fn causes(snapshot: &Snapshot, pod: &Pod) -> Vec<Cause> {
    let Some(status) = &pod.status else { return Vec::new() };
    let init = status.init_container_statuses.iter().flatten().map(|c| (true, c));
    let main = status.container_statuses.iter().flatten().map(|c| (false, c));
    let found = init.chain(main).filter(|(_, c)| !c.ready).filter_map(|(init, c)| cause(snapshot, pod, init, c));
    found.collect()
}

fn cause(snapshot: &Snapshot, pod: &Pod, init: bool, container: &ContainerStatus) -> Option<Cause> {
    let role = if init { "init container" } else { "container" };
    let subject = format!("pod {}, {role} {}", name(pod), container.name);
    let state = container.state.as_ref();
    let ended = |s: &k8s_openapi::api::core::v1::ContainerState| s.terminated.clone().filter(|t| t.exit_code != 0);
    if let Some(waiting) = state.and_then(|s| s.waiting.as_ref())
        && let Some((kind, sentence, certain_after)) = waits(snapshot, pod, container, waiting)
    {
        return Some(Cause { kind, subject, sentence, certain_after });
    }
    // An init container that ended well is not ready and has nothing wrong.
    if state.and_then(|s| s.terminated.as_ref()).is_some_and(|t| t.exit_code == 0) {
        return None;
    }
    let end = state.and_then(ended).or_else(|| container.last_state.as_ref().and_then(ended))?;
    let lines = snapshot.logs.get(&(name(pod).to_owned(), container.name.clone()));
    let (kind, sentence) = death(pod, container, &end, lines.map(String::as_str));
    // The first restarts may only mean that a store is not up yet.
    let certain_after = (container.restart_count >= 4).then_some(1);
    Some(Cause { kind, subject, sentence, certain_after })
}

fn waits(snapshot: &Snapshot, pod: &Pod, container: &ContainerStatus, waiting: &ContainerStateWaiting) -> Option<(CauseKind, String, Option<u32>)> {
    let message = waiting.message.as_deref().unwrap_or_default().trim();
    let reason = waiting.reason.as_deref().unwrap_or_default();
    match reason {
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError" | "RegistryUnavailable" => {
            let image = image(pod, container);
            let why = pull_failure(snapshot, pod, &image).unwrap_or_else(|| message.to_owned());
            // Backing off means that the pull failed more than once.
            let looks = if reason == "ErrImagePull" { 4 } else { 2 };
            Some((CauseKind::Image, format!("image {image} cannot be pulled ({reason}): {why}"), Some(looks)))
        }
        "CreateContainerConfigError" => {
            let seen = events_of(snapshot, "Pod", name(pod)).into_iter().filter(|e| e.message.as_deref().unwrap_or_default().contains(message));
            let often = seen.map(times).max().unwrap_or(0) >= 3;
            Some((CauseKind::Config, format!("it cannot be made: {message}"), often.then_some(2)))
        }
        "CreateContainerError" | "RunContainerError" | "PreCreateHookError" => Some((CauseKind::Config, format!("it cannot be started ({reason}): {message}"), Some(4))),
        _ => None,
    }
}

/// The image as the pod names it: the status shows it only once it is there.
fn image(pod: &Pod, container: &ContainerStatus) -> String {
    let spec = pod.spec.as_ref();
    let mut all = spec.iter().flat_map(|s| s.containers.iter().chain(s.init_containers.iter().flatten()));
    let named = all.find(|c| c.name == container.name).and_then(|c| c.image.clone());
    named.unwrap_or_else(|| container.image.clone())
}

/// What the registry or the runtime said, from the kubelet's Event; the waiting message may only say that it backs off.
fn pull_failure(snapshot: &Snapshot, pod: &Pod, image: &str) -> Option<String> {
    let events = events_of(snapshot, "Pod", name(pod));
    let is_pull = |m: &str| m.starts_with("Failed to pull image") && m.contains(image) || m.starts_with("Container image") && m.contains("not present");
    let message = events.into_iter().rev().filter_map(|e| e.message.as_deref()).find(|m| is_pull(m))?;
    Some(message.split_once("\": ").map_or(message, |(_, why)| why).trim().to_owned())
}

fn death(pod: &Pod, container: &ContainerStatus, end: &ContainerStateTerminated, log: Option<&str>) -> (CauseKind, String) {
    let restarts = container.restart_count;
    if end.reason.as_deref() == Some("OOMKilled") {
        let limit = memory_limit(pod, &container.name).map_or("no memory limit of its own".to_owned(), |l| format!("its memory limit is {l}"));
        return (CauseKind::OutOfMemory, format!("it was killed for memory (OOMKilled, {restarts} restarts); {limit}"));
    }
    let mut sentence = format!("it ends with exit code {} ({restarts} restarts)", end.exit_code);
    if let Some(signal) = end.signal.filter(|s| *s != 0) {
        sentence.push_str(&format!(", signal {signal}"));
    }
    if matches!(end.reason.as_deref(), Some("StartError" | "ContainerCannotRun")) {
        sentence = "its command cannot be started".to_owned();
    }
    let last: Vec<_> = log.into_iter().flat_map(str::lines).map(str::trim).filter(|l| !l.is_empty()).collect();
    let said = last[last.len().saturating_sub(QUOTED_LINES)..].join(" | ");
    match (end.message.as_deref().map(str::trim).filter(|m| !m.is_empty()), said.is_empty()) {
        (Some(message), _) => sentence.push_str(&format!(": {message}")),
        (None, false) => sentence.push_str(&format!("; its last log lines: {said}")),
        (None, true) => sentence.push_str("; it logged nothing"),
    }
    (CauseKind::Crash, sentence)
}

fn memory_limit(pod: &Pod, container: &str) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let found = spec.containers.iter().chain(spec.init_containers.iter().flatten()).find(|c| c.name == container)?;
    Some(found.resources.as_ref()?.limits.as_ref()?.get("memory")?.0.clone())
}
