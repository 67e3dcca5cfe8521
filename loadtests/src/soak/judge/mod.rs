//! The soak's assertions, made of what was seen. Pure.

mod connections;
mod delivery;
mod latency;
mod memory;
mod pipeline;

pub(super) use connections::PER_POD;

use super::facts::Facts;
use gauntlet_reports::run::Assertion;

/// Single things that are named in a reason.
const SHOWN: usize = 5;

/// Every assertion after the refused upgrades'. When the connections could not be opened, or nothing came over them, the
/// others say nothing: they would all hold.
pub(super) fn all(facts: &Facts) -> Vec<Assertion> {
    let first = [connections::held(facts), delivery::events_flowed(facts)];
    let mut rest = delivery::all(facts);
    rest.extend(latency::all(facts));
    rest.extend(connections::all(facts));
    rest.push(memory::memory(facts));
    rest.extend(pipeline::upstream(facts));
    rest.extend(pipeline::scaling(facts));
    let [held, flowed] = first;
    let not_judged = |a: Assertion, why: &str| Assertion::inconclusive(a.id, a.expected, why);
    if facts.opened_ms.is_none() {
        let why = "the connections could not be opened";
        return std::iter::once(held).chain([flowed].into_iter().chain(rest).map(|a| not_judged(a, why))).collect();
    }
    if facts.events() == 0 {
        let why = "no event came over any connection";
        return std::iter::once(flowed).chain([held].into_iter().chain(rest).map(|a| not_judged(a, why))).collect();
    }
    [flowed, held].into_iter().chain(rest).collect()
}

/// The first few of many, for people.
fn shown(all: impl IntoIterator<Item = String>, count: usize) -> String {
    let first: Vec<_> = all.into_iter().take(SHOWN).collect();
    let more = count.saturating_sub(first.len());
    if more > 0 { format!("{} and {more} more", first.join("; ")) } else { first.join("; ") }
}

/// A time on the run's clock, for people.
fn at(ms: u64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}

#[cfg(test)]
mod tests;
