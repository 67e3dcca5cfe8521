//! What must hold once a rollout is finished. Pure: a [`Snapshot`](super::snapshot::Snapshot) in, an assertion out.

pub mod autoscalers;
pub mod budgets;
pub mod claims;
pub mod endpoints;
pub mod pods;
pub mod spread;
#[cfg(test)]
pub(in crate::deploy) mod objects;

use gauntlet_reports::run::Assertion;
use gauntlet_reports::verdict::Verdict;

/// The platform has no such part.
fn not_applicable(id: &str, expected: &str, reason: &str) -> Assertion {
    Assertion { verdict: Verdict::NotApplicable, ..Assertion::inconclusive(id, expected, reason) }
}
