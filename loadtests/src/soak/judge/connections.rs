//! Were the connections held, did each end for a reason, and did they come back and spread?

use super::super::closes::{Cause, Close, cause};
use super::super::facts::Facts;
use super::{at, shown};
use gauntlet_reports::run::Assertion;
use gauntlet_reports::verdict::Verdict;
use std::collections::BTreeMap;

/// Share of the seconds in which every connection must be open.
const HELD: f64 = 0.999;

/// Fewest connections for each Ready pod from which on every pod must hold some.
pub(in crate::soak) const PER_POD: u32 = 10;

pub(super) fn all(facts: &Facts) -> Vec<Assertion> {
    vec![closes_classified(facts), drains(facts), reconnects(facts), spread(facts)]
}

pub(super) fn held(facts: &Facts) -> Assertion {
    let id = facts.plan.id("held");
    let target = facts.plan.connections;
    let expected = format!("{target} connections are open in {:.1} % of the seconds in which no pod goes away", HELD * 100.0);
    let causes = || facts.seen.failed.iter().map(|(cause, n)| format!("{n} x {cause}"));
    let failed = shown(causes(), facts.seen.failed.len());
    let Some(opened) = facts.opened_ms else {
        let most = facts.seen.seconds.iter().map(|s| s.held).max().unwrap_or(0);
        let causes = if failed.is_empty() { "they ended again".to_owned() } else { failed };
        return Assertion::fail(id, expected, format!("at most {most} were open"), format!("not all connections could be opened: {causes}"));
    };
    let inside = |from: u64, to: u64| from >= opened && to <= facts.quiet_ms && !facts.windows.touches(from, to);
    let seconds: Vec<_> = facts.seen.seconds.iter().filter(|s| inside(s.at_ms, s.at_ms + 1000)).collect();
    if seconds.is_empty() {
        return Assertion::inconclusive(id, expected, "there was no second in which no pod went away");
    }
    let short: Vec<_> = seconds.iter().filter(|s| s.held < target).collect();
    let share = 1.0 - short.len() as f64 / seconds.len() as f64;
    let measured = format!("{:.1} % of {} seconds", share * 100.0, seconds.len());
    let told = short.iter().map(|s| format!("{} of {target} at {}", s.held, at(s.at_ms)));
    let causes = if failed.is_empty() { String::new() } else { format!(" (upgrades that failed: {failed})") };
    let reason = format!("connections were missing: {}{causes}", shown(told, short.len()));
    Assertion::check(id, share >= HELD, expected, measured, reason)
}

fn told(close: &Close, cause: Cause) -> String {
    let server = close.server.as_deref().map_or_else(String::new, |s| format!(" to {s}"));
    let said = if close.reason.is_empty() { String::new() } else { format!(" ({})", close.reason) };
    format!("connection {}{server} at {}: {} {}{said}", close.client, at(close.at_ms), close.code, cause.text())
}

fn closes_classified(facts: &Facts) -> Assertion {
    let id = facts.plan.id("closes_classified");
    let expected = "a connection ends only when its pod goes away or when we close it, and then by a close handshake";
    let all: Vec<_> = facts.seen.closes.iter().map(|close| (close, cause(close, &facts.windows))).collect();
    let mut counts: BTreeMap<(u16, Cause), usize> = BTreeMap::new();
    for (close, cause) in &all {
        *counts.entry((close.code, *cause)).or_default() += 1;
    }
    let clean = facts.ends.iter().filter(|e| e.clean).count();
    let counted: Vec<_> = counts.iter().map(|((code, cause), n)| format!("{n} x {code} {}", cause.text())).collect();
    let measured = [vec![format!("{clean} of {} closed by us", facts.plan.connections)], counted].concat().join(", ");
    let odd: Vec<_> = all.iter().filter(|(_, cause)| !cause.is_declared()).collect();
    if !odd.is_empty() {
        let reason = shown(odd.iter().map(|(close, cause)| told(close, *cause)), odd.len());
        return Assertion::fail(id, expected, measured, reason);
    }
    let unclean = usize::try_from(facts.plan.connections).unwrap_or(usize::MAX).saturating_sub(clean);
    Assertion::check(id, unclean == 0, expected, measured, format!("{unclean} connections did not answer our close"))
}

