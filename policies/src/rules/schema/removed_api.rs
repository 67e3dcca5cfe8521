//! Every object has an API version that the cluster serves.
//!
//! ## What it does
//! Reports objects whose API version is removed in the Kubernetes version that is judged for (`--kubernetes`), with the release that removed it and what
//! to use instead.
//!
//! ## Why it matters
//! The API server refuses the object: the deployment stops there.
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
//! apiVersion: policy/v1beta1 # reported from 1.25 on: use policy/v1
//! kind: PodDisruptionBudget
//! ```

use super::api_versions::retired;
use super::same_fields::{WHY_SAFE, successor};
use crate::fix::replace;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "SCH004", name: "removed-api", parameters: &[], source: include_str!("removed_api.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let release = context.kubernetes;
    for object in context.index.objects() {
        let Some(entry) = retired(&object.api_version, &object.kind) else { continue };
        let Some(removed) = entry.removed.filter(|removed| release.is_at_least(*removed)) else { continue };
        if let Some(field) = Field::root(&object.root).get("apiVersion") {
            let (version, kind, instead) = (entry.version, &object.kind, entry.instead);
            context.wrong(object, &field, format!("{version} {kind} was removed in Kubernetes 1.{removed}: use {instead}"));
            if let Some(successor) = successor(object) {
                context.fix(WHY_SAFE, [replace(&field, successor)]);
            }
        }
    }
}
