//! Rules in CEL that a policy set writes itself.

use gauntlet_fixtures::manifest::{Dialect, Object, parse};
use gauntlet_fixtures::platform::Waiver;
use gauntlet_policies::{PolicySet, check};
use gauntlet_reports::finding::{Finding, Severity};
use std::time::{Duration, Instant};

const TODAY: &str = "2026-06-15";

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  replicas: 2
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: 'web:1', resources: {limits: {cpu: 500m}}}
        - {name: side, image: 'side:latest'}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec: {minReplicas: 2, maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: shop}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
";

fn objects(text: &str) -> Vec<Object> {
    let documents = parse(text.as_bytes(), "web.yaml", Dialect::Kubectl).expect("parses");
    documents.into_iter().map(|document| Object::from_node(document).expect("object")).collect()
}

/// A set of one rule.
fn set(rule: &str) -> PolicySet {
    PolicySet::parse(&text(rule), "shop.yaml").expect("good")
}

fn text(rule: &str) -> String {
    format!("name: shop\ncustom:\n  - id: SHOP001\n    title: It holds\n    severity: error\n    kinds: [Deployment]\n{rule}")
}

fn judged(rule: &str) -> Vec<Finding> {
    check(&objects(WEB), &set(rule), &[], TODAY)
}

/// The message of the one finding.
fn said(rule: &str) -> String {
    let mut findings = judged(rule);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0).message
}

