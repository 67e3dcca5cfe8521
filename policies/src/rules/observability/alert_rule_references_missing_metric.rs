//! Every alert asks for a metric that there is.
//!
//! ## What it does
//! Reports rules of PrometheusRules, and of rule files in ConfigMaps, that use a recorded metric which no rule of the
//! manifests records. A name with a colon (`job:errors:ratio5m`) is by convention a recorded one. What the usual rules
//! for Kubernetes record is known by `recordedElsewhere`, names or prefixes with `*`. With `metrics` in a policy set,
//! every other metric must be one of these names or prefixes too.
//!
//! ## Why it matters
//! An expression over nothing is empty, and an empty expression raises no alarm: the alert looks armed for years.
//!
//! ## How to mend it
//! Mend the name, or add the rule that records it.
//!
//! ## Example
//! ```yaml
//! groups: [{rules: [{alert: Errors, expr: "job:errors:ratio5m > 0.05"}]}] # reported: nothing records it
//! ```

use super::promql::metrics;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::{Dialect, Field, Node, Object, parse};
use std::collections::{BTreeSet, HashSet};

/// The rule.
pub const RULE: Rule = Rule {
    id: "OBS005",
    name: "alert-rule-references-missing-metric",
    parameters: &[
        ("metrics", "[]"),
        (
            "recordedElsewhere",
            concat!(
                r#"["apiserver_request:*", "cluster:*", "cluster_quantile:*", "code_resource:*", "code_verb:*", "#,
                r#""instance:node_*", "instance_device:*", "namespace_cpu:*", "namespace_memory:*", "namespace_workload_pod:*", "#,
                r#""node:*", "node_quantile:*", "node_namespace_pod:*", "node_namespace_pod_container:*", ":node_memory_*"]"#
            ),
        ),
    ],
    source: include_str!("alert_rule_references_missing_metric.rs"),
    check,
};

/// A rule: its name, its expression and where to show it.
struct Expression<'a> {
    object: &'a Object,
    field: Field<'a>,
    name: String,
    text: String,
}

fn check(context: &mut Context<'_, '_>) {
    let list = |name: &str| -> Vec<String> { serde_json::from_value(context.parameter(name)).unwrap_or_default() };
    let (known, elsewhere) = (list("metrics"), list("recordedElsewhere"));
    let (mut recorded, mut expressions) = (HashSet::new(), Vec::new());
    for object in context.index.of_kind("PrometheusRule") {
        for rule in Field::root(&object.root).items_at("spec.groups").iter().flat_map(|group| group.items_at("rules")) {
            recorded.extend(rule.str_at("record").map(str::to_owned));
            if let (Some(field), name) = (rule.get("expr"), name_of(rule.node)) {
                expressions.push(Expression { object, name, text: field.str().unwrap_or_default().to_owned(), field });
            }
        }
    }
    for object in context.index.of_kind("ConfigMap") {
        let data = Field::root(&object.root).get("data").map(|data| data.entries()).unwrap_or_default();
        for (_, field) in data {
            let text = field.str().filter(|text| text.contains("groups:") && text.contains("expr:")).unwrap_or_default();
            // What is no rule file, or no YAML at all, is for others to judge.
            for document in parse(text.as_bytes(), "rules", Dialect::Kubectl).unwrap_or_default() {
                let groups = document.get("groups").map(Node::items).unwrap_or_default();
                for rule in groups.iter().flat_map(|group| group.get("rules").map(Node::items).unwrap_or_default()) {
                    recorded.extend(rule.get("record").and_then(Node::as_str).map(str::to_owned));
                    let text = rule.get("expr").and_then(Node::as_str).unwrap_or_default().to_owned();
                    expressions.push(Expression { object, name: name_of(rule), text, field: field.clone() });
                }
            }
        }
    }
    for expression in expressions {
        let names: BTreeSet<&str> = metrics(&expression.text).into_iter().collect();
        for name in names.into_iter().filter(|name| !recorded.contains(*name)) {
            let is_in = |list: &[String]| list.iter().any(|known| known.strip_suffix('*').map_or(known == name, |prefix| name.starts_with(prefix)));
            let missing = if known.is_empty() { name.contains(':') } else { !is_in(&known) };
            let missing = missing && !is_in(&elsewhere);
            if missing {
                let what = if name.contains(':') { "no rule records it" } else { "it is not among the known metrics" };
                context.wrong(expression.object, &expression.field, format!("{} asks for {name}, but {what}", expression.name));
            }
        }
    }
}

fn name_of(rule: &Node) -> String {
    let name = |key: &str| rule.get(key).and_then(Node::as_str);
    name("alert").or_else(|| name("record")).unwrap_or("a rule").to_owned()
}
