//! Did every event come once, in order, whole; was every message acknowledged?

use super::super::facts::Facts;
use super::{at, shown};
use crate::soak::publisher::Counts;
use gauntlet_reports::run::Assertion;

pub(super) fn all(facts: &Facts) -> Vec<Assertion> {
    let mut all = vec![no_loss(facts), no_duplicate(facts), no_reorder(facts), checksum(facts)];
    all.extend(acks(facts));
    all
}

pub(super) fn events_flowed(facts: &Facts) -> Assertion {
    let id = facts.plan.id("events_flowed");
    let expected = "events come over every connection";
    let silent: Vec<_> = facts.ends.iter().filter(|e| e.ledger.events == 0).collect();
    let measured = format!("{} events over {} of {} connections", facts.events(), facts.ends.len() - silent.len(), facts.plan.connections);
    let names = shown(silent.iter().map(|e| format!("connection {}", e.client)), silent.len());
    let reason = if facts.events() == 0 { "no event came over any connection".to_owned() } else { format!("no event came over {names}") };
    Assertion::check(id, silent.is_empty() && facts.events() > 0, expected, measured, reason)
}

fn no_loss(facts: &Facts) -> Assertion {
    let id = facts.plan.id("no_loss");
    let expected = "no event is lost, also not by the connections whose pod went away";
    let lost: u64 = facts.ends.iter().map(|e| e.ledger.lost()).sum();
    let behind = facts.behind();
    let missing: u64 = behind.iter().map(|(_, _, n)| n).sum();
    let measured = format!("{} of {} events", lost + missing, facts.events() + lost + missing);
    let gaps = || facts.ends.iter().flat_map(|e| e.ledger.gaps().map(|(channel, gap)| (e.client, channel, gap)));
    let gap = |(client, channel, gap): (u32, &str, &crate::soak::ledger::Gap)| {
        let resume = if gap.at_resume { ", not replayed when it came back" } else { "" };
        let blamed = facts.upstream.iter().flatten().find(|u| !gap.at_resume && u.explains(gap.at_ms));
        let blamed = blamed.map_or_else(String::new, |u| format!(", after pods of {} were deleted", u.workload));
        format!("connection {client} at {}: {channel} {} to {}{resume}{blamed}", at(gap.at_ms), gap.from, gap.to)
    };
    let tail = behind.iter().map(|(client, channel, n)| format!("connection {client} at the end: the last {n} of {channel}"));
    let reason = format!("lost: {}", shown(gaps().map(gap).chain(tail), gaps().count() + behind.len()));
    Assertion::check(id, lost + missing == 0, expected, measured, reason)
}

fn no_duplicate(facts: &Facts) -> Assertion {
    let id = facts.plan.id("no_duplicate");
    let expected = "no event comes twice, also not after a resume";
    let repeated: u64 = facts.ends.iter().map(|e| e.ledger.repeated).sum();
    let all = facts.ends.iter().flat_map(|e| e.ledger.repeats.iter().map(move |o| (e.client, o)));
    let told = all.map(|(client, o)| format!("connection {client} at {}: {} {}", at(o.at_ms), o.channel, o.seq));
    let reason = format!("came twice: {}", shown(told, usize::try_from(repeated).unwrap_or(usize::MAX)));
    Assertion::check(id, repeated == 0, expected, format!("{repeated} of {} events", facts.events()), reason)
}

fn no_reorder(facts: &Facts) -> Assertion {
    let id = facts.plan.id("no_reorder");
    let expected = "in each channel events come in order";
    let replayed: u64 = facts.ends.iter().map(|e| e.ledger.late_after_resume).sum();
    let late = facts.ends.iter().map(|e| e.ledger.late).sum::<u64>() - replayed;
    let replayed = if replayed > 0 { format!("; {replayed} more closed a gap after a resume, behind live ones") } else { String::new() };
    let all = facts.ends.iter().flat_map(|e| e.ledger.lates.iter().map(move |o| (e.client, o)));
    let told = all.map(|(client, o)| format!("connection {client} at {}: {} {} after {}", at(o.at_ms), o.channel, o.seq, o.after));
    let reason = format!("out of order: {}", shown(told, usize::try_from(late).unwrap_or(usize::MAX)));
    Assertion::check(id, late == 0, expected, format!("{late} of {} events{replayed}", facts.events()), reason)
}

fn checksum(facts: &Facts) -> Assertion {
    let id = facts.plan.id("checksum");
    let corrupt: u64 = facts.ends.iter().map(|e| e.corrupt).sum();
    let malformed: u64 = facts.ends.iter().map(|e| e.malformed).sum();
    let measured = format!("{corrupt} wrong checksums in {} events, {malformed} other texts", facts.events());
    let hit = facts.ends.iter().filter(|e| e.corrupt + e.malformed > 0);
    let told = hit.clone().map(|e| format!("connection {}: {} wrong checksums, {} other texts", e.client, e.corrupt, e.malformed));
    let reason = shown(told, hit.count());
    Assertion::check(id, corrupt + malformed == 0, "every payload is what its checksum says, every text is of the protocol", measured, reason)
}

/// None where nothing is sent.
fn acks(facts: &Facts) -> Option<Assertion> {
    if facts.plan.messages_per_second <= 0.0 {
        return None;
    }
    let id = facts.plan.id("acks");
    let expected = "every message is acknowledged, in order";
    let mut sum = Counts::default();
    for counts in facts.ends.iter().map(|e| e.publisher.counts) {
        sum.sent += counts.sent;
        sum.acked += counts.acked;
        sum.disordered += counts.disordered;
        sum.refused += counts.refused;
        sum.cut += counts.cut;
    }
    let unanswered: u64 = facts.ends.iter().map(|e| e.publisher.unanswered()).sum();
    if sum.sent == 0 {
        return Some(Assertion::inconclusive(id, expected, "no message was sent"));
    }
    let trips = &facts.seen.round_trips;
    let ms = |quantile| trips.value_at_quantile(quantile) as f64 / 1000.0;
    let measured = format!(
        "{} of {} messages, {} more were on their way when their connection ended; round trip p50 {:.0} ms, p99 {:.0} ms",
        sum.acked,
        sum.sent,
        sum.cut,
        ms(0.5),
        ms(0.99)
    );
    let wrong = [(unanswered, "never acknowledged"), (sum.disordered, "acknowledged out of order"), (sum.refused, "refused")];
    let told: Vec<_> = wrong.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    Some(Assertion::check(id, told.is_empty(), expected, measured, told.join(", ")))
}
