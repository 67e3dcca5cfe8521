//! Probes that fail: which one, what it asks, what the kubelet saw, and what the container declares.

use super::{Cause, CauseKind, events_of, times};
use crate::deploy::snapshot::{Snapshot, is_ready, name};
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Event, Pod, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Stands in the sentence of a probe for which the kubelet kills the container.
pub(super) const KILLED: &str = "the kubelet restarts it for this";

/// Causes in the probes of `pod`.
pub(super) fn causes(snapshot: &Snapshot, pod: &Pod) -> Vec<Cause> {
    if is_ready(pod) {
        return Vec::new();
    }
    let mut unhealthy: Vec<_> = events_of(snapshot, "Pod", name(pod)).into_iter().filter(|e| e.reason.as_deref() == Some("Unhealthy")).collect();
    // What is newest counts; of equal age, the probe that kills explains the others.
    unhealthy.reverse();
    unhealthy.sort_by_key(|e| kind_of(e).map_or(3, |k| k.weight()));
    unhealthy.into_iter().find_map(|event| cause(snapshot, pod, event)).into_iter().collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ProbeKind {
    Startup,
    Liveness,
    Readiness,
}

impl ProbeKind {
    fn weight(self) -> u8 {
        match self {
            ProbeKind::Startup => 0,
            ProbeKind::Liveness => 1,
            ProbeKind::Readiness => 2,
        }
    }

    fn word(self) -> &'static str {
        match self {
            ProbeKind::Startup => "startup",
            ProbeKind::Liveness => "liveness",
            ProbeKind::Readiness => "readiness",
        }
    }

    fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            ProbeKind::Startup => container.startup_probe.as_ref(),
            ProbeKind::Liveness => container.liveness_probe.as_ref(),
            ProbeKind::Readiness => container.readiness_probe.as_ref(),
        }
    }
}

/// `Readiness probe failed: …` or `Readiness probe errored …`.
fn kind_of(event: &Event) -> Option<ProbeKind> {
    let message = event.message.as_deref()?;
    match message.split_once(" probe ")?.0 {
        "Startup" => Some(ProbeKind::Startup),
        "Liveness" => Some(ProbeKind::Liveness),
        "Readiness" => Some(ProbeKind::Readiness),
        _ => None,
    }
}

fn cause(snapshot: &Snapshot, pod: &Pod, event: &Event) -> Option<Cause> {
    let kind = kind_of(event)?;
    let spec = pod.spec.as_ref()?;
    let path = event.involved_object.field_path.as_deref().unwrap_or_default();
    let told = path.split_once('{').map(|(_, rest)| rest.trim_end_matches('}'));
    let mut all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let container = all.find(|c| kind.of(c).is_some() && told.is_none_or(|t| t == c.name))?;
    let probe = kind.of(container)?;
    let status = status(pod, &container.name);
    let restarts = status.map_or(0, |s| s.restart_count);
    let kills = kind != ProbeKind::Readiness && restarts > 0 && killed(snapshot, pod, &container.name, kind);
    // Every slow start fails its startup probe a few times. Once it has started, that is history.
    if kind == ProbeKind::Startup && !kills && status.is_some_and(|s| s.started == Some(true)) {
        return None;
    }

    let mut sentence = format!("{} probe ({}) fails: {}", kind.word(), asks(probe), seen(event));
    let undeclared = undeclared_port(probe, container);
    if let Some((port, declared)) = &undeclared {
        sentence.push_str(&format!("; nothing is declared on port {port}, the container declares {declared}"));
    }
    if kills {
        sentence.push_str(&format!("; {KILLED} ({restarts} restarts)"));
    }
    // A slow start also fails its probe. A port that the container does not even declare will not open by waiting.
    let enough = times(event) >= probe.failure_threshold.unwrap_or(3).max(3);
    let certain_after = if undeclared.is_some() && enough || kills && restarts >= 4 { Some(3) } else { None };
    let subject = format!("pod {}, container {}", name(pod), container.name);
    Some(Cause { kind: CauseKind::Probe, subject, sentence, certain_after })
}

fn status<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerStatus> {
    let statuses = pod.status.iter().flat_map(|s| s.container_statuses.iter().flatten().chain(s.init_container_statuses.iter().flatten()));
    statuses.into_iter().find(|c| c.name == container)
}

/// Whether the kubelet said that it restarts the container because of this kind of probe.
fn killed(snapshot: &Snapshot, pod: &Pod, container: &str, kind: ProbeKind) -> bool {
    let said = format!("Container {container} failed {} probe", kind.word());
    let events = events_of(snapshot, "Pod", name(pod));
    events.into_iter().any(|e| e.reason.as_deref() == Some("Killing") && e.message.as_deref().unwrap_or_default().starts_with(&said))
}

fn port_text(port: &IntOrString) -> String {
    match port {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(name) => name.clone(),
    }
}

/// What the probe asks, such as `GET /health/ready on port 8080`.
fn asks(probe: &Probe) -> String {
    if let Some(get) = &probe.http_get {
        return format!("GET {} on port {}", get.path.as_deref().unwrap_or("/"), port_text(&get.port));
    }
    if let Some(socket) = &probe.tcp_socket {
        return format!("TCP on port {}", port_text(&socket.port));
    }
    if let Some(grpc) = &probe.grpc {
        return format!("gRPC on port {}", grpc.port);
    }
    let command = probe.exec.as_ref().and_then(|e| e.command.clone()).unwrap_or_default();
    format!("exec {}", command.join(" "))
}

/// What the kubelet saw, without the pod's address.
fn seen(event: &Event) -> String {
    let message = event.message.as_deref().unwrap_or_default().trim();
    let detail = message.split_once(" probe ").map_or(message, |(_, rest)| rest);
    let detail = detail.strip_prefix("failed: ").or_else(|| detail.strip_prefix("errored: ")).unwrap_or(detail);
    for (mark, word) in [("connection refused", "connection refused"), ("i/o timeout", "no answer (timeout)"), ("context deadline exceeded", "no answer in time"), ("no route to host", "no route to the pod")] {
        if detail.contains(mark) {
            return word.to_owned();
        }
    }
    match detail.split_once("HTTP probe failed with statuscode: ") {
        Some((_, code)) => format!("it answers {code}"),
        None => detail.to_owned(),
    }
}

/// The probe's port and the declared ports, when the probe's is not among them (and some are declared).
fn undeclared_port(probe: &Probe, container: &Container) -> Option<(String, String)> {
    let port = probe.http_get.as_ref().map(|g| g.port.clone()).or_else(|| probe.tcp_socket.as_ref().map(|s| s.port.clone()));
    let port = port.or_else(|| probe.grpc.as_ref().map(|g| IntOrString::Int(g.port)))?;
    let declared = container.ports.as_deref().unwrap_or_default();
    let known = declared.iter().any(|p| match &port {
        IntOrString::Int(number) => p.container_port == *number,
        IntOrString::String(name) => p.name.as_deref() == Some(name),
    });
    if known || declared.is_empty() {
        return None;
    }
    let list: Vec<_> = declared.iter().map(|p| p.container_port.to_string()).collect();
    Some((port_text(&port), format!("containerPort {}", list.join(", "))))
}
