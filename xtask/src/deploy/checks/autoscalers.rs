//! Every HorizontalPodAutoscaler sees its metrics.
//!
//! A metrics API that is dead is the cluster's fault and leaves nothing to judge; a container without a request, a target
//! that cannot be scaled, or a metric that an API in good order has no value of, is the platform's.

use super::not_applicable;
use crate::deploy::snapshot::{Snapshot, is_active, metrics_group, name, owner};
use gauntlet_reports::run::Assertion;
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition, MetricSpec, MetricStatus};
use k8s_openapi::api::core::v1::Pod;
use std::collections::BTreeSet;

const ID: &str = "deploy.hpa_sees_metrics";
const EXPECTED: &str = "each HPA: ScalingActive, and a current value for each of its metrics";

/// How well an autoscaler sees.
enum Sight {
    Sees(String),
    /// The platform's fault. True: waiting changes nothing.
    Fault(String, bool),
    /// The cluster does not serve metrics, or not yet.
    Missing(String),
}

/// `deploy.hpa_sees_metrics`, and whether waiting longer makes no sense.
pub fn see_metrics(snapshot: &Snapshot) -> (Assertion, bool) {
    if snapshot.autoscalers.is_empty() {
        return (not_applicable(ID, EXPECTED, "the platform has no HorizontalPodAutoscaler"), true);
    }
    let (mut seen, mut faults, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    let mut last_word = false;
    for autoscaler in &snapshot.autoscalers {
        let named = |text: String| format!("{}: {text}", name(autoscaler));
        match sight(snapshot, autoscaler) {
            Sight::Sees(text) => seen.push(named(text)),
            Sight::Missing(text) => missing.push(named(text)),
            Sight::Fault(text, certain) => {
                last_word |= certain;
                faults.push(named(text));
            }
        }
    }
    if !faults.is_empty() {
        return (Assertion::fail(ID, EXPECTED, seen.join("; "), faults.join("; ")), last_word);
    }
    if !missing.is_empty() {
        return (Assertion::inconclusive(ID, EXPECTED, missing.join("; ")), false);
    }
    (Assertion::pass(ID, EXPECTED, seen.join("; ")), true)
}

fn sight(snapshot: &Snapshot, autoscaler: &HorizontalPodAutoscaler) -> Sight {
    let Some(spec) = &autoscaler.spec else { return Sight::Fault("it has no spec".into(), true) };
    let metrics = spec.metrics.as_deref().unwrap_or_default();
    let pods = targets(snapshot, &spec.scale_target_ref.kind, &spec.scale_target_ref.name);
    for metric in metrics {
        if let Some((resource, only)) = utilization(metric)
            && let Some(pod) = pods.iter().find_map(|p| without_request(p, resource, only))
        {
            return Sight::Fault(format!("it scales on {resource} utilization, but {pod} requests no {resource}"), true);
        }
    }
    let status = autoscaler.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let condition = |kind: &str| conditions.iter().find(|c| c.type_ == kind);
    if let Some(unable) = condition("AbleToScale").filter(|c| c.status == "False" && c.reason.as_deref() == Some("FailedGetScale")) {
        let target = format!("{} {}", spec.scale_target_ref.kind, spec.scale_target_ref.name);
        return Sight::Fault(format!("it cannot scale {target}: {}", message(unable)), false);
    }
    if let Some(refused) = condition("ScalingActive").filter(|c| c.status == "False") {
        let reason = refused.reason.as_deref().unwrap_or_default();
        if matches!(reason, "ScalingDisabled" | "InvalidSelector" | "AmbiguousSelector" | "InvalidMetricSourceType") {
            return Sight::Fault(format!("{reason}: {}", message(refused)), false);
        }
        if message(refused).contains("missing request for") {
            return Sight::Fault(message(refused).to_owned(), false);
        }
    }
    let current = status.current_metrics.unwrap_or_default();
    let blind: Vec<_> = metrics.iter().filter(|m| !current.iter().any(|c| shows(c, m))).collect();
    if let Some(metric) = blind.first() {
        let said = condition("ScalingActive").filter(|c| c.status == "False").map(message);
        return absence(snapshot, metric, &spec.scale_target_ref.name, said);
    }
    match condition("ScalingActive") {
        Some(active) if active.status == "True" => Sight::Sees(format!("ScalingActive, {} of {} metrics", metrics.len(), metrics.len())),
        Some(refused) => Sight::Missing(message(refused).to_owned()),
        None => Sight::Missing("its controller has not looked at it yet".into()),
    }
}

fn message(condition: &HorizontalPodAutoscalerCondition) -> &str {
    condition.message.as_deref().unwrap_or("no message").trim()
}

/// The metric's name; empty when it has none.
fn metric_name(metric: &MetricSpec) -> String {
    let named = metric.resource.as_ref().map(|r| r.name.clone());
    let named = named.or_else(|| metric.container_resource.as_ref().map(|r| format!("{} of container {}", r.name, r.container)));
    let named = named.or_else(|| metric.pods.as_ref().map(|p| p.metric.name.clone()));
    let named = named.or_else(|| metric.object.as_ref().map(|o| o.metric.name.clone()));
    let named = named.or_else(|| metric.external.as_ref().map(|e| e.metric.name.clone()));
    named.unwrap_or_default()
}

/// The resource, and the one container it is about, when the target is a share of the request.
fn utilization(metric: &MetricSpec) -> Option<(&str, Option<&str>)> {
    if let Some(resource) = &metric.resource {
        return (resource.target.type_ == "Utilization").then_some((&resource.name, None));
    }
    let resource = metric.container_resource.as_ref()?;
    (resource.target.type_ == "Utilization").then_some((&resource.name, Some(&resource.container)))
}

/// The container of `pod` that requests no `resource`. Limits count: the API server makes them requests.
fn without_request(pod: &Pod, resource: &str, only: Option<&str>) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let sidecars = spec.init_containers.iter().flatten().filter(|c| c.restart_policy.as_deref() == Some("Always"));
    let mut asked = spec.containers.iter().chain(sidecars).filter(|c| only.is_none_or(|o| o == c.name));
    let lacking = asked.find(|c| !c.resources.as_ref().and_then(|r| r.requests.as_ref()).is_some_and(|r| r.contains_key(resource)))?;
    Some(format!("container {} of pod {}", lacking.name, name(pod)))
}

