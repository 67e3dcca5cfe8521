//! The endpoints of every Service are exactly its ready pods.

use super::not_applicable;
use crate::deploy::snapshot::{Snapshot, is_active, is_ready, name};
use gauntlet_reports::run::Assertion;
use k8s_openapi::api::core::v1::{Pod, Service};
use std::collections::BTreeSet;

/// `deploy.endpoints_equal_ready_pods`: for each Service with a selector, the ready endpoints of its EndpointSlices are
/// the Ready pods that it selects; with `publishNotReadyAddresses`, all running pods that it selects.
pub fn equal_ready_pods(snapshot: &Snapshot) -> Assertion {
    let (id, expected) = ("deploy.endpoints_equal_ready_pods", "each Service's endpoints are its ready pods, at least one");
    let services: Vec<_> = snapshot.services.iter().filter(|s| selector(s).is_some()).collect();
    if services.is_empty() {
        return not_applicable(id, expected, "no Service selects pods");
    }
    let mut measured = Vec::new();
    let mut wrong = Vec::new();
    for service in services {
        let pods = selected(snapshot, service);
        let endpoints = endpoints(snapshot, name(service));
        measured.push(format!("{}: {} endpoints, {} pods", name(service), endpoints.len(), pods.len()));
        let missing: Vec<_> = pods.difference(&endpoints).copied().collect();
        let extra: Vec<_> = endpoints.difference(&pods).copied().collect();
        if pods.is_empty() {
            wrong.push(format!("Service {} selects no ready pod", name(service)));
        } else if !missing.is_empty() && endpoints.is_empty() {
            let hint = unresolved_port(snapshot, service).unwrap_or_default();
            wrong.push(format!("Service {} has no endpoint for its {} ready pods{hint}", name(service), pods.len()));
        } else if !missing.is_empty() {
            wrong.push(format!("Service {} lacks an endpoint for {}", name(service), missing.join(", ")));
        } else if !extra.is_empty() {
            wrong.push(format!("Service {} has an endpoint for {}, which is not ready", name(service), extra.join(", ")));
        }
    }
    Assertion::check(id, wrong.is_empty(), expected, measured.join("; "), wrong.join("; "))
}

fn selector(service: &Service) -> Option<Vec<(&String, &String)>> {
    let spec = service.spec.as_ref()?;
    let selector = spec.selector.as_ref().filter(|s| !s.is_empty() && spec.type_.as_deref() != Some("ExternalName"))?;
    Some(selector.iter().collect())
}

fn matches(pod: &Pod, service: &Service) -> bool {
    let labels = pod.metadata.labels.as_ref();
    selector(service).is_some_and(|wanted| wanted.into_iter().all(|(k, v)| labels.and_then(|l| l.get(k)) == Some(v)))
}

fn selected<'a>(snapshot: &'a Snapshot, service: &Service) -> BTreeSet<&'a str> {
    let all = service.spec.as_ref().and_then(|s| s.publish_not_ready_addresses) == Some(true);
    let has_address = |p: &Pod| p.status.as_ref().is_some_and(|s| s.pod_ip.is_some());
    let counts = |p: &&Pod| matches(p, service) && (is_ready(p) || all && is_active(p) && has_address(p));
    snapshot.pods.iter().filter(counts).map(name).collect()
}

fn endpoints<'a>(snapshot: &'a Snapshot, service: &str) -> BTreeSet<&'a str> {
    let of = |s: &&k8s_openapi::api::discovery::v1::EndpointSlice| {
        s.metadata.labels.as_ref().and_then(|l| l.get("kubernetes.io/service-name")).map(String::as_str) == Some(service)
    };
    let all = snapshot.slices.iter().filter(of).filter(|s| s.ports.as_ref().is_none_or(|p| !p.is_empty()));
    let ready = all.flat_map(|s| &s.endpoints).filter(|e| e.conditions.as_ref().and_then(|c| c.ready) != Some(false));
    ready.filter_map(|e| e.target_ref.as_ref()?.name.as_deref()).collect()
}

