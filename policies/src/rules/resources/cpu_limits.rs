//! Every container has a limit for CPU.
//!
//! ## What it does
//! Reports containers without `resources.limits.cpu`, where neither the pod as a whole has one nor a LimitRange of the
//! namespace gives one.
//!
//! ## Why it matters
//! Where pods of several owners share nodes, one of them without a limit takes all that the others do not request.
//!
//! ## How to mend it
//! Set `resources.limits.cpu` to what the container may use at its peak.
//!
//! ## Example
//! ```yaml
//! resources: {requests: {cpu: 100m}} # reported
//! ```
//!
//! ## Off by default
//! A limit also slows a container down while its node is idle, and requests alone already share CPU fairly.

use crate::demand::{Kind, report_missing};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "RES004", name: "cpu-limits", parameters: &[], source: include_str!("cpu_limits.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    report_missing(context, Kind::Limits, "cpu");
}
