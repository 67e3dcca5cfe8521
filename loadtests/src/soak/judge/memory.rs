//! Memory on both sides of the connections.

use super::super::facts::Facts;
use super::shown;
use crate::soak::memory::Memory;
use gauntlet_reports::run::Assertion;

/// What a server may keep after its clients left: so many times what it had before, and so many bytes.
const KEPT: (u64, u64) = (2, 16 << 20);

fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

/// Bytes of this process for each connection; none when it holds less than before.
fn per_connection(memory: &Memory, connections: u32) -> Option<f64> {
    let [before, held, _] = memory.own;
    Some(held?.checked_sub(before?)? as f64 / f64::from(connections))
}

pub(super) fn memory(facts: &Facts) -> Assertion {
    let id = facts.plan.id("memory");
    let expected = format!("after its clients left a server has at most {} times what it had before and {} MiB", KEPT.0, mib(KEPT.1));
    let memory = &facts.memory;
    let own = per_connection(memory, facts.plan.connections).map_or_else(String::new, |b| format!("; {:.1} KiB of client memory a connection", b / 1024.0));
    let pods: Vec<_> = memory.after.iter().filter_map(|(pod, after)| Some((pod, *memory.before.get(pod)?, *after))).collect();
    let told = |(pod, before, after): &(&String, u64, u64)| {
        let held = memory.held.get(*pod).map_or_else(|| "-".to_owned(), |b| mib(*b));
        format!("{pod} {} / {held} / {} MiB", mib(*before), mib(*after))
    };
    let measured = format!("before, with the connections, after: {}{own}", shown(pods.iter().map(told), pods.len()));
    if pods.is_empty() {
        let why = if memory.trouble.is_empty() { "no server was there before and after" } else { memory.trouble.as_str() };
        return Assertion::inconclusive(id, expected, format!("{why}{own}"));
    }
    let fat: Vec<_> = pods.iter().filter(|(_, before, after)| *after > KEPT.0 * before + KEPT.1).collect();
    let reason = format!("memory was not given back: {}", shown(fat.iter().map(|p| told(p)), fat.len()));
    Assertion::check(id, fat.is_empty(), expected, measured, reason)
}
