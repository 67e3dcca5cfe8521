//! Automatic fixes: they mend what they are for, nothing else, and once.

use gauntlet_fixtures::manifest::{Dialect, Object, parse};
use gauntlet_policies::mend::{Mended, mend};
use gauntlet_policies::registry::{RULES, find};
use gauntlet_policies::{Kubernetes, PolicySet, check};
use gauntlet_reports::finding::Finding;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn objects(text: &[u8]) -> Vec<Object> {
    let documents = parse(text, "x.yaml", Dialect::Kubectl).expect("parses");
    documents.into_iter().flat_map(|document| Object::flatten(document).expect("objects")).collect()
}

fn findings(text: &[u8], set: &PolicySet) -> Vec<Finding> {
    check(&objects(text), set, &[], "2026-01-01")
}

fn prints(findings: &[Finding]) -> BTreeSet<String> {
    findings.iter().map(Finding::fingerprint).collect()
}

fn everything() -> PolicySet {
    // Stricter and weaker words on one thing: what the restricted standard asks for is asked here too.
    let rules: String = RULES.iter().map(|rule| format!("  {}: {{severity: error}}\n", rule.name)).collect();
    PolicySet::parse(&format!("name: everything\nrules:\n{rules}"), "everything.yaml").expect("good")
}

fn fail_data(rule: &str) -> Vec<PathBuf> {
    let folder = |rule: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/{rule}/fail"));
    let of = |rule: &str| std::fs::read_dir(folder(rule)).expect("folder").map(|entry| entry.expect("entry").path()).collect::<Vec<PathBuf>>();
    let mut files = of(rule);
    // What is removed today was deprecated before.
    if rule == "deprecated-api" {
        files.extend(of("removed-api"));
    }
    files.sort();
    files
}

/// Mends until nothing is left to mend, as the command does.
fn mended(text: &[u8], set: &PolicySet) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..4 {
        let Mended { text: new, fixed, refused } = mend(&text, "x.yaml", &findings(&text, set));
        assert_eq!(refused, vec![], "{}", String::from_utf8_lossy(&text));
        if fixed.is_empty() {
            return text;
        }
        text = new;
    }
    text
}

#[test]
fn every_fix_of_the_rules_data_mends_its_finding_and_makes_no_new_one() {
    let everything = everything();
    let mut rules = BTreeSet::new();
    for rule in RULES {
        for file in fail_data(rule.name) {
            let text = std::fs::read(&file).expect("reads");
            for minor in [24, 26, 36] {
                let kubernetes: Kubernetes = format!("1.{minor}").parse().expect("version");
                let set = PolicySet::only(rule).for_kubernetes(kubernetes);
                let all = everything.clone().for_kubernetes(kubernetes);
                let before = findings(&text, &set);
                let Mended { text: new, fixed, refused } = mend(&text, "x.yaml", &before);
                assert_eq!(refused, vec![], "{}", file.display());
                if fixed.is_empty() {
                    continue;
                }
                rules.insert(rule.name);
                let of = |positions: &[usize]| positions.iter().map(|at| before[*at].fingerprint()).collect::<BTreeSet<_>>();
                let after = findings(&new, &set);
                let left: Vec<_> = prints(&after).intersection(&of(&fixed)).cloned().collect();
                assert_eq!(left, Vec::<String>::new(), "{} in {}", rule.id, file.display());
                let (old_all, new_all) = (findings(&text, &all), findings(&new, &all));
                let new_ones: Vec<_> = prints(&new_all).difference(&prints(&old_all)).cloned().collect();
                assert_eq!(new_ones, Vec::<String>::new(), "{} in {} at 1.{minor}", rule.id, file.display());
                assert_eq!(mend(&new, "x.yaml", &after).fixed, Vec::<usize>::new(), "{}: a second run finds something", file.display());
            }
        }
    }
    assert!(rules.len() >= 12, "{rules:?}");
    for rule in RULES {
        let promised = !rule.section("Automatic fix").is_empty();
        // What psa-admission finds is other rules' work.
        assert!(rules.contains(rule.name) == promised || rule.name == "psa-admission", "{}: the manual page and the data do not agree on an automatic fix", rule.name);
    }
}

#[test]
fn comments_lines_and_order_of_the_data_stay() {
    let everything = everything();
    for rule in RULES {
        for file in fail_data(rule.name) {
            let text = std::fs::read_to_string(&file).expect("reads");
            let new = String::from_utf8(mended(text.as_bytes(), &everything)).expect("text");
            let mut lines = new.lines();
            for line in text.lines().filter(|line| line.trim_start().starts_with('#')) {
                assert!(lines.any(|it| it == line), "{}: {line:?} is lost", file.display());
            }
            assert_eq!(new.ends_with('\n'), text.ends_with('\n'), "{}", file.display());
            let dos = mended(text.replace('\n', "\r\n").as_bytes(), &everything);
            assert_eq!(String::from_utf8(dos).expect("text"), new.replace('\n', "\r\n"), "{}", file.display());
        }
    }
}

