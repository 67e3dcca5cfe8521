//! The workflow files of GitHub Actions and GitLab, checked by their linters: actionlint, and the schemas that GitLab and
//! GitHub's users keep, as the package check-jsonschema ships them. What they run must be what this program knows.

use crate::provision::cache::Cache;
use crate::provision::context::Context;
use crate::provision::parts::Parts;
use crate::provision::{go_binaries, wheels};
use clap::Parser as _;
use gauntlet_fixtures::manifest::read_typed;
use gauntlet_reports::clock::Clock;
use gauntlet_reports::recorder::Recorder;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

const GITHUB: &str = ".github/workflows/verify.yml";
const GITLAB: &str = ".gitlab-ci.yml";
const REGISTRIES: &str = "needs package registries: cargo xtask test";

fn repo() -> PathBuf {
    crate::pipeline::repo()
}

fn read(path: &str) -> Value {
    read_typed(&repo().join(path)).expect("the workflow file is YAML")
}

/// Every text below a value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// The lines that call this program, with their variables filled in as each kind of event does.
fn commands(path: &str) -> Vec<Vec<String>> {
    let file = read(path);
    let profiles = ["quick", "standard", "certify"];
    let filled = profiles.iter().zip(["--platform globeco", "", ""]).flat_map(|(profile, platform)| {
        let lines = texts(&file).into_iter().flat_map(str::lines).map(str::trim).filter(|l| l.starts_with("cargo xtask "));
        lines.map(|l| l.replace("\"$PROFILE\"", profile).replace("$PLATFORM", platform)).collect::<Vec<_>>()
    });
    filled.map(|line| line.split_whitespace().skip(1).map(str::to_owned).collect()).collect()
}

#[test]
fn every_command_of_the_workflow_files_is_one_that_we_have() {
    for path in [GITHUB, GITLAB] {
        let commands = commands(path);
        for verb in ["verify", "selftest"] {
            assert!(commands.iter().any(|c| c[1] == verb), "{path} never calls {verb}");
        }
        for words in commands {
            assert!(!words.iter().any(|w| w.contains('$')), "{path}: an unknown variable in {words:?}");
            if let Err(error) = crate::Cli::try_parse_from(&words) {
                panic!("{path}: {words:?}: {error}");
            }
        }
    }
}

/// The folder that `verify --out` of a workflow file writes to.
fn report_folder(path: &str) -> String {
    let commands = commands(path);
    let verify = commands.iter().find(|c| c[1] == "verify").expect("verify is called");
    let at = verify.iter().position(|w| w == "--out").expect("--out");
    verify[at + 1].clone()
}

#[test]
fn reports_are_kept_whatever_the_verdict() {
    let github = read(GITHUB);
    let steps = github.pointer("/jobs/verify/steps").and_then(Value::as_array).expect("steps");
    let upload = steps.iter().find(|s| s["uses"].as_str().is_some_and(|u| u.starts_with("actions/upload-artifact@"))).expect("an upload");
    assert_eq!((upload["if"].as_str(), upload["with"]["path"].as_str()), (Some("always()"), Some(report_folder(GITHUB).as_str())));
    assert_eq!(upload["with"]["if-no-files-found"], "error", "a report that is not there must not look kept");

    let (gitlab, folder) = (read(GITLAB), report_folder(GITLAB));
    let kept = &gitlab[".verify"]["artifacts"];
    assert_eq!((kept["when"].as_str(), kept["paths"][0].as_str()), (Some("always"), Some(format!("{folder}/").as_str())));
    assert_eq!(kept["reports"]["junit"], format!("{folder}/junit.xml"));
    // The folder is kept whole: it holds what every renderer writes.
    for file in ["junit.xml", "findings.sarif", "report.html"] {
        assert!(gauntlet_reports::render::FILES.contains(&file), "{file} is not among the reports");
    }
}

fn context() -> Context {
    let cache = Cache::locate().expect("cache");
    Context { cache, repo: repo(), recorder: Recorder::in_memory(Clock::start()), no_provision: true }
}

/// The schema that check-jsonschema ships.
async fn schema(name: &str) -> jsonschema::Validator {
    let ctx = context();
    let parts = Parts::load(&ctx.fixtures()).expect("parts");
    let wheel = parts.wheels.iter().find(|w| w.name == name).expect("an entry of parts.yaml");
    let path = wheels::fetch(&ctx, wheel).await.expect(REGISTRIES);
    let schema: Value = serde_json::from_slice(&std::fs::read(path).expect("schema")).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema")
}

fn wrong(schema: &jsonschema::Validator, file: &Value) -> Vec<String> {
    schema.iter_errors(file).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

#[tokio::test]
#[ignore = "needs package registries: cargo xtask test"]
async fn the_schemas_accept_the_workflow_files_and_refuse_broken_ones() {
    let (github, gitlab) = (schema("github-workflows.json").await, schema("gitlab-ci.json").await);
    assert_eq!((wrong(&github, &read(GITHUB)), wrong(&gitlab, &read(GITLAB))), (vec![], vec![]));
    let mut broken = read(GITHUB);
    broken["jobs"]["verify"]["runs-onn"] = "ubuntu-latest".into();
    assert!(!wrong(&github, &broken).is_empty());
    let mut broken = read(GITLAB);
    broken["nightly"]["rules"][0]["when"] = "sometimes".into();
    assert!(!wrong(&gitlab, &broken).is_empty());
}

#[tokio::test]
#[ignore = "needs package registries: cargo xtask test"]
async fn actionlint_has_nothing_to_say_of_the_workflow_and_much_of_a_broken_one() {
    let ctx = context();
    let parts = Parts::load(&ctx.fixtures()).expect("parts");
    let actionlint = go_binaries::build(&ctx, parts.binary("actionlint").expect("an entry of parts.yaml")).await.expect(REGISTRIES);
    // Other linters that it calls when they happen to be installed would make the outcome depend on the machine.
    let lint = |file: &std::path::Path| Command::new(&actionlint).args(["-no-color", "-shellcheck=", "-pyflakes="]).arg(file).output().expect("it runs");
    let good = lint(&repo().join(GITHUB));
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stdout));
    let text = std::fs::read_to_string(repo().join(GITHUB)).expect("read").replace("github.event_name", "github.evnt_name");
    let dir = tempfile::tempdir().expect("dir");
    let file = dir.path().join("verify.yml");
    std::fs::write(&file, text).expect("written");
    let bad = lint(&file);
    assert!(!bad.status.success() && String::from_utf8_lossy(&bad.stdout).contains("evnt_name"), "{}", String::from_utf8_lossy(&bad.stdout));
}
