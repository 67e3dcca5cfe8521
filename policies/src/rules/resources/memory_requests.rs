//! Every container says how much memory it needs.
//!
//! ## What it does
//! Reports containers without a request for memory. As in the API server, a limit counts as the request, what the pod as a
//! whole asks for counts, and so does what a LimitRange of the namespace gives.
//!
//! ## Why it matters
//! When a node runs out of memory, pods without requests are killed first.
//!
//! ## How to mend it
//! Set `resources.requests.memory` to what the container uses in normal times.
//!
//! ## Example
//! ```yaml
//! containers:
//!   - name: web # reported: no request for memory
//!     resources: {}
//! ```

use crate::demand::{Kind, report_missing};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "RES002", name: "memory-requests", parameters: &[], source: include_str!("memory_requests.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    report_missing(context, Kind::Requests, "memory");
}
