//! Every value is of its field's type.
//!
//! ## What it does
//! Reports text where the kind takes a number, a mapping where it takes a list, and the like, as the API server decodes
//! them: `3.0` is a whole number, `"3"` is none, ports of Services are both, `null` is as good as nothing. Custom
//! resources are judged by their CustomResourceDefinition. Labels and annotations are for `label-values`.
//!
//! ## Why it matters
//! The API server cannot read the object and refuses it. `value: 8080` of an environment variable is the usual case.
//!
//! ## How to mend it
//! Write the value as the finding says; numbers and truth values that are meant as text need quotes.
//!
//! ## Example
//! ```yaml
//! env:
//!   - {name: PORT, value: 8080} # reported: "8080" is meant
//! ```

use crate::rule::{Context, Rule};
use crate::schema::Flaw;

/// The rule.
pub const RULE: Rule =
    Rule { id: "SCH013", name: "wrong-type", parameters: &[], source: include_str!("wrong_type.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    context.report(Flaw::WrongType);
}
