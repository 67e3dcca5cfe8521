//! How long events took, and whether they take longer and longer.

use super::super::facts::Facts;
use crate::series::histogram;
use crate::soak::trend::{self, rise};
use gauntlet_reports::run::Assertion;

/// Minutes from which on the 99th percentile is judged too: in fewer, one busy minute makes a trend of it.
const MINUTES_FOR_P99: usize = 6;

pub(super) fn all(facts: &Facts) -> [Assertion; 1] {
    [latency(facts)]
}

/// The host's clock is the producer's and the client's on one machine: elsewhere the difference of two clocks is in it.
fn latency(facts: &Facts) -> Assertion {
    let id = facts.plan.id("latency");
    let expected = format!("from producer to client; no upward trend over {} minutes or more", trend::FEWEST);
    let mut whole = histogram();
    for minute in &facts.seen.minutes {
        // Both have the same bounds: adding cannot fail.
        let _ = whole.add(&minute.latency);
    }
    if whole.is_empty() {
        return Assertion::inconclusive(id, expected, "no live event came");
    }
    let ms = |quantile| whole.value_at_quantile(quantile) as f64 / 1000.0;
    // A minute in which connections were away has the outage's latencies, and the last one may be short.
    let calm = facts.seen.minutes.iter().filter(|m| {
        let to_ms = m.at_ms + 60_000;
        to_ms <= facts.quiet_ms && !m.latency.is_empty() && !facts.windows.touches(m.at_ms, to_ms)
    });
    let calm: Vec<_> = calm.collect();
    let by_minute = |quantile| calm.iter().map(|m| m.latency.value_at_quantile(quantile) as f64 / 1000.0).collect::<Vec<_>>();
    let (p50, p99) = (by_minute(0.5), by_minute(0.99));
    let trend = if calm.len() < trend::FEWEST { "too few calm minutes for a trend".to_owned() } else { format!("over {} calm minutes", calm.len()) };
    let measured = format!("p50 {:.0} ms, p99 {:.0} ms, p99.9 {:.0} ms; {trend}", ms(0.5), ms(0.99), ms(0.999));
    let judged = [(0.5, rise(&p50), &p50), (0.99, rise(&p99).filter(|_| calm.len() >= MINUTES_FOR_P99), &p99)];
    let rising = judged.iter().find_map(|(quantile, rise, values)| Some((quantile, (*rise)?, values)));
    let assertion = match rising {
        None => Assertion::pass(id, expected, measured),
        Some(_) if facts.starved() => Assertion::inconclusive(id, expected, format!("{measured}, but the clients themselves were starved of processor time")),
        Some((quantile, rise, values)) => {
            let values: Vec<_> = values.iter().map(|v| format!("{v:.0}")).collect();
            let reason = format!("p{:.0} rose by {rise:.0} ms: {} ms minute by minute", quantile * 100.0, values.join(", "));
            Assertion::fail(id, expected, measured, reason)
        }
    };
    let line = |m: &crate::soak::board::Minute| {
        let ms = |quantile| m.latency.value_at_quantile(quantile) as f64 / 1000.0;
        format!("{:.0} s: p50 {:.0}, p99 {:.0}, p99.9 {:.0} ms", m.at_ms as f64 / 1000.0, ms(0.5), ms(0.99), ms(0.999))
    };
    facts.seen.minutes.iter().take(super::SHOWN).map(line).fold(assertion, Assertion::with_evidence)
}
