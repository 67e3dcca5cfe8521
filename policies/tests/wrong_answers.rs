//! What other checkers answer wrongly, answered rightly here. Each test names the question.

use gauntlet_fixtures::manifest::{Dialect, Object, load, parse};
use gauntlet_policies::registry::{RULES, find};
use gauntlet_policies::{PolicySet, check};
use gauntlet_reports::event::{Event, EventKind};
use gauntlet_reports::render::sarif;
use std::path::Path;

/// Lines on which a rule reports something in a text.
fn lines(rule: &str, text: &str) -> Vec<u32> {
    let documents = parse(text.as_bytes(), "x.yaml", Dialect::Kubectl).expect("parses");
    let objects: Vec<Object> = documents.into_iter().map(|document| Object::from_node(document).expect("object")).collect();
    let set = PolicySet::only(find(rule).expect("there is such a rule"));
    check(&objects, &set, &[], "2026-01-01").into_iter().map(|finding| finding.location.line).collect()
}

fn is_kept(rule: &str, text: &str) {
    assert_eq!(lines(rule, text), Vec::<u32>::new(), "{rule} has a false alarm");
}

fn web(more: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: shop}}\nspec:\n  replicas: 3\n  \
         selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web, tier: front}}}}\n    \
         spec: {{containers: [{{name: web, image: 'web:1.0'{more}}}]}}\n"
    )
}

fn budget(namespace: &str, spec: &str) -> String {
    format!("---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: web, namespace: {namespace}}}\nspec: {{{spec}}}\n")
}

fn scaler(minimum: u32) -> String {
    format!(
        "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: web, namespace: shop}}\n\
         spec: {{minReplicas: {minimum}, maxReplicas: 9, scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}}}\n"
    )
}

fn policy(namespace: &str, spec: &str) -> String {
    format!("---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: policy, namespace: {namespace}}}\nspec: {{{spec}}}\n")
}

#[test]
fn every_label_of_a_budget_must_fit_and_not_any() {
    let other = budget("shop", "minAvailable: 2, selector: {matchLabels: {app: web, tier: back}}");
    assert_eq!(lines("missing-pdb", &(web("") + &other)).len(), 1);
    is_kept("missing-pdb", &(web("") + &budget("shop", "minAvailable: 2, selector: {matchLabels: {app: web, tier: front}}")));
}

#[test]
fn a_budget_is_compared_with_the_hpa_of_its_own_namespace_and_by_its_expressions() {
    let expressions = "minAvailable: 2, selector: {matchExpressions: [{key: app, operator: In, values: [web, api]}]}";
    assert_eq!(lines("pdb-vs-hpa-min", &(web("") + &scaler(2) + &budget("shop", expressions))).len(), 1);
    is_kept("pdb-vs-hpa-min", &(web("") + &scaler(2) + &budget("other", expressions)));
    is_kept("pdb-vs-hpa-min", &(web("") + &scaler(2) + &budget("shop", &expressions.replace(" In", " NotIn"))));
}

#[test]
fn a_budget_of_as_many_as_the_hpa_keeps_blocks_every_drain() {
    let selector = "selector: {matchLabels: {app: web}}";
    assert_eq!(lines("pdb-vs-hpa-min", &(web("") + &scaler(3) + &budget("shop", &format!("minAvailable: 3, {selector}")))).len(), 1);
    is_kept("pdb-vs-hpa-min", &(web("") + &scaler(3) + &budget("shop", &format!("minAvailable: 2, {selector}"))));
}

#[test]
fn a_default_deny_by_an_empty_selector_without_rules_restricts_every_pod() {
    let deny = policy("shop", "podSelector: {}, policyTypes: [Ingress, Egress]");
    for rule in ["pod-without-networkpolicy", "namespace-default-deny", "dangling-networkpolicy", "netpol-allows-undeclared-flow"] {
        is_kept(rule, &(web("") + &deny));
    }
    let empty = policy("shop", "podSelector: {}, policyTypes: [Ingress, Egress], ingress: [], egress: []");
    is_kept("pod-without-networkpolicy", &(web("") + &empty));
}

#[test]
fn an_empty_egress_without_policy_types_restricts_no_egress() {
    let ingress_only = policy("shop", "podSelector: {}, egress: []");
    assert_eq!(lines("pod-without-networkpolicy", &(web("") + &ingress_only)).len(), 1);
    is_kept("pod-without-networkpolicy", &(web("") + &policy("shop", "podSelector: {}, egress: [{}]")));
}