/// The active pods of the scale target.
fn targets<'a>(snapshot: &'a Snapshot, kind: &str, target: &str) -> Vec<&'a Pod> {
    let of_set = |set: &str| snapshot.replica_sets.iter().any(|s| name(s) == set && owner(s, "Deployment") == Some(target));
    let belongs = |p: &&Pod| match kind {
        "Deployment" => owner(*p, "ReplicaSet").is_some_and(of_set),
        other => owner(*p, other) == Some(target),
    };
    snapshot.pods.iter().filter(|p| is_active(p)).filter(belongs).collect()
}

/// Whether a status carries a value of this very metric.
fn shows(status: &MetricStatus, metric: &MetricSpec) -> bool {
    let value = |current: &k8s_openapi::api::autoscaling::v2::MetricValueStatus| {
        current.average_utilization.is_some() || current.average_value.is_some() || current.value.is_some()
    };
    if status.type_ != metric.type_ {
        return false;
    }
    match (&metric.resource, &metric.container_resource, &metric.pods, &metric.object, &metric.external) {
        (Some(m), ..) => status.resource.as_ref().is_some_and(|s| s.name == m.name && value(&s.current)),
        (_, Some(m), ..) => status.container_resource.as_ref().is_some_and(|s| s.name == m.name && s.container == m.container && value(&s.current)),
        (_, _, Some(m), ..) => status.pods.as_ref().is_some_and(|s| s.metric.name == m.metric.name && value(&s.current)),
        (_, _, _, Some(m), _) => status.object.as_ref().is_some_and(|s| s.metric.name == m.metric.name && value(&s.current)),
        (_, _, _, _, Some(m)) => status.external.as_ref().is_some_and(|s| s.metric.name == m.metric.name && value(&s.current)),
        _ => false,
    }
}

/// Why a metric has no value: the aggregated API that serves its type, else what that serves instead, else what the controller
/// said. A resource metric that is missing is the cluster's: kubelets give it for every container that runs.
fn absence(snapshot: &Snapshot, metric: &MetricSpec, target: &str, said: Option<&str>) -> Sight {
    let (group, wanted) = (metrics_group(&metric.type_), metric_name(metric));
    let no_value = format!("no value for {} {wanted}", metric.type_);
    let serving = snapshot.api_services.iter().find(|a| a.spec.as_ref().and_then(|s| s.group.as_deref()) == Some(group));
    let Some(api) = serving else {
        return Sight::Missing(format!("{no_value}: the cluster serves no {group} API (no APIService)"));
    };
    let conditions = api.status.iter().flat_map(|s| s.conditions.iter().flatten());
    let down = conditions.into_iter().find(|c| c.type_ == "Available" && c.status != "True");
    if let Some(down) = down {
        let why = down.message.as_deref().unwrap_or("no message");
        return Sight::Missing(format!("{no_value}: APIService {} is not available: {why}", name(api)));
    }
    let served = snapshot.metrics_served.get(group).map(|all| all.iter().map(|n| n.rsplit('/').next().unwrap_or(n)).collect::<BTreeSet<_>>());
    match (served, said) {
        (Some(served), _) if !served.is_empty() && !served.contains(wanted.as_str()) => {
            let known = served.into_iter().collect::<Vec<_>>().join(", ");
            Sight::Fault(format!("{no_value}: APIService {} answers and serves no such metric; it serves: {known}", name(api)), false)
        }
        (Some(served), said) if !served.is_empty() => {
            let said = said.map_or(String::new(), |s| format!(": {s}"));
            Sight::Fault(format!("{no_value}: APIService {} serves it, but not for {target}{said}", name(api)), false)
        }
        (Some(_), _) => Sight::Missing(format!("{no_value}: APIService {} answers, but serves no metric at all", name(api))),
        (None, Some(said)) => Sight::Missing(format!("{no_value}: {said}")),
        (None, None) => Sight::Missing(format!("{no_value} yet, though APIService {} is available", name(api))),
    }
}

#[cfg(test)]
#[path = "autoscalers_tests.rs"]
mod tests;
