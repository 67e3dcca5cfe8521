//! Every field that must be there is there.
//!
//! ## What it does
//! Reports objects that lack a field which their kind needs: by Kubernetes' OpenAPI of the version that is judged for,
//! or by their CustomResourceDefinition. What the API server fills in is not asked for, nor what controllers write into
//! the status.
//!
//! ## Why it matters
//! The API server refuses the object: the deployment stops there.
//!
//! ## How to mend it
//! Add the field; the finding says where and what it holds.
//!
//! ## Example
//! ```yaml
//! ports:
//!   - {name: http} # reported: ServicePort needs port
//! ```

use crate::rule::{Context, Rule};
use crate::schema::Flaw;

/// The rule.
pub const RULE: Rule =
    Rule { id: "SCH014", name: "missing-field", parameters: &[], source: include_str!("missing_field.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    context.report(Flaw::MissingField);
}
