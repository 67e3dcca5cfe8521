//! Every custom resource is described by a CustomResourceDefinition that is known.
//!
//! ## What it does
//! Names the kinds that are not Kubernetes' own and that no CustomResourceDefinition among the manifests or of `--crds`
//! describes, once for each kind, at its first object. Nothing else is said about the fields of such objects. The
//! parameter `elsewhere` lists API groups whose definitions are known to stand elsewhere: they are not named.
//!
//! ## Why it matters
//! A field that is wrong in such an object is found by the cluster only.
//!
//! ## How to mend it
//! Give the definitions with `--crds`, or add the API group to `elsewhere` in the policy set.
//!
//! ## Example
//! ```yaml
//! apiVersion: example.org/v1
//! kind: Database # reported, unless its definition is among the manifests
//! ```

use crate::rule::{Context, Rule};
use crate::schema::Flaw;
use std::collections::BTreeMap;

/// The rule.
pub const RULE: Rule = Rule {
    id: "SCH016",
    name: "undescribed-kind",
    parameters: &[("elsewhere", "[]")],
    source: include_str!("undescribed_kind.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    let elsewhere = context.parameter("elsewhere");
    let is_elsewhere = |group: &str| elsewhere.as_array().is_some_and(|groups| groups.iter().any(|it| it == group));
    let mut kinds: BTreeMap<(&str, &str), Vec<_>> = BTreeMap::new();
    for problem in context.flaws(Flaw::UndescribedKind).filter(|it| !is_elsewhere(it.object.group())) {
        kinds.entry((&problem.object.api_version, &problem.object.kind)).or_default().push(problem);
    }
    for problems in kinds.values() {
        let Some(first) = problems.first() else { continue };
        let count = match problems.len() {
            1 => "1 object is".to_owned(),
            count => format!("{count} objects are"),
        };
        context.at(first, format!("{}: {count} not judged by a schema", first.message));
    }
}
