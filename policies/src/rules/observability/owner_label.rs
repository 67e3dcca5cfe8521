//! Every workload says whose it is.
//!
//! ## What it does
//! Reports workloads and Namespaces that have none of the `labels`, neither as a label nor as an annotation.
//!
//! ## Why it matters
//! At night somebody has to be called, and later somebody has to pay.
//!
//! ## How to mend it
//! Add the label `owner` or `team`.
//!
//! ## Example
//! ```yaml
//! metadata: {name: web, labels: {app: web}} # reported: no owner, no team
//! ```
//!
//! ## Off by default
//! Which label names the owner is each organization's own choice.

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule = Rule {
    id: "OBS004",
    name: "owner-label",
    parameters: &[("labels", r#"["owner", "team", "app.kubernetes.io/managed-by-team"]"#)],
    source: include_str!("owner_label.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    let known: Vec<String> = serde_json::from_value(context.parameter("labels")).unwrap_or_default();
    for object in context.index.objects() {
        let namespace = object.kind == "Namespace" && object.group().is_empty();
        if !namespace && context.index.workload(object).is_none() {
            continue;
        }
        let Some(metadata) = Field::root(&object.root).get("metadata") else { continue };
        let has = |map: &str, key: &str| metadata.get(map).and_then(|map| map.get(key)?.str()).is_some_and(|text| !text.is_empty());
        if !known.iter().any(|key| has("labels", key) || has("annotations", key)) {
            context.whole(object, format!("nobody owns it: it has none of {}", known.join(", ")));
        }
    }
}
