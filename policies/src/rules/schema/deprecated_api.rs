//! No object uses an API version that will be removed.
//!
//! ## What it does
//! Reports objects whose API version is deprecated in the Kubernetes version that is judged for (`--kubernetes`), but still served there. What is removed
//! already is for `removed-api`.
//!
//! ## Why it matters
//! The next upgrade of the cluster refuses the object, in the middle of an upgrade.
//!
//! ## How to mend it
//! Move to the version that the finding names; fields may have other names there.
//!
//! ## Automatic fix
//! Writes the new version where fields and defaults are the same there: CronJob, PodDisruptionBudget with a selector,
//! HorizontalPodAutoscaler of v2beta2, roles and their bindings, StorageClass and some more.
//!
//! ## Example
//! ```yaml
//! apiVersion: v1
//! kind: Endpoints # reported from 1.33 on: use EndpointSlice
//! ```

use super::api_versions::retired;
use super::same_fields::{WHY_SAFE, successor};
use crate::fix::replace;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule = Rule {
    id: "SCH003",
    name: "deprecated-api",
    parameters: &[],
    source: include_str!("deprecated_api.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    let release = context.kubernetes;
    for object in context.index.objects() {
        let Some(entry) = retired(&object.api_version, &object.kind) else { continue };
        let served = entry.removed.is_none_or(|removed| !release.is_at_least(removed));
        let Some(field) = Field::root(&object.root).get("apiVersion").filter(|_| served && release.is_at_least(entry.deprecated)) else { continue };
        let end = entry.removed.map_or_else(String::new, |removed| format!(", and 1.{removed} removes it"));
        let (version, kind, since, instead) = (entry.version, &object.kind, entry.deprecated, entry.instead);
        context.wrong(object, &field, format!("{version} {kind} is deprecated since Kubernetes 1.{since}{end}: use {instead}"));
        if let Some(successor) = successor(object) {
            context.fix(WHY_SAFE, [replace(&field, successor)]);
        }
    }
}
