//! Every value is one that its field takes.
//!
//! ## What it does
//! Reports values of the right type that the kind does not take: other values than an enumeration has, numbers out of
//! range, text that is no quantity, no time or no base64 where one belongs. Custom resources are judged by what their
//! CustomResourceDefinition asks for: `enum`, `pattern`, `minimum`, `maxItems`, `oneOf`, keys of lists and the like, but
//! not by its rules in CEL.
//!
//! ## Why it matters
//! The API server refuses the object: the deployment stops there.
//!
//! ## How to mend it
//! Use one of the values that the finding names; upper and lower case count.
//!
//! ## Example
//! ```yaml
//! ports:
//!   - {port: 80, protocol: tcp} # reported: expected TCP, UDP or SCTP
//! ```

use crate::rule::{Context, Rule};
use crate::schema::Flaw;

/// The rule.
pub const RULE: Rule =
    Rule { id: "SCH015", name: "invalid-value", parameters: &[], source: include_str!("invalid_value.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    context.report(Flaw::InvalidValue);
}