#[test]
fn a_finding_is_like_that_of_any_rule() {
    let rule = "    name: pinned-images
    field: spec.template.spec.containers[*].image
    expression: \"!self.endsWith(':latest')\"
    messageExpression: \"self + ' moves'\"
    why: It changes under your feet.
    fix: Name a version.\n";
    insta::assert_json_snapshot!(judged(rule), @r#"
    [
      {
        "rule": "SHOP001",
        "name": "pinned-images",
        "severity": "error",
        "location": {
          "file": "web.yaml",
          "line": 11,
          "column": 31
        },
        "field": "spec.template.spec.containers[1].image",
        "resource": "Deployment shop/web",
        "message": "side:latest moves",
        "why": "It changes under your feet.",
        "fix": "Name a version."
      }
    ]
    "#);
}

#[test]
fn a_missing_field_is_shown_at_its_nearest_parent() {
    let findings = judged("    field: spec.template.spec.containers[*].resources.limits.cpu\n    expression: self != null\n    message: no limit\n");
    let told: Vec<_> = findings.iter().map(|one| (one.location.to_string(), one.field.as_str(), one.message.as_str())).collect();
    assert_eq!(told, [("web.yaml:11:11".to_owned(), "spec.template.spec.containers[1].resources.limits.cpu", "no limit")]);
    let findings = judged("    expression: has(object.spec.paused)\n");
    assert_eq!((findings[0].field.as_str(), findings[0].location.to_string(), findings[0].message.as_str()), ("metadata.name", "web.yaml:3:18".to_owned(), "It holds"));
}

#[rstest::rstest]
#[case("object.spec.replicas == 2")]
#[case("has(object.spec.replicas) && !has(object.spec.paused)")]
#[case("object.metadata.labels == {'app': 'web'}")]
#[case("object.spec.template.spec.containers.map(c, c.name) == ['web', 'side']")]
#[case("object.spec.template.spec.containers.filter(c, has(c.resources)).size() == 1")]
#[case("object.spec.template.spec.containers.exists_one(c, c.name == 'web')")]
#[case("object.spec.template.spec.containers.all(c, c.image.matches('^[a-z]+:.*$'))")]
#[case("'web' in object.spec.template.spec.containers.map(c, c.name)")]
#[case("quantity(object.spec.template.spec.containers[0].resources.limits.cpu) <= 0.5 && quantity('1Ki') == 1024.0 && quantity(2) == 2.0")]
#[case("scaler.spec.minReplicas <= object.spec.replicas")]
#[case("budgets.all(b, b.spec.minAvailable < object.spec.replicas) && budgets.size() == 1")]
#[case("networkPolicies == [] && services.size() == 0")]
#[case("object.metadata.name.split('e') == ['w', 'b'] && 'A'.lowerAscii() == 'a' && 'abc'.substring(1) == 'bc'")]
#[case("type(object.spec.replicas) == int && string(object.spec.replicas) == '2'")]
#[case("self == object")]
fn what_holds_is_no_finding(#[case] expression: &str) {
    assert_eq!(judged(&format!("    expression: |\n      {expression}\n")), vec![], "{expression}");
}

#[rstest::rstest]
#[case("object.spec.gone == 1", "the expression at shop.yaml:7:17 has no answer: there is no `gone`; has() asks whether there is")]
#[case("object.spec", "the expression at shop.yaml:7:17 has no answer: it must be true or false, and is of type map")]
#[case("object.spec.replicas > '2'", "the expression at shop.yaml:7:17 has no answer: found no matching overload for '_>_' applied to '(int, string)'")]
#[case("1 / (object.spec.replicas - 2) == 1", "the expression at shop.yaml:7:17 has no answer: Division by zero of Int(1)")]
#[case("quantity('much') > 1.0", "the expression at shop.yaml:7:17 has no answer: `much` is no quantity")]
#[case("object.metadata.name.matches('(')", "the expression at shop.yaml:7:17 has no answer: '(' not a valid regex")]
fn what_cannot_be_asked_is_a_finding_that_says_so(#[case] expression: &str, #[case] expected: &str) {
    let message = said(&format!("    expression: {expression}\n"));
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn odd_values_are_no_panic() {
    for expression in [
        "(-9223372036854775807 - 1) % -1 == 0",
        "(-9223372036854775807 - 1) / -1 == 0",
        "-(-9223372036854775807 - 1) == 0",
        "-9223372036854775808 - 1 == 0",
        "9223372036854775807 * 2 == 0",
        "0u - 1u == 0u",
        "1u % 0u == 0u",
        "'abc'.substring(-1) == ''",
        "'abc'.substring(2, 1) == ''",
        "'abc'.substring(0, 9223372036854775807) == ''",
        "'ab'.split('', -1).size() == 0",
        "'ab'.split('b', -9223372036854775807 - 1).size() == 0",
        "'ab'.split('', 9223372036854775807).size() == 0",
        "'ü'.charAt(-9223372036854775807 - 1) == ''",
        "'aü'.indexOf('', 9223372036854775807) == 0",
        "'aü'.indexOf('ü', -1) == 0",
        "'ab'.lastIndexOf('b', -5) == 0",
        "'ab'.lastIndexOf('b', 9223372036854775807) == 0",
        "int(1e300) == 1",
        "int(double('NaN')) == 1",
        "double('NaN') < 1.0",
        "uint(-1) == 1u",
        "int('x') == 1",
        "[1][9223372036854775807] == 1",
        "[1][-1] == 1",
        "[1][1.5] == 1",
        "{'a': 1}[1.5] == 1",
        "{'a': 1, 'a': 2}.size() == 1",
        "{[1]: 1}.size() == 1",
        "string(b'\\xff') == ''",
        "'a' in 1",
        "null.x",
        "has(null.x)",
        "true ? 1 : 2",
        "1.all(x, true)",
        "object.map(k, object[k]).size() > object",
        "quantity('9e99999999999') > 1.0",
        "quantity(1e300) > 1.0",
    ] {
        let findings = judged(&format!("    expression: |\n      {expression}\n"));
        assert!(findings.len() <= 1, "{expression}");
    }
}

#[rstest::rstest]
#[case("    expression: object.spec >\n", "shop.yaml:7:30: expression of SHOP001: not valid CEL: ")]
#[case("    expression: |\n      has(object.spec) &&\n        objet.spec == 1\n", "shop.yaml:9:9: expression of SHOP001: there is no `objet`; there are: object, self, params")]
#[case("    expression: >-\n      has(object.spec)\n      && foo(1)\n", "shop.yaml:9:13: expression of SHOP001: there is no function `foo`")]
#[case("    expression: 'object.x == ''a'' && nobody'\n", "shop.yaml:7:39: expression of SHOP001: there is no `nobody`")]
#[case("    expression: \"true\"\n    messageExpression: \"\\\"a\\\" + nobody\"\n", "shop.yaml:8:33: messageExpression of SHOP001: there is no `nobody`")]
#[case("    expression: 'true'\n    field: spec[x\n", "shop.yaml:8:12: the field path `spec[x`: a bracket is not closed")]
#[case("    expression: 'true'\n    feild: spec\n", "shop.yaml:8:5: unknown field `feild`")]
#[case("    expression: true\n", "shop.yaml:7:17: expression: invalid type: boolean `true`, expected a string")]
#[case("    expression: 'true'\n    name: privileged\n", "shop.yaml:8:11: name: `privileged` is a rule of the program")]
#[case("    expression: 'true'\n    name: a b\n", "shop.yaml:8:11: name: `a b` must be a letter, then letters, digits and `-`")]
#[case("    expression: 'true'\n  - {id: SHOP001, title: t, severity: error, expression: 'true'}\n", "shop.yaml:8:5: a rule SHOP001 is in this set already")]
fn a_bad_rule_is_refused_with_its_place(#[case] rule: &str, #[case] expected: &str) {
    let error = PolicySet::parse(&text(rule), "shop.yaml").expect_err("must be refused").to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn kinds_and_versions_choose_the_objects() {
    let set = |choice: &str| PolicySet::parse(&format!("name: x\ncustom: [{{id: X, title: t, severity: info, expression: 'false', {choice}}}]\n"), "x.yaml").expect("good");
    let resources = |choice: &str| -> Vec<String> { check(&objects(WEB), &set(choice), &[], TODAY).into_iter().map(|one| one.resource).collect() };
    assert_eq!(resources("kinds: []").len(), 3);
    assert_eq!(resources("apiVersions: [policy/v1]"), ["PodDisruptionBudget shop/web"]);
    assert_eq!(resources("kinds: [Deployment], apiVersions: [apps/v1beta1]"), Vec::<String>::new());
    assert_eq!(resources("kinds: [Deployment, HorizontalPodAutoscaler]").len(), 2);
}

#[test]
fn a_message_that_fails_falls_back() {
    let rule = "    expression: 'false'\n    message: said plainly\n    messageExpression: ";
    assert_eq!(said(&format!("{rule}object.gone\n")), "said plainly");
    assert_eq!(said(&format!("{rule}'1'\n")), "said plainly");
    assert_eq!(said(&format!("{rule}'\"made\"'\n")), "made");
}

#[test]
fn waivers_and_severities_hold_for_custom_rules() {
    let waiver = |rule: &str| Waiver {
        rule: rule.to_owned(),
        resource: "Deployment/web".to_owned(),
        reason: "known".to_owned(),
        owner: "ann".to_owned(),
        expires: "2027-01-01".to_owned(),
    };
    let set = set("    name: never\n    expression: 'false'\n");
    for rule in ["SHOP001", "never"] {
        let findings = check(&objects(WEB), &set, &[waiver(rule)], TODAY);
        assert_eq!((findings.len(), findings[0].waived.is_some()), (1, true), "{rule}");
    }
    let of_others = check(&objects(WEB), &set, &[waiver("PRM001")], TODAY);
    assert_eq!(of_others.len(), 1, "a rule of a set that ships, which is not asked");
    let unknown = check(&objects(WEB), &set, &[waiver("SHOP002")], TODAY);
    assert!(unknown.iter().any(|finding| finding.message == "there is no rule SHOP002"));
}

#[test]
fn a_set_adds_to_the_one_that_it_extends() {
    let folder = std::env::temp_dir().join(format!("gauntlet-sets-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("folder");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("writes");
    write("base.yaml", "name: base\nextends: production\nrules: {min-replicas: {severity: off}}\ncustom:\n  - {id: B1, name: most, title: t, severity: error, kinds: [Deployment], expression: object.spec.replicas <= params.most, parameters: {most: 5}}\n");
    write("top.yaml", "name: top\nextends: base.yaml\nrules:\n  latest-tag: {severity: info}\n  most: {severity: warning, parameters: {most: 1}}\n");
    let top = PolicySet::read(&folder.join("top.yaml")).expect("reads");
    let rule = |name| gauntlet_policies::registry::find(name).expect("there");
    assert_eq!(top.severity(rule("min-replicas")), None);
    assert_eq!(top.severity(rule("latest-tag")), Some(Severity::Info));
    assert_eq!(top.severity(rule("privileged")), Some(Severity::Error));
    let findings = check(&objects(WEB), &top, &[], TODAY);
    assert!(findings.iter().any(|finding| finding.rule == "B1" && finding.severity == Severity::Warning));
    let refused = |text: &str| {
        write("bad.yaml", text);
        PolicySet::read(&folder.join("bad.yaml")).expect_err("refused").to_string()
    };
    assert!(refused("name: x\nextends: nothing\n").contains("bad.yaml:2:10: there is no set `nothing`"));
    assert!(refused("name: x\nextends: bad.yaml\n").contains("bad.yaml:2:10: `bad.yaml` extends this set already"));
    assert!(refused("name: x\nextends: base.yaml\nrules: {most: {severity: error, parameters: {least: 1}}}\n").contains("most has no parameter `least`; it has: most"));
    assert!(refused("name: x\nextends: base.yaml\nrules: {most: {severity: error, parameters: {most: many}}}\n").contains("must be like 5, not \"many\""));
    assert!(refused("name: x\nextends: base.yaml\nrules: {most: {severity: error, since: '1.30'}}\n").contains("it has no `since` or `until`"));
    std::fs::remove_dir_all(&folder).expect("removes");
}

/// Expressions that go on for ever, or that grow what they hold, end soon and say so.
#[rstest::rstest]
#[case("[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, [1,2,3,4,5,6,7,8,9,10].all(g, [1,2,3,4,5,6,7,8,9,10].all(h, true))))))))")]
#[case("['xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'].map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).map(a,a+a).size() == 1")]
#[case("[1].map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).map(a,[a,a]).size() == 1")]
#[case("[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, 'a'.matches('(a|b|c){1,50}'))))))")]
#[case("[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, object == object)))))")]
fn work_is_bounded(#[case] expression: &str) {
    let start = Instant::now();
    assert!(said(&format!("    expression: |\n      {expression}\n")).ends_with("it goes through too much"));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn a_rule_that_is_too_dear_everywhere_stops_early() {
    let many: String = (0..400).map(|at| format!("---\n{}", WEB.split("---").next().unwrap_or_default().replace("name: web, n", &format!("name: web-{at}, n")))).collect();
    let dear = "    expression: |\n      [1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, true))))))\n";
    let findings = check(&objects(&many), &set(dear), &[], TODAY);
    assert!((2..30).contains(&findings.len()), "{}", findings.len());
    let ends: Vec<&str> = findings.iter().filter_map(|finding| finding.message.split("goes through too much").nth(1)).collect();
    assert_eq!(ends.iter().filter(|end| **end == ": it is asked no further").count(), 1, "{ends:?}");
}

#[test]
fn the_manual_page_has_the_sections_of_every_rule() {
    let set = set("    expression: 'false'\n    why: Because.\n    fix: So.\n    parameters: {most: 3}\n");
    insta::assert_snapshot!(set.find_custom("SHOP001").expect("there").manual(), @r"
    It holds

    ## What it does
    Asks of Deployment, in CEL, at shop.yaml:7:18:
    ```cel
    false
    ```

    ## Why it matters
    Because.

    ## How to mend it
    So.

    ## Parameters
    - `most`: 3
    ");
}
