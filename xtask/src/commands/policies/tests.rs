use super::*;
use clap::Parser;
use std::fs;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: PoliciesArgs,
}

const GOOD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n";
const BAD: &str = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: web}\nrules:\n  - apiGroups: [apps]\n    resources: [deployments]\n    verbs: [get, \"*\"]\n";

pub(super) fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs::write(path, text).expect("writes");
    }
    folder
}

fn outcome(folder: &tempfile::TempDir, path: &str) -> Outcome {
    let args = Cli::parse_from(["policies", &folder.path().join(path).to_string_lossy()]).args;
    judge(&args, None, &PolicySet::production(), "2026-06-15")
}

fn human_text(folder: &tempfile::TempDir, outcome: &Outcome) -> String {
    human::render(outcome, false).replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn a_good_folder_passes() {
    let folder = folder(&[("a.yaml", GOOD)]);
    let outcome = outcome(&folder, "");
    assert_eq!(outcome.verdict(), Verdict::Pass);
    insta::assert_snapshot!(human_text(&folder, &outcome), @"pass: 1 object, 0 errors, 0 warnings, 0 waived");
}

#[test]
fn a_finding_is_shown_with_its_line() {
    let folder = folder(&[("role.yaml", BAD)]);
    let outcome = outcome(&folder, "role.yaml");
    assert_eq!(outcome.verdict(), Verdict::Fail);
    insta::assert_snapshot!(human_text(&folder, &outcome), @r#"
    error[RBA001 wildcard-in-rules]: Role default/web: `*` among its verbs allows everything
     --> role.yaml:7:18
      |
    7 |     verbs: [get, "*"]
      |                  ^^^ rules[0].verbs[1]
      |
      = note: A wildcard also allows what is added to the cluster later, and it hides what is really needed.
      = help: List the verbs and resources that are used.

    fail: 1 object, 1 error, 0 warnings, 0 waived
    "#);
}

#[test]
fn json_has_what_a_program_needs() {
    let folder = folder(&[("role.yaml", BAD), ("broken.yaml", "a: [1\n")]);
    let json = outcome(&folder, "").to_json();
    assert_eq!((&json["verdict"], &json["documents"]), (&json!("fail"), &json!(1)));
    assert_eq!(json["findings"][0]["rule"], "RBA001");
    assert_eq!(json["findings"][0]["location"]["line"], 7);
    assert!(json["errors"][0]["file"].as_str().is_some_and(|file| file.ends_with("broken.yaml")));
}

#[test]
fn one_bad_file_leaves_the_others_judged_and_the_verdict_open() {
    let folder = folder(&[("good.yaml", GOOD), ("bad.yaml", "kind: Pod\nkind: Pod\n")]);
    let outcome = outcome(&folder, "");
    assert_eq!((outcome.verdict(), outcome.documents), (Verdict::Inconclusive, 1));
    assert_eq!(outcome.verdict().exit_code(), 2);
    insta::assert_snapshot!(human_text(&folder, &outcome), @r"
    error: the key `kind` stands here a second time
     --> bad.yaml:2:1
      |
    2 | kind: Pod
      | ^^^^^

    inconclusive: 1 object, 0 errors, 0 warnings, 0 waived, 1 input could not be judged
    ");
}

#[test]
fn nothing_found_is_no_pass() {
    let folder = folder(&[("readme.txt", "")]);
    let outcome = outcome(&folder, "");
    assert_eq!(outcome.verdict(), Verdict::Inconclusive);
    assert!(human_text(&folder, &outcome).contains("no Kubernetes object found"));
}

#[test]
fn patches_are_not_judged_as_objects() {
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: gone}\nspec: {template: {spec: {hostPID: true}}}\n";
    let kustomization = "resources: [role.yaml]\n";
    let folder = folder(&[("kustomization.yaml", kustomization), ("role.yaml", GOOD), ("patches/p.yaml", patch)]);
    assert_eq!(outcome(&folder, "").verdict(), Verdict::Pass);
    assert_eq!(outcome(&folder, "kustomization.yaml").verdict(), Verdict::Pass);
}

const PLATFORM: &str = "name: x\nnamespace: x\nmanifests: {production: m, kind: m}\nwaivers:\n";

#[test]
fn the_waivers_of_the_platform_above_hold() {
    let waiver = "  - {rule: RBA001, resource: Role/web, reason: legacy, owner: ann, expires: 2026-12-31}\n";
    let folder = folder(&[("platform.yaml", &format!("{PLATFORM}{waiver}")), ("m/role.yaml", BAD)]);
    let outcome = outcome(&folder, "m");
    assert_eq!(outcome.verdict(), Verdict::Pass);
    assert_eq!(outcome.findings[0].waived.as_deref(), Some("legacy (ann, until 2026-12-31)"));
}

#[test]
fn an_expired_waiver_fails_at_its_own_place() {
    let waiver = "  - {rule: RBA001, resource: Role/web, reason: legacy, owner: ann, expires: 2026-06-14}\n";
    let folder = folder(&[("platform.yaml", &format!("{PLATFORM}{waiver}")), ("m/role.yaml", BAD)]);
    let outcome = outcome(&folder, "m");
    assert_eq!(outcome.verdict(), Verdict::Fail);
    let complaint = outcome.findings.iter().find(|finding| finding.rule == "WAV001").expect("complaint");
    assert!(complaint.location.file.ends_with("platform.yaml"));
    assert_eq!(complaint.location.line, 5);
}

#[test]
fn a_broken_platform_is_an_error_with_its_place() {
    let folder = folder(&[("platform.yaml", "name: x\nnamspace: x\n"), ("m/a.yaml", GOOD)]);
    let outcome = outcome(&folder, "m");
    assert_eq!(outcome.verdict(), Verdict::Inconclusive);
    assert!(outcome.errors[0].to_string().contains("platform.yaml:2:1: unknown field `namspace`"));
}

#[test]
fn a_set_with_a_rule_of_its_own_judges_and_a_bad_one_is_refused_at_its_place() {
    let rule = |expression: &str| format!("name: x\ncustom:\n  - id: X1\n    title: Roles have no wildcard\n    severity: error\n    kinds: [Role]\n    field: rules[*].verbs\n    expression: {expression}\n");
    let folder = folder(&[("role.yaml", BAD), ("good.set", &rule("\"!('*' in self)\"")), ("bad.set", &rule("\"'*' in selv\""))]);
    let args = Cli::parse_from(["policies", &folder.path().join("role.yaml").to_string_lossy()]).args;
    let outcome = judge(&args, None, &set(&folder.path().join("good.set")).expect("reads"), "2026-06-15");
    assert_eq!(outcome.verdict(), Verdict::Fail);
    insta::assert_snapshot!(human_text(&folder, &outcome), @r#"
    error[X1]: Role default/web: Roles have no wildcard
     --> role.yaml:7:5
      |
    7 |     verbs: [get, "*"]
      |     ^^^^^^ rules[0].verbs

    fail: 1 object, 1 error, 0 warnings, 0 waived
    "#);
    let error = format!("{:#}", set(&folder.path().join("bad.set")).expect_err("refused"));
    assert!(error.contains("bad.set:8:25: expression of X1: there is no `selv`"), "{error}");
}

#[test]
fn definitions_of_a_folder_judge_custom_resources() {
    let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: caches.example.org}\nspec: {group: example.org, \
        scope: Namespaced, names: {kind: Cache, plural: caches}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, \
        properties: {spec: {type: object, properties: {size: {type: integer}}}}}}}]}\n";
    let cache = "apiVersion: example.org/v1\nkind: Cache\nmetadata: {name: a}\nspec: {sise: 1}\n";
    let folder = folder(&[("crds/cache.yaml", definition), ("m/cache.yaml", cache)]);
    let named: Vec<String> = outcome(&folder, "m").findings.into_iter().map(|finding| finding.name).collect();
    assert_eq!(named, ["undescribed-kind"]);
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let args = Cli::parse_from(["policies", &path("m"), "--crds", &path("crds")]).args;
    let set = PolicySet::production().with_definitions(definitions(&args.crds).expect("reads"));
    let found = judge(&args, None, &set, "2026-06-15").findings;
    assert_eq!(found.iter().map(|finding| finding.name.as_str()).collect::<Vec<_>>(), ["unknown-field"]);
    assert!(definitions(&[folder.path().join("none")]).is_err());
}