const WEB: &str = "# web
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {version: 1.10, app: web} # the label
spec:
  template:
    spec:
      securityContext:
        runAsUser: 1000
      containers:
        - name: web
          image: k8s.gcr.io/web:1.0   # old place
          ports: [{containerPort: 8080}]
        # the helper
        - {name: helper, image: 'https://example.org/helper:2.0'}
---
apiVersion: batch/v1beta1
kind: CronJob
metadata: {name: clean}
spec:
  schedule: 'CRON_TZ=Europe/Berlin 0 3 * * *'
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: []}}}}
";

#[test]
fn several_fixes_go_together_and_later_ones_build_on_earlier_ones() {
    let set = everything();
    let new = mended(WEB.as_bytes(), &set);
    insta::assert_snapshot!(String::from_utf8(new.clone()).expect("text"), @r#"
    # web
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: web
      labels: {version: "1.10", app: web} # the label
    spec:
      template:
        spec:
          securityContext:
            runAsUser: 1000
            seccompProfile:
              type: RuntimeDefault
          containers:
            - name: web
              image: registry.k8s.io/web:1.0   # old place
              ports: [{containerPort: 8080}]
              securityContext:
                allowPrivilegeEscalation: false
                runAsNonRoot: true
                capabilities:
                  drop: [ALL]
            # the helper
            - {name: helper, image: 'example.org/helper:2.0', securityContext: {allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: [ALL]}}}
    ---
    apiVersion: batch/v1
    kind: CronJob
    metadata: {name: clean}
    spec:
      schedule: '0 3 * * *'
      jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: []}}}}
      timeZone: Europe/Berlin
    "#);
    assert_eq!(mend(&new, "x.yaml", &findings(&new, &set)).fixed, Vec::<usize>::new());
}

#[test]
fn what_is_not_certain_is_left_to_a_person() {
    let case = |rule: &str, text: &str| {
        let set = PolicySet::only(find(rule).expect("there"));
        let found = findings(text.as_bytes(), &set);
        assert!(!found.is_empty(), "{rule}: {text}");
        assert!(found.iter().all(|finding| finding.automatic.is_none()), "{rule}: {text}");
    };
    let pod = |rest: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: c, image: 'c:1', {rest}}}]}}\n");
    case("privilege-escalation", &pod("securityContext: {allowPrivilegeEscalation: true}"));
    case("privilege-escalation", &pod("securityContext: {privileged: true}"));
    case("privilege-escalation", &pod("securityContext: {capabilities: {add: [SYS_ADMIN]}}"));
    case("privilege-escalation", &pod("ports: [{containerPort: 80}]"));
    case("privilege-escalation", &pod("command: [sh, -c, 'sudo run']"));
    case("seccomp-runtime-default", &pod("securityContext: {seccompProfile: {type: Unconfined}}"));
    case("seccomp-runtime-default", &pod("securityContext: {capabilities: {add: [SYS_PTRACE]}}"));
    case("drop-all-capabilities", &pod("securityContext: {allowPrivilegeEscalation: false}"));
    case("drop-all-capabilities", &pod("securityContext: {runAsNonRoot: true}"));
    case("drop-all-capabilities", &pod("securityContext: {runAsUser: 0, runAsNonRoot: true, allowPrivilegeEscalation: false}"));
    case("run-as-non-root", &pod("tty: true"));
    case("run-as-non-root", &pod("securityContext: {runAsUser: 0}"));
    case("read-only-root-fs", &pod("tty: true"));
    case("image-pull-policy", "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: 'c:latest', imagePullPolicy: IfNotPresent}]}\n");
    let budget = |selector: &str| format!("apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {{name: p}}\nspec: {{minAvailable: 1, selector: {selector}}}\n");
    case("removed-api", &budget("{}"));
    case("removed-api", &budget("{matchLabels: {}}"));
    case("removed-api", "apiVersion: networking.k8s.io/v1beta1\nkind: Ingress\nmetadata: {name: i}\n");
}

#[test]
fn waived_findings_and_shared_values_stay() {
    let set = PolicySet::only(find("label-values").expect("there"));
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: &all {version: 1.0}\n  annotations: *all\n";
    let mut found = findings(text.as_bytes(), &set);
    let outcome = mend(text.as_bytes(), "x.yaml", &found);
    assert_eq!((outcome.fixed.len(), outcome.text.as_slice()), (0, text.as_bytes()));
    assert!(outcome.refused[0].1.to_string().contains("shared through an anchor"), "{:?}", outcome.refused);
    found.iter_mut().for_each(|finding| finding.waived = Some("so be it".to_owned()));
    assert_eq!(mend(text.as_bytes(), "x.yaml", &found).refused, vec![]);
}