/// A named targetPort that no selected pod declares leaves a Service without endpoints, silently.
fn unresolved_port(snapshot: &Snapshot, service: &Service) -> Option<String> {
    use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
    let pods: Vec<_> = snapshot.pods.iter().filter(|p| matches(p, service)).collect();
    let declared = |wanted: &str| {
        let containers = pods.iter().flat_map(|p| p.spec.iter()).flat_map(|s| &s.containers);
        containers.flat_map(|c| c.ports.iter().flatten()).any(|p| p.name.as_deref() == Some(wanted))
    };
    let named = service.spec.as_ref()?.ports.iter().flatten().filter_map(|p| match &p.target_port {
        Some(IntOrString::String(port)) => Some(port.as_str()),
        _ => None,
    });
    let unknown = named.into_iter().find(|port| !declared(port))?;
    Some(format!(": its targetPort {unknown:?} is the name of no port of these pods"))
}

#[cfg(test)]
mod tests {
    use super::super::objects::{pod, typed};
    use super::*;
    use gauntlet_reports::verdict::Verdict;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn snapshot(pods: Vec<Value>, spec: Value, endpoints: &[(&str, bool)]) -> Snapshot {
        let list: Vec<_> = endpoints.iter().map(|(n, r)| json!({"addresses": ["10.0.0.1"], "conditions": {"ready": r}, "targetRef": {"kind": "Pod", "name": n}})).collect();
        let slice = json!({"metadata": {"name": "order-x", "labels": {"kubernetes.io/service-name": "order"}}, "addressType": "IPv4", "endpoints": list, "ports": [{"port": 8080}]});
        Snapshot {
            pods: pods.into_iter().map(typed).collect(),
            services: vec![typed(json!({"metadata": {"name": "order"}, "spec": spec}))],
            slices: vec![typed(slice)],
            ..Snapshot::default()
        }
    }

    fn plain() -> Value {
        json!({"selector": {"app": "order"}, "ports": [{"port": 80, "targetPort": 8080}]})
    }

    #[rstest]
    #[case::equal(plain(), true, &[("a", true), ("b", true)], "")]
    #[case::missing(plain(), true, &[("a", true)], "Service order lacks an endpoint for b")]
    #[case::not_ready_pod_is_out(plain(), false, &[("a", true), ("b", false)], "")]
    #[case::stale(plain(), false, &[("a", true), ("b", true)], "Service order has an endpoint for b, which is not ready")]
    #[case::published_unready(json!({"selector": {"app": "order"}, "publishNotReadyAddresses": true}), false, &[("a", true), ("b", true)], "")]
    #[case::wrong_selector(json!({"selector": {"app": "odrer"}}), true, &[], "Service order selects no ready pod")]
    #[case::unknown_port(json!({"selector": {"app": "order"}, "ports": [{"port": 80, "targetPort": "htp"}]}), true, &[], "Service order has no endpoint for its 2 ready pods: its targetPort \"htp\" is the name of no port of these pods")]
    fn endpoints_are_the_ready_pods(#[case] spec: Value, #[case] second_ready: bool, #[case] endpoints: &[(&str, bool)], #[case] reason: &str) {
        let seen = equal_ready_pods(&snapshot(vec![pod("a", "n1", true), pod("b", "n2", second_ready)], spec, endpoints));
        let verdict = if reason.is_empty() { Verdict::Pass } else { Verdict::Fail };
        assert_eq!((seen.verdict, seen.reason.as_str()), (verdict, reason));
    }

    #[test]
    fn services_without_selector_are_left_out() {
        assert_eq!(equal_ready_pods(&snapshot(vec![], json!({"type": "ExternalName"}), &[])).verdict, Verdict::NotApplicable);
    }
}
