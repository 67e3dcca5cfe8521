//! Every container's memory is bounded.
//!
//! ## What it does
//! Reports containers without a memory limit, where neither the pod as a whole has one nor a LimitRange of the namespace
//! gives one.
//!
//! ## Why it matters
//! A leak in one container takes the memory of the whole node, and the kernel kills others for it.
//!
//! ## How to mend it
//! Set `resources.limits.memory`.
//!
//! ## Example
//! ```yaml
//! containers:
//!   - name: web # reported: no limit for memory
//!     resources: {}
//! ```

use crate::demand::{Kind, report_missing};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "RES003", name: "memory-limits", parameters: &[], source: include_str!("memory_limits.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    report_missing(context, Kind::Limits, "memory");
}
