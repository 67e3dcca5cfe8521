use super::super::objects::{node, pod, replica_set, typed};
use super::*;
use crate::deploy::workload::WorkloadKind;
use gauntlet_reports::verdict::Verdict;
use rstest::rstest;
use serde_json::{Value, json};

/// Pods a, b, c … on the given nodes, each with `spec` merged into its own.
fn seen(nodes_of_pods: &[&str], spec: Value) -> Assertion {
    let letters = ["a", "b", "c", "d"];
    let pods = nodes_of_pods.iter().zip(letters).map(|(node, name)| {
        let mut pod = pod(name, node, true);
        for (key, value) in spec.as_object().expect("object") {
            pod["spec"][key] = value.clone();
        }
        typed(pod)
    });
    let snapshot = Snapshot {
        pods: pods.collect(),
        replica_sets: vec![typed(replica_set())],
        nodes: [node("n1", "z1"), node("n2", "z2"), node("n3", "z2")].into_iter().map(typed).collect(),
        ..Snapshot::default()
    };
    holds(&snapshot, &[Workload { kind: WorkloadKind::Deployment, namespace: "globeco".into(), name: "order".into() }])
}

fn by_zone(when: &str) -> Value {
    json!({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": when, "labelSelector": {"matchLabels": {"app": "order"}}}]})
}

fn apart(kind: &str) -> Value {
    let term = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "order"}}});
    match kind {
        "required" => json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}),
        _ => json!({"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}}}),
    }
}

#[rstest]
#[case::even(&["n1", "n2"], by_zone("DoNotSchedule"), "")]
#[case::skew_within(&["n1", "n2", "n3"], by_zone("DoNotSchedule"), "")]
#[case::all_in_one_zone(&["n2", "n3"], by_zone("DoNotSchedule"), "order: skew 2 over topology.kubernetes.io/zone (z1 0, z2 2), maxSkew is 1")]
#[case::apart(&["n1", "n2", "n3"], apart("required"), "")]
#[case::together(&["n1", "n2", "n2"], apart("required"), "order: anti-affinity by kubernetes.io/hostname is required, yet b and c stand together on n2")]
fn what_is_required_holds(#[case] nodes: &[&str], #[case] spec: Value, #[case] reason: &str) {
    let assertion = seen(nodes, spec);
    let verdict = if reason.is_empty() { Verdict::Pass } else { Verdict::Fail };
    assert_eq!((assertion.verdict, assertion.reason.as_str()), (verdict, reason));
}

#[rstest]
#[case(by_zone("ScheduleAnyway"), "preferred: order: skew 2 over topology.kubernetes.io/zone (z1 0, z2 2)")]
#[case(apart("preferred"), "preferred: order: 2 pods in 1 domains of kubernetes.io/hostname")]
fn what_is_preferred_is_only_told(#[case] spec: Value, #[case] evidence: &str) {
    let assertion = seen(&["n2", "n2"], spec);
    assert_eq!((assertion.verdict, assertion.evidence), (Verdict::Pass, vec![evidence.to_owned()]));
}

#[test]
fn a_domain_that_the_node_selector_leaves_out_does_not_count() {
    let mut spec = by_zone("DoNotSchedule");
    spec["nodeSelector"] = json!({"topology.kubernetes.io/zone": "z2"});
    assert_eq!(seen(&["n2", "n3"], spec).verdict, Verdict::Pass);
}

#[test]
fn missing_domains_count_as_empty() {
    let mut spec = by_zone("DoNotSchedule");
    spec["topologySpreadConstraints"][0]["minDomains"] = json!(3);
    assert_eq!(seen(&["n1", "n1", "n2", "n3"], spec).verdict, Verdict::Fail);
}

#[test]
fn nothing_stated_is_not_applicable() {
    assert_eq!(seen(&["n1", "n1"], json!({})).verdict, Verdict::NotApplicable);
}
