//! Findings, waivers and policy sets.

use gauntlet_fixtures::manifest::{Dialect, Object, parse};
use gauntlet_fixtures::platform::Waiver;
use gauntlet_policies::registry::find;
use gauntlet_policies::{PolicySet, check};
use gauntlet_reports::finding::{Finding, Severity};

const TODAY: &str = "2026-06-15";

fn objects(text: &str) -> Vec<Object> {
    let documents = parse(text.as_bytes(), "web.yaml", Dialect::Kubectl).expect("parses");
    documents.into_iter().map(|document| Object::from_node(document).expect("object")).collect()
}

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    spec:
      containers:
        - {name: web, image: 'web:1', securityContext: {privileged: true}}
";

fn waiver(rule: &str, resource: &str, expires: &str) -> Waiver {
    Waiver {
        rule: rule.to_owned(),
        resource: resource.to_owned(),
        reason: "needs the device".to_owned(),
        owner: "ann".to_owned(),
        expires: expires.to_owned(),
    }
}

fn judged(waivers: &[Waiver]) -> Vec<Finding> {
    let set = PolicySet::only(find("SEC001").expect("there"));
    check(&objects(WEB), &set, waivers, TODAY)
}

#[test]
fn a_finding_says_what_where_why_and_how_to_mend_it() {
    insta::assert_json_snapshot!(judged(&[]), @r#"
    [
      {
        "rule": "SEC001",
        "name": "privileged",
        "severity": "error",
        "location": {
          "file": "web.yaml",
          "line": 8,
          "column": 69
        },
        "field": "spec.template.spec.containers[0].securityContext.privileged",
        "resource": "Deployment shop/web",
        "message": "container web runs privileged",
        "why": "A privileged container has every capability and every device of its node: whoever breaks into it owns the node and every pod there.",
        "fix": "Remove `privileged`, and add the single capability or device that the container needs."
      }
    ]
    "#);
}

#[test]
fn a_valid_waiver_marks_its_findings() {
    for resource in ["Deployment/web", "Deployment/*"] {
        for rule in ["SEC001", "privileged"] {
            let findings = judged(&[waiver(rule, resource, TODAY)]);
            assert_eq!(findings.len(), 1);
            assert_eq!(findings[0].waived.as_deref(), Some("needs the device (ann, until 2026-06-15)"));
        }
    }
}

#[test]
fn an_expired_waiver_covers_nothing_and_is_a_finding() {
    let findings = judged(&[waiver("SEC001", "Deployment/web", "2026-06-14")]);
    assert_eq!(findings.len(), 2);
    assert!(findings.iter().all(|finding| finding.waived.is_none() && finding.severity == Severity::Error));
    let complaint = findings.iter().find(|finding| finding.rule == "WAV001").expect("complaint");
    assert_eq!(complaint.message, "the waiver of SEC001 for Deployment/web expired on 2026-06-14; it covered 1 finding(s)");
}

#[test]
fn a_waiver_without_use_is_a_finding() {
    let findings = judged(&[waiver("SEC001", "Deployment/other", "2027-01-01")]);
    let complaint = findings.iter().find(|finding| finding.rule == "WAV001").expect("complaint");
    assert_eq!(complaint.message, "the waiver of SEC001 for Deployment/other covers no finding: remove it");
    assert_eq!((complaint.severity, complaint.field.as_str()), (Severity::Warning, "waivers[0]"));
    let findings = judged(&[waiver("SEC999", "Deployment/web", "2027-01-01")]);
    assert!(findings.iter().any(|finding| finding.message == "there is no rule SEC999"));
}

#[rstest::rstest]
#[case("name: x\nrules: {privlieged: {severity: error}}\n", "s.yaml:2:9: there is no rule `privlieged`")]
#[case("name: x\nrules: {privileged: {severity: fatal}}\n", "s.yaml:2:32: severity: unknown variant `fatal`")]
#[case("name: x\nrules: {privileged: {severity: error, parameters: {x: 1}}}\n", "privileged has no parameter `x`; it has: none")]
#[case("name: x\nrules: {min-replicas: {severity: error, parameters: {minimum: two}}}\n", "must be like 2, not \"two\"")]
#[case("name: x\nrules: {privileged: {severity: error, since: '1.19'}}\n", "s.yaml:2:9: read the Kubernetes version \"1.19\"")]
#[case("name: x\nrules: {SEC001: {severity: error}, privileged: {severity: error}}\n", "SEC001 stands here twice")]
fn a_bad_set_is_refused_with_its_place(#[case] text: &str, #[case] expected: &str) {
    let error = PolicySet::parse(text, "s.yaml").expect_err("must be refused").to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn parameters_reach_their_rule() {
    let text = WEB.replace("spec:\n  template", "spec:\n  replicas: 2\n  template");
    let set = |minimum: u32| {
        let text = format!("name: x\nrules: {{min-replicas: {{severity: warning, parameters: {{minimum: {minimum}}}}}}}\n");
        PolicySet::parse(&text, "s.yaml").expect("good")
    };
    assert_eq!(check(&objects(&text), &set(2), &[], TODAY), vec![]);
    let findings = check(&objects(&text), &set(3), &[], TODAY);
    assert_eq!((findings.len(), findings[0].severity), (1, Severity::Warning));
}

#[test]
fn a_rule_is_asked_for_the_versions_that_its_set_says() {
    let text = "name: x\nrules: {privileged: {severity: error, since: '1.22', until: '1.30'}}\n";
    for (version, expected) in [("1.21", 0), ("1.22", 1), ("1.30", 1), ("1.31", 0)] {
        let set = PolicySet::parse(text, "s.yaml").expect("good").for_kubernetes(version.parse().expect("a version"));
        assert_eq!(check(&objects(WEB), &set, &[], TODAY).len(), expected, "{version}");
    }
}

#[test]
fn many_objects_are_judged_in_the_order_of_their_places() {
    let many: String = (0..300).map(|at| format!("---\n{}", WEB.replace("name: web, n", &format!("name: web-{at}, n")))).collect();
    let findings = check(&objects(&many), &PolicySet::production(), &[], TODAY);
    let places: Vec<_> = findings.iter().map(|finding| &finding.location).collect();
    assert!(places.is_sorted());
    assert_eq!(findings.iter().filter(|finding| finding.rule == "SEC001").count(), 300);
}

/// A set of one rule with parameters.
fn one(rule: &str, parameters: &str) -> PolicySet {
    PolicySet::parse(&format!("name: x\nrules: {{{rule}: {{severity: error, parameters: {{{parameters}}}}}}}\n"), "s.yaml").expect("good")
}

/// Messages of one rule with parameters.
fn messages(rule: &str, parameters: &str, text: &str) -> Vec<String> {
    told(&one(rule, parameters), text)
}

fn told(set: &PolicySet, text: &str) -> Vec<String> {
    check(&objects(text), set, &[], TODAY).into_iter().map(|finding| finding.message).collect()
}

#[test]
fn what_is_removed_depends_on_the_release() {
    let text = "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: web}\n";
    let both = |release: &str| {
        let told = |rule| told(&one(rule, "").for_kubernetes(release.parse().expect("a version")), text);
        (told("deprecated-api"), told("removed-api"))
    };
    assert_eq!(both("1.20"), (vec![], vec![]));
    insta::assert_snapshot!(both("1.24").0.join("\n"), @"policy/v1beta1 PodDisruptionBudget is deprecated since Kubernetes 1.21, and 1.25 removes it: use policy/v1");
    assert_eq!(both("1.24").1, Vec::<String>::new());
    insta::assert_snapshot!(both("1.25").1.join("\n"), @"policy/v1beta1 PodDisruptionBudget was removed in Kubernetes 1.25: use policy/v1");
    assert_eq!(both("1.25").0, Vec::<String>::new());
}

#[test]
fn pods_are_counted_against_the_nodes_that_the_set_states() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 4\n  template:\n    metadata: {labels: {app: web}}\n    \
                spec: {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, \
                labelSelector: {matchLabels: {app: web}}}]}}, containers: [{name: web, image: 'web:1'}]}\n";
    assert_eq!(messages("spread-unsatisfiable", "nodes: 4", text), Vec::<String>::new());
    insta::assert_snapshot!(messages("spread-unsatisfiable", "nodes: 3", text).join("\n"), @"4 pods cannot be kept apart by kubernetes.io/hostname: 3 value(s) are possible, with room for 3 pod(s)");
}

#[test]
fn alerts_ask_for_the_metrics_that_the_set_knows() {
    let text = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: web}\nspec: {groups: [{rules: \
                [{alert: Errors, expr: 'rate(http_erors_total[5m]) > 1 and up == 1'}]}]}\n";
    assert_eq!(messages("alert-rule-references-missing-metric", "metrics: []", text), Vec::<String>::new());
    assert_eq!(messages("alert-rule-references-missing-metric", "metrics: ['http_*', up]", text), Vec::<String>::new());
    insta::assert_snapshot!(messages("alert-rule-references-missing-metric", "metrics: [http_errors_total, up]", text).join("\n"), @"Errors asks for http_erors_total, but it is not among the known metrics");
}
