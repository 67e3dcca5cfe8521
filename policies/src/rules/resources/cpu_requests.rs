//! Every container says how much CPU it needs.
//!
//! ## What it does
//! Reports containers without a request for CPU. As in the API server, a limit counts as the request, what the pod as a
//! whole asks for counts, and so does what a LimitRange of the namespace gives.
//!
//! ## Why it matters
//! The scheduler packs pods without requests onto full nodes, and under load they get what is left over.
//!
//! ## How to mend it
//! Set `resources.requests.cpu` to what the container uses in normal times.
//!
//! ## Example
//! ```yaml
//! containers:
//!   - name: web # reported: no request for cpu
//!     resources: {}
//! ```

use crate::demand::{Kind, report_missing};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "RES001", name: "cpu-requests", parameters: &[], source: include_str!("cpu_requests.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    report_missing(context, Kind::Requests, "cpu");
}
