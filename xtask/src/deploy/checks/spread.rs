//! Pods stand where their constraints want them: topology spread and pod anti-affinity, computed from the nodes' labels.

use super::not_applicable;
use crate::deploy::diagnose;
use crate::deploy::snapshot::{Snapshot, is_active, name};
use crate::deploy::workload::Workload;
use gauntlet_reports::run::Assertion;
use k8s_openapi::api::core::v1::{Node, Pod, PodAffinityTerm, TopologySpreadConstraint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};
use std::collections::{BTreeMap, BTreeSet};

const ID: &str = "deploy.spread";
const EXPECTED: &str = "spread constraints with DoNotSchedule and required pod anti-affinity hold";

/// `deploy.spread`: what is required holds; what is only preferred is told as evidence.
pub fn holds(snapshot: &Snapshot, workloads: &[Workload]) -> Assertion {
    let (mut measured, mut broken, mut preferred) = (Vec::new(), Vec::new(), Vec::new());
    for workload in workloads {
        let pods: Vec<_> = diagnose::pods(snapshot, workload).into_iter().filter(|p| is_active(p)).collect();
        let Some(spec) = pods.first().and_then(|p| p.spec.as_ref()) else { continue };
        for constraint in spec.topology_spread_constraints.iter().flatten() {
            let (skew, text) = skew(snapshot, workload, &pods, constraint);
            let told = format!("{}: {text}", workload.name);
            if constraint.when_unsatisfiable != "DoNotSchedule" {
                preferred.push(told);
            } else if skew > constraint.max_skew {
                broken.push(format!("{told}, maxSkew is {}", constraint.max_skew));
            } else {
                measured.push(told);
            }
        }
        let anti = spec.affinity.as_ref().and_then(|a| a.pod_anti_affinity.clone()).unwrap_or_default();
        for term in anti.required_during_scheduling_ignored_during_execution.iter().flatten() {
            let shared = shared_domains(snapshot, &pods, term);
            match shared.is_empty() {
                true => measured.push(format!("{}: apart by {}", workload.name, term.topology_key)),
                false => broken.push(format!("{}: anti-affinity by {} is required, yet {}", workload.name, term.topology_key, shared.join(", "))),
            }
        }
        for weighted in anti.preferred_during_scheduling_ignored_during_execution.iter().flatten() {
            let key = &weighted.pod_affinity_term.topology_key;
            let domains: BTreeSet<_> = pods.iter().filter_map(|p| domain(snapshot, p, key)).collect();
            preferred.push(format!("{}: {} pods in {} domains of {key}", workload.name, pods.len(), domains.len()));
        }
    }
    if measured.is_empty() && broken.is_empty() && preferred.is_empty() {
        return not_applicable(ID, EXPECTED, "no workload states a spread constraint or pod anti-affinity");
    }
    if measured.is_empty() && broken.is_empty() {
        measured.push("nothing is required; preferences in the evidence".into());
    }
    let assertion = Assertion::check(ID, broken.is_empty(), EXPECTED, measured.join("; "), broken.join("; "));
    preferred.into_iter().fold(assertion, |a, p| a.with_evidence(format!("preferred: {p}")))
}

/// The value of `key` on the pod's node.
fn domain<'a>(snapshot: &'a Snapshot, pod: &Pod, key: &str) -> Option<&'a str> {
    let on = pod.spec.as_ref()?.node_name.as_deref()?;
    let node = snapshot.nodes.iter().find(|n| name(*n) == on)?;
    node.metadata.labels.as_ref()?.get(key).map(String::as_str)
}

fn selects(selector: Option<&LabelSelector>, pod: &Pod) -> bool {
    // No selector selects nothing; one that cannot be read neither.
    let parsed = selector.cloned().and_then(|s| Selector::try_from(s).ok());
    parsed.is_some_and(|s| s.matches(&pod.metadata.labels.clone().unwrap_or_default()))
}