#[test]
fn the_port_of_a_registry_is_no_tag() {
    for untagged in ["registry:5000/app", "registry.example.org:443/team/app"] {
        assert_eq!(lines("latest-tag", &web("").replace("web:1.0", untagged)).len(), 1, "{untagged}");
    }
    for fixed in ["registry:5000/app:1.0", "registry:5000/app@sha256:0123"] {
        is_kept("latest-tag", &web("").replace("web:1.0", fixed));
    }
}

#[test]
fn the_minimum_of_the_hpa_counts_whatever_the_static_replicas_say() {
    let text = web("") + &scaler(1) + &budget("shop", "minAvailable: 2, selector: {matchLabels: {app: web}}");
    assert_eq!(lines("pdb-vs-hpa-min", &text).len(), 1);
    assert_eq!(lines("min-replicas", &text).len(), 1);
}

#[test]
fn budgets_select_by_the_labels_of_the_pods_and_not_by_the_selector_of_the_workload() {
    // tier is a label of the pods that the Deployment does not select by.
    is_kept("missing-pdb", &(web("") + &budget("shop", "minAvailable: 2, selector: {matchLabels: {tier: front}}")));
    let text = web("") + &budget("shop", "minAvailable: 3, selector: {matchLabels: {tier: front}}");
    assert_eq!(lines("pdb-blocks-drain", &text).len(), 1);
}

#[test]
fn a_finding_stands_on_its_line_and_column() {
    let text = web(", securityContext: {privileged: true}");
    let documents = parse(text.as_bytes(), "x.yaml", Dialect::Kubectl).expect("parses");
    let objects: Vec<Object> = documents.into_iter().map(|document| Object::from_node(document).expect("object")).collect();
    let findings = check(&objects, &PolicySet::only(find("privileged").expect("rule")), &[], "2026-01-01");
    let line = text.lines().nth(8).expect("line 9");
    let column = line.find("true").expect("there") + 1;
    assert_eq!((findings[0].location.line as usize, findings[0].location.column as usize), (9, column));
    // And so does SARIF.
    let event = Event { at_ms: 0, platform: None, stage: None, kind: EventKind::Found(findings[0].clone()) };
    let sarif: serde_json::Value = serde_json::from_str(&sarif::render(&[event]).expect("renders")).expect("JSON");
    let region = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"];
    assert_eq!((&region["startLine"], &region["startColumn"]), (&serde_json::json!(9), &serde_json::json!(column)));
}

#[test]
fn a_network_policy_of_another_namespace_restricts_nothing_here() {
    let both = "podSelector: {}, policyTypes: [Ingress, Egress]";
    assert_eq!(lines("pod-without-networkpolicy", &(web("") + &policy("other", both))).len(), 1);
    is_kept("pod-without-networkpolicy", &(web("") + &policy("shop", both)));
}

#[test]
fn containers_inherit_the_security_context_of_their_pod() {
    let pod = "securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers";
    let text = web("").replace("containers", pod);
    for rule in ["run-as-non-root", "seccomp-runtime-default"] {
        is_kept(rule, &text);
        assert_eq!(lines(rule, &web("")).len(), 1, "{rule}");
    }
    // The container's own value wins over the pod's.
    let own = web(", securityContext: {runAsNonRoot: false}").replace("containers", pod);
    assert_eq!(lines("run-as-non-root", &own).len(), 1);
}

#[test]
fn what_has_no_containers_has_no_security_context() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {spec: 'containers: []'}\n---\napiVersion: v1\nkind: Service\n\
                metadata: {name: a}\nspec: {ports: [{port: 80}]}\n---\napiVersion: example.org/v1\nkind: Database\nmetadata: {name: a}\n\
                spec: {containers: [{name: a, image: a}]}\n";
    for rule in RULES.iter().filter(|rule| rule.id.starts_with("SEC")) {
        is_kept(rule.name, text);
    }
}

#[test]
fn the_pod_wins_over_its_service_account_in_the_automount_of_tokens() {
    let account = |value: bool| {
        format!("---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: web, namespace: shop}}\nautomountServiceAccountToken: {value}\n")
    };
    let pod = |value: &str| web("").replace("containers", &format!("serviceAccountName: web, {value}containers"));
    let (yes, no, unset) = ("automountServiceAccountToken: true, ", "automountServiceAccountToken: false, ", "");
    for (own, accounts, expected) in [(no, true, 0), (yes, false, 1), (unset, false, 0), (unset, true, 1), (yes, true, 1), (no, false, 0)] {
        assert_eq!(lines("automount-sa-token", &(pod(own) + &account(accounts))).len(), expected, "pod: {own} account: {accounts}");
    }
    // Another namespace's account of the same name says nothing.
    let other = account(false).replace("namespace: shop", "namespace: other");
    assert_eq!(lines("automount-sa-token", &(pod(unset) + &other)).len(), 1);
}

