//! Every object is of a kind that the Kubernetes version has.
//!
//! ## What it does
//! Reports objects of Kubernetes' own API groups whose kind or version the Kubernetes that is judged for
//! (`--kubernetes`, 1.20 to 1.36) does not have, with the releases that have it or the version to use. Reports custom
//! resources whose version their CustomResourceDefinition does not serve. What Kubernetes removed and replaced is for
//! `removed-api`; kinds that nothing describes are for `undescribed-kind`.
//!
//! ## Why it matters
//! The API server has no place for the object: the deployment stops there.
//!
//! ## How to mend it
//! Write the `apiVersion` and the `kind` that the finding names, or judge for the version that the cluster runs.
//!
//! ## Example
//! ```yaml
//! apiVersion: apps/v1
//! kind: Deploymnet # reported: did you mean Deployment?
//! ```

use crate::rule::{Context, Rule};
use crate::schema::Flaw;

/// The rule.
pub const RULE: Rule =
    Rule { id: "SCH011", name: "unknown-kind", parameters: &[], source: include_str!("unknown_kind.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    context.report(Flaw::UnknownKind);
}