/// The difference between the fullest and the emptiest eligible domain, and the counts for a person.
fn skew(snapshot: &Snapshot, workload: &Workload, pods: &[&Pod], constraint: &TopologySpreadConstraint) -> (i32, String) {
    let key = &constraint.topology_key;
    let mut counts: BTreeMap<&str, i32> = BTreeMap::new();
    for node in snapshot.nodes.iter().filter(|n| eligible(n, pods, constraint)) {
        if let Some(value) = node.metadata.labels.as_ref().and_then(|l| l.get(key)) {
            counts.entry(value).or_insert(0);
        }
    }
    let placed = snapshot.pods.iter().filter(|p| is_active(p) && p.metadata.namespace.as_deref() == Some(&workload.namespace));
    let revision_keys = constraint.match_label_keys.as_deref().unwrap_or_default();
    let label = |p: &Pod, k: &str| p.metadata.labels.as_ref().and_then(|l| l.get(k).cloned());
    let same_revision = |p: &Pod| revision_keys.iter().all(|k| pods.iter().any(|own| label(own, k) == label(p, k)));
    for pod in placed.filter(|p| selects(constraint.label_selector.as_ref(), p) && same_revision(p)) {
        if let Some(value) = domain(snapshot, pod, key) {
            *counts.entry(value).or_insert(0) += 1;
        }
    }
    let fullest = counts.values().copied().max().unwrap_or(0);
    // Fewer domains than minDomains: the missing ones count as empty.
    let too_few = constraint.min_domains.is_some_and(|least| (counts.len() as i32) < least);
    let emptiest = if too_few { 0 } else { counts.values().copied().min().unwrap_or(0) };
    let list: Vec<_> = counts.iter().map(|(value, count)| format!("{value} {count}")).collect();
    (fullest - emptiest, format!("skew {} over {key} ({})", fullest - emptiest, list.join(", ")))
}

/// Whether a node's domain counts, by the policies' defaults: node selector and affinity honoured, taints ignored.
fn eligible(node: &Node, pods: &[&Pod], constraint: &TopologySpreadConstraint) -> bool {
    let Some(spec) = pods.first().and_then(|p| p.spec.as_ref()) else { return true };
    if constraint.node_taints_policy.as_deref() == Some("Honor") {
        let taints = node.spec.iter().flat_map(|s| s.taints.iter().flatten()).filter(|t| t.effect != "PreferNoSchedule");
        let tolerated = |key: &str| spec.tolerations.iter().flatten().any(|t| t.key.as_deref().is_none_or(|k| k == key));
        if taints.into_iter().any(|t| !tolerated(&t.key)) {
            return false;
        }
    }
    if constraint.node_affinity_policy.as_deref() == Some("Ignore") {
        return true;
    }
    let labels = node.metadata.labels.clone().unwrap_or_default();
    let selected = spec.node_selector.iter().flatten().all(|(k, v)| labels.get(k) == Some(v));
    let required = spec.affinity.as_ref().and_then(|a| a.node_affinity.as_ref()).and_then(|n| n.required_during_scheduling_ignored_during_execution.as_ref());
    selected && required.is_none_or(|r| r.node_selector_terms.iter().any(|t| term_matches(t, &labels)))
}

fn term_matches(term: &k8s_openapi::api::core::v1::NodeSelectorTerm, labels: &BTreeMap<String, String>) -> bool {
    term.match_expressions.iter().flatten().all(|e| {
        let value = labels.get(&e.key);
        let listed = value.is_some_and(|v| e.values.iter().flatten().any(|w| w == v));
        let number = |text: Option<&String>| text.and_then(|t| t.parse::<i64>().ok());
        let bound = number(e.values.iter().flatten().next());
        match e.operator.as_str() {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            "Gt" => number(value) > bound,
            "Lt" => number(value).is_some() && number(value) < bound,
            _ => false,
        }
    })
}

/// The domains in which a pod of the workload stands together with another pod that the term keeps away.
fn shared_domains(snapshot: &Snapshot, pods: &[&Pod], term: &PodAffinityTerm) -> Vec<String> {
    let mut by_domain: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for pod in pods {
        let Some(place) = domain(snapshot, pod, &term.topology_key) else { continue };
        let near = |other: &&Pod| domain(snapshot, other, &term.topology_key) == Some(place) && name(*other) != name(*pod);
        for other in snapshot.pods.iter().filter(|p| is_active(p) && selects(term.label_selector.as_ref(), p)).filter(near) {
            by_domain.entry(place).or_default().extend([name(*pod), name(other)]);
        }
    }
    by_domain.into_iter().map(|(place, names)| format!("{} stand together on {place}", names.into_iter().collect::<Vec<_>>().join(" and "))).collect()
}

#[cfg(test)]
#[path = "spread_tests.rs"]
mod tests;
