//! Objects carry the labels that tools look for.
//!
//! ## What it does
//! Reports workloads and Services without each of the `labels` (`app.kubernetes.io/name`), on the object itself.
//!
//! ## Why it matters
//! Dashboards, cost reports and `kubectl get -l` find an application by these labels, across teams and tools.
//!
//! ## How to mend it
//! Add the labels to the object, and to the pod template.
//!
//! ## Example
//! ```yaml
//! metadata: {name: web, labels: {app: web}} # reported: no app.kubernetes.io/name
//! ```
//!
//! ## Off by default
//! Which labels a team agreed on is its own choice.

use crate::rule::{Context, Rule};
use crate::selector::labels_of;
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule = Rule {
    id: "OBS003",
    name: "recommended-labels",
    parameters: &[("labels", r#"["app.kubernetes.io/name"]"#)],
    source: include_str!("recommended_labels.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    let wanted: Vec<String> = serde_json::from_value(context.parameter("labels")).unwrap_or_default();
    for object in context.index.objects() {
        let service = object.kind == "Service" && object.group().is_empty();
        if !service && context.index.workload(object).is_none() {
            continue;
        }
        let labels = labels_of(&Field::root(&object.root));
        let missing: Vec<&str> = wanted.iter().map(String::as_str).filter(|key| labels.get(key).is_none_or(|value| value.is_empty())).collect();
        if !missing.is_empty() {
            context.whole(object, format!("it lacks the label {}", missing.join(", ")));
        }
    }
}
