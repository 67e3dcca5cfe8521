//! Whatever stands in a manifest, the rules answer: objects of every kind with values of the wrong type in any place.

use gauntlet_fixtures::manifest::{Dialect, Object, parse};
use gauntlet_policies::registry::RULES;
use gauntlet_policies::{PolicySet, check};
use proptest::prelude::*;
use std::path::Path;
use std::sync::LazyLock;

/// Every manifest of the rules' data, as JSON.
static SEEDS: LazyLock<Vec<serde_json::Value>> = LazyLock::new(|| {
    let mut seeds = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).expect("reads");
                let documents = parse(&bytes, "seed.yaml", Dialect::Kubectl).expect("parses");
                seeds.extend(documents.iter().map(|document| document.to_json()));
            }
        }
    }
    seeds
});

/// Every rule, those too that are off by default.
static EVERYTHING: LazyLock<PolicySet> = LazyLock::new(|| {
    let rules: String = RULES.iter().map(|rule| format!("  {}: {{severity: error}}\n", rule.name)).collect();
    PolicySet::parse(&format!("name: everything\nrules:\n{rules}{CUSTOM}"), "everything.yaml").expect("good")
});

/// Rules in CEL that go everywhere.
const CUSTOM: &str = "custom:
  - {id: X1, title: t, severity: info, kinds: [Deployment], field: 'spec.template.spec.containers[*].ports[0].name', expression: self.size() > 1, messageExpression: 'string(self)'}
  - {id: X2, title: t, severity: info, kinds: [Deployment], expression: 'object.spec.all(k, has(object.spec[k].x) && object.spec[k].x in object.metadata.labels)'}
  - {id: X3, title: t, severity: info, kinds: [Deployment], field: spec.replicas, expression: 'scaler.spec.minReplicas * self - int(quantity(string(self))) % self > 0'}
  - {id: X4, title: t, severity: info, kinds: [Deployment], field: 'metadata.annotations', expression: 'self.map(k, self[k].matches(k) || k.split(self[k]).size() > self[k].indexOf(k)).size() == budgets.size() + networkPolicies.size() + services.size()'}
";

/// Puts a value into the place that the numbers lead to.
fn put(node: &mut serde_json::Value, path: &[u8], value: &serde_json::Value) {
    let Some((first, rest)) = path.split_first() else {
        *node = value.clone();
        return;
    };
    let child = match node {
        serde_json::Value::Object(map) if !map.is_empty() => {
            let index = usize::from(*first) % map.len();
            map.values_mut().nth(index)
        }
        serde_json::Value::Array(items) if !items.is_empty() => {
            let index = usize::from(*first) % items.len();
            items.get_mut(index)
        }
        _ => None,
    };
    match child {
        Some(child) => put(child, rest, value),
        None => *node = value.clone(),
    }
}

fn odd_value() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        Just(serde_json::json!(null)),
        Just(serde_json::json!(i64::MIN)),
        Just(serde_json::json!(i64::MAX)),
        Just(serde_json::json!(u64::MAX)),
        Just(serde_json::json!(-0.5)),
        Just(serde_json::json!("9223372036854775807%")),
        Just(serde_json::json!("-9223372036854775808%")),
        Just(serde_json::json!("")),
        Just(serde_json::json!("é%://:@ö")),
        Just(serde_json::json!([])),
        Just(serde_json::json!([[{}], null, "x"])),
        Just(serde_json::json!({})),
        Just(serde_json::json!({"a": {"b": null}})),
        Just(serde_json::json!(true)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn wrong_values_anywhere_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..9), odd_value()), 1..60)
    ) {
        let mut all = SEEDS.clone();
        for (which, path, value) in &changes {
            let which = which.index(all.len());
            put(&mut all[which], path, value);
        }
        let text: String = all.iter().map(|one| format!("---\n{one}\n")).collect();
        let documents = parse(text.as_bytes(), "x.yaml", Dialect::Kubectl).expect("JSON parses");
        let objects: Vec<Object> = documents.into_iter().filter_map(|document| Object::from_node(document).ok()).collect();
        let findings = check(&objects, &EVERYTHING, &[], "2026-01-01");
        prop_assert!(findings.iter().all(|finding| finding.location.line > 0));
    }
}
