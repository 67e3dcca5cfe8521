//! The JSON Schemas for editors: they are of today, and accept what the program accepts.

use gauntlet_fixtures::manifest::{Dialect, parse};
use gauntlet_policies::schemas;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn json(path: &Path) -> Value {
    let bytes = std::fs::read(path).expect("reads");
    let documents = parse(&bytes, &path.to_string_lossy(), Dialect::Kustomize).expect("parses");
    documents[0].to_json()
}

fn refusals(schema: &Value, instance: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).expect("a schema");
    validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[rstest::rstest]
#[case("set", schemas::set())]
#[case("platform", schemas::platform())]
fn the_schemas_are_fresh(#[case] name: &str, #[case] schema: Value) {
    let file = here(&format!("schemas/{name}.schema.json"));
    let fresh = serde_json::to_string_pretty(&schema).expect("schema") + "\n";
    if std::env::var_os("GAUNTLET_BLESS").is_some() {
        std::fs::write(&file, &fresh).expect("writes");
    }
    let stands = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(stands == fresh, "policies/schemas/{name}.schema.json is stale; run GAUNTLET_BLESS=1 cargo test -p gauntlet-policies --test schemas");
}

#[test]
fn every_set_is_valid() {
    let schema = schemas::set();
    for entry in std::fs::read_dir(here("sets")).expect("folder") {
        let path = entry.expect("entry").path();
        assert_eq!(refusals(&schema, &json(&path)), Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn every_platform_is_valid() {
    let schema = schemas::platform();
    for entry in std::fs::read_dir(here("../fixtures/platforms")).expect("folder") {
        let path = entry.expect("entry").path().join("platform.yaml");
        assert_eq!(refusals(&schema, &json(&path)), Vec::<String>::new(), "{}", path.display());
    }
}

#[rstest::rstest]
#[case(r#"{"name": "x", "rules": {"privileged": {"severity": "fatal"}}}"#, "/rules/privileged/severity")]
#[case(r#"{"name": "x", "rules": {"min-replicas": {"severity": "error", "parameters": {"minimum": "two"}}}}"#, "/rules/min-replicas/parameters/minimum")]
#[case(r#"{"name": "x", "rules": {"AVL001": {"severity": "error", "parameters": {"most": 2}}}}"#, "/rules/AVL001/parameters")]
#[case(r#"{"rules": {}}"#, "\"name\" is a required property")]
#[case(r#"{"name": "x", "custom": [{"id": "X", "title": "t", "severity": "error"}]}"#, "\"expression\" is a required property")]
#[case(r#"{"name": "x", "custom": [{"id": "X 1", "title": "t", "severity": "error", "expression": "true"}]}"#, "/custom/0/id")]
#[case(r#"{"name": "x", "rulez": {}}"#, "rulez")]
fn a_bad_set_is_refused(#[case] text: &str, #[case] expected: &str) {
    let refusals = refusals(&schemas::set(), &serde_json::from_str(text).expect("JSON"));
    assert!(refusals.iter().any(|refusal| refusal.contains(expected)), "{refusals:?}");
}

#[test]
fn a_waiver_needs_a_reason_and_a_last_day() {
    let mut platform = json(&here("../fixtures/platforms/globeco/platform.yaml"));
    platform["waivers"] = serde_json::json!([{"rule": "SEC001", "resource": "Deployment/web", "owner": "ann"}]);
    let refusals = refusals(&schemas::platform(), &platform);
    assert!(refusals.iter().any(|refusal| refusal.contains("reason")) && refusals.iter().any(|refusal| refusal.contains("expires")), "{refusals:?}");
}