#[test]
fn patches_of_a_kustomization_are_not_judged_as_whole_objects() {
    let overlay = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/platforms/globeco/manifests/overlays/production");
    let loaded = load(&overlay);
    assert_eq!((loaded.errors.len(), loaded.sets.len()), (0, 1), "the folder is one set: its patches are none");
    let objects = &loaded.sets[0].objects;
    let stores = objects.iter().filter(|object| object.kind == "StatefulSet").count();
    assert_eq!(stores, 1, "the patch of the StatefulSet is no second one");
    for rule in ["readiness-probe", "mismatching-selector", "statefulset-headless-service", "memory-limits"] {
        assert_eq!(check(objects, &PolicySet::only(find(rule).expect("rule")), &[], "2026-01-01"), vec![]);
    }
}

#[test]
fn no_namespace_is_the_namespace_default() {
    let unstated = web("").replace(", namespace: shop", "");
    is_kept("missing-pdb", &(unstated.clone() + &budget("default", "minAvailable: 2, selector: {matchLabels: {app: web}}")));
    is_kept("pod-without-networkpolicy", &(unstated.clone() + &policy("default", "podSelector: {}, policyTypes: [Ingress, Egress]")));
    assert_eq!(lines("missing-pdb", &(unstated + &budget("shop", "minAvailable: 2, selector: {matchLabels: {app: web}}"))).len(), 1);
}

#[test]
fn init_containers_need_no_probes_and_no_pause() {
    let text = web(", readinessProbe: {tcpSocket: {port: 80}}, livenessProbe: {tcpSocket: {port: 81}}")
        .replace("containers:", "initContainers: [{name: prepare, image: 'prepare:1.0'}], containers:");
    for rule in ["readiness-probe", "liveness-probe", "pre-stop-hook"] {
        is_kept(rule, &text);
    }
}

#[test]
fn a_topology_spread_keeps_pods_apart_as_an_anti_affinity_does() {
    let spread = "topologySpreadConstraints: [{topologyKey: kubernetes.io/hostname, maxSkew: 1, whenUnsatisfiable: ScheduleAnyway, \
                  labelSelector: {matchLabels: {app: web}}}], containers";
    is_kept("anti-affinity-or-spread", &web("").replace("containers", spread));
    assert_eq!(lines("anti-affinity-or-spread", &web("")).len(), 1);
}

// What follows, kubeconform says otherwise: it names no line, takes unknown fields unless it is told to be strict, knows no
// definition that stands among the manifests, and takes its schemas' word for what is required and for null.

#[test]
fn an_unknown_field_is_found_without_being_asked_for_and_has_its_line() {
    let text = web("").replace("replicas: 3", "replica: 3");
    assert_eq!(lines("unknown-field", &text), [5]);
}

#[test]
fn a_definition_among_the_manifests_judges_the_resources_beside_it() {
    let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: caches.example.org}\nspec: {group: \
                      example.org, scope: Namespaced, names: {kind: Cache, plural: caches}, versions: [{name: v1, served: true, storage: true, schema: \
                      {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}}]}\n---\n";
    let cache = "apiVersion: example.org/v1\nkind: Cache\nmetadata: {name: a}\nspec: {size: 1}\n";
    for rule in ["unknown-kind", "unknown-field", "wrong-type", "undescribed-kind"] {
        is_kept(rule, &format!("{definition}{cache}"));
        // The order of the documents has no meaning.
        is_kept(rule, &format!("{cache}---\n{}", definition.trim_end_matches("---\n")));
    }
    assert_eq!(lines("wrong-type", &format!("{definition}{}", cache.replace("size: 1", "size: big"))), [9]);
}

#[test]
fn null_is_as_good_as_nothing_and_not_of_a_wrong_type() {
    let text = web(", resources: null, env: null").replace("name: web, namespace: shop", "name: web, creationTimestamp: null, labels: null");
    for rule in ["wrong-type", "unknown-field", "missing-field", "invalid-value"] {
        is_kept(rule, &text);
    }
    assert_eq!(lines("missing-field", &web("").replace("name: web, image", "name: null, image")).len(), 1);
}

#[test]
fn what_the_api_server_fills_in_is_not_missing() {
    is_kept("missing-field", &policy("shop", "ingress: []"));
    is_kept("missing-field", "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: a}\nroleRef: {kind: Role, name: a}\n");
    is_kept("missing-field", &web("").replace("kind: Deployment", "kind: StatefulSet"));
}
