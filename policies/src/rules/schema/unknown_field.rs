//! Every field is one that the kind has.
//!
//! ## What it does
//! Reports fields that the kind does not have in the Kubernetes that is judged for (`--kubernetes`, 1.20 to 1.36), by
//! Kubernetes' own OpenAPI: with the field that may be meant, or with the releases that have it. Custom resources are
//! judged by the CustomResourceDefinitions among the manifests and those of `--crds`; where a definition preserves
//! unknown fields, there are none. Names have one spelling: `Replicas` is not `replicas`.
//!
//! ## Why it matters
//! A probe, a limit or a securityContext that is indented wrongly is not there: the API server drops it, or refuses the
//! whole object.
//!
//! ## How to mend it
//! Correct the name or the indentation. For a field of a newer Kubernetes, say for which one with `--kubernetes`.
//!
//! ## Example
//! ```yaml
//! spec:
//!   replica: 3 # reported: did you mean replicas?
//! ```

use crate::rule::{Context, Rule};
use crate::schema::Flaw;

/// The rule.
pub const RULE: Rule =
    Rule { id: "SCH012", name: "unknown-field", parameters: &[], source: include_str!("unknown_field.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    context.report(Flaw::UnknownField);
}