fn drains(facts: &Facts) -> Assertion {
    let id = facts.plan.id("drains");
    let expected = "a pod that is deleted closes each of its connections with 1001 or 1012";
    let kill = match &facts.kill {
        Ok(kill) => kill,
        Err(why) => return Assertion::inconclusive(id, expected, why),
    };
    let its = |close: &&Close| close.server.as_ref().is_none_or(|s| *s == kill.pod) && facts.windows.covers_close(close);
    let closes: Vec<_> = facts.seen.closes.iter().filter(its).collect();
    if closes.is_empty() {
        return Assertion::inconclusive(id, expected, format!("no connection to {} ended", kill.pod));
    }
    let bad: Vec<_> = closes.iter().filter(|c| cause(c, &facts.windows) != Cause::Drained).collect();
    let measured = format!("{} of {} connections of {}", closes.len() - bad.len(), closes.len(), kill.pod);
    let reason = shown(bad.iter().map(|c| told(c, cause(c, &facts.windows))), bad.len());
    Assertion::check(id, bad.is_empty(), expected, measured, reason)
}

fn reconnects(facts: &Facts) -> Assertion {
    let id = facts.plan.id("reconnects");
    // Turns are given at the rate; a busy machine may bunch those of two seconds.
    let most = (facts.plan.connects_per_second * 2.0).ceil() as u32 + 2;
    let within = facts.plan.reconnect_seconds;
    let expected = format!("within {within} s after a pod was deleted every connection is open again, with at most {most} upgrades a second");
    let kill = match &facts.kill {
        Ok(kill) => kill,
        Err(why) => return Assertion::inconclusive(id, expected, why),
    };
    let rate = facts.seen.seconds.iter().map(|s| s.connects).max().unwrap_or(0);
    let held = kill.held.map_or_else(String::new, |n| format!(" (it held {n})"));
    let Some(steady) = kill.steady_ms else {
        let failed = shown(facts.seen.failed.iter().map(|(cause, n)| format!("{n} x {cause}")), facts.seen.failed.len());
        let failed = if failed.is_empty() { String::new() } else { format!("; upgrades that failed: {failed}") };
        let lowest = facts.seen.seconds.iter().filter(|s| s.at_ms >= kill.at_ms).map(|s| s.held).min().unwrap_or(0);
        let measured = format!("not within {within} s after {} was deleted{held}; {lowest} open at the lowest", kill.pod);
        return Assertion::fail(id, expected, measured, format!("connections of the deleted pod did not come back in time{failed}"));
    };
    let took = steady.saturating_sub(kill.at_ms) as f64 / 1000.0;
    let measured = format!("all open again {took:.1} s after {} was deleted{held}; at most {rate} upgrades a second", kill.pod);
    Assertion::check(id, rate <= most && took <= within as f64, expected, measured, "too many clients came at once, or too late")
}

fn spread(facts: &Facts) -> Assertion {
    let id = facts.plan.id("spread");
    let expected = "at the end every Ready pod holds connections, also the one that replaced the deleted one";
    let spread = &facts.spread;
    let counted = |by: &BTreeMap<String, u32>| by.iter().map(|(pod, n)| format!("{pod} {n}")).collect::<Vec<_>>().join(", ");
    if spread.after.is_empty() {
        return Assertion::inconclusive(id, expected, "answers carry no x-served-by");
    }
    let measured = format!("before: {}; at the end: {}", counted(&spread.before), counted(&spread.after));
    if !spread.not_rotated.is_empty() {
        let reason = format!("connections could not be rebalanced: {}", spread.not_rotated);
        return Assertion { verdict: Verdict::NotApplicable, measured, ..Assertion::inconclusive(id, expected, reason) };
    }
    let idle: Vec<_> = spread.ready.iter().filter(|pod| !spread.after.contains_key(*pod)).cloned().collect();
    Assertion::check(id, idle.is_empty(), expected, measured, format!("no connection reached {}", idle.join(", ")))
}
