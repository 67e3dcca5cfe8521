//! From what was observed of one experiment to its assertions. Pure: every verdict can be tried without a cluster.

use crate::alert_judge::{self, Held};
use crate::alert_watch::AlertLog;
use crate::budget_guard::Worst;
use crate::client_view::{ClientRecovery, ClientView};
use crate::cluster_watch::Exits;
use crate::eviction::Evictions;
use crate::ledger::{LedgerView, Outcome};
use crate::store_watch::{self, StoreView};
use gauntlet_fixtures::platform::Experiment as Spec;
use gauntlet_reports::run::Assertion;
use gauntlet_reports::verdict::Verdict;

/// All that was observed of one experiment.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// What was seen of the effect; the error says why there was none.
    pub took_effect: Option<Result<String, String>>,
    /// From injection to workloads full, in ms; the error says what was missing at the end of the RTO.
    pub recovered: Option<Result<u64, String>>,
    /// When the fault stood.
    pub held: Held,
    /// What each store that the experiment names answered.
    pub stores: Vec<StoreView>,
    /// What AlertManager showed; None when the experiment names no alerts.
    pub alerts: Option<AlertLog>,
    /// How the pods ended that were asked to go: name and exit codes; None when none was asked.
    pub exits: Option<Vec<(String, Exits)>>,
    /// What clients saw.
    pub client: Option<ClientView>,
    /// Evictions, for a drain.
    pub evictions: Option<Evictions>,
    /// The worst of each budget, for a voluntary fault.
    pub budgets: Option<Worst>,
    /// Differences to the snapshot from before; the error says why there is none.
    pub differences: Option<Result<Vec<String>, String>>,
    /// What is still on its way out, or without its claim; the error says why it was not seen.
    pub left_over: Option<Result<Vec<String>, String>>,
    /// The recovery as the cluster showed it: text, and whether it holds.
    pub read_back: Option<(String, bool)>,
    /// The ledgers of platform.yaml.
    pub ledgers: Vec<LedgerView>,
}

fn seconds(ms: u64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}

fn percent(ratio: f64) -> String {
    format!("{:.2} %", ratio * 100.0)
}

/// The first few of many.
fn some(items: &[String]) -> String {
    let more = items.len().saturating_sub(5);
    let shown = items.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn not_applicable(id: String, expected: &str, reason: String) -> Assertion {
    Assertion { verdict: Verdict::NotApplicable, ..Assertion::inconclusive(id, expected, reason) }
}

/// The assertions of one experiment, in the order in which a person asks them.
pub fn assertions(spec: &Spec, seen: &Observation) -> Vec<Assertion> {
    let name = &spec.name;
    let id = |what: &str| format!("{name}.{what}");
    let mut all = Vec::new();
    let expected = "the fault is seen in the cluster";
    match &seen.took_effect {
        Some(Ok(proof)) => {
            all.push(Assertion::pass(id("took_effect"), expected, proof));
            all.extend(clients(spec, seen));
            all.push(recovers(spec, seen));
            all.extend(spec.stores.iter().map(|store| whole(spec, store, seen)));
            all.extend(seen.alerts.iter().flat_map(|log| alert_judge::judge(spec, log, seen.held)));
            all.extend(drain(spec, seen));
            all.extend(graceful(&id("graceful_exit"), seen));
        }
        other => {
            let reason = match other {
                Some(Err(why)) => why.clone(),
                _ => "the fault was not applied".to_owned(),
            };
            // What a fault that was not seen did to clients says nothing; what was left behind does.
            all.push(Assertion::inconclusive(id("took_effect"), expected, reason));
        }
    }
    all.extend(taken_back(&id("recovered"), seen));
    all.extend(unchanged(&id("equal_to_before"), seen));
    all.extend(nothing_left(&id("nothing_left"), seen));
    all.extend(seen.ledgers.iter().map(|ledger| match seen.ledgers.len() {
        1 => no_lost_writes(&id("no_lost_writes"), ledger),
        _ => no_lost_writes(&id(&format!("{}.no_lost_writes", ledger.store)), ledger),
    }));
    all
}

fn recovers(spec: &Spec, seen: &Observation) -> Assertion {
    let id = format!("{}.recovers", spec.name);
    let expected = format!("every workload has its replicas ready again within {} s of injection", spec.rto_seconds);
    match &seen.recovered {
        Some(Ok(ms)) => Assertion::check(id, *ms <= spec.rto_seconds * 1000, expected, seconds(*ms), "it took longer than the RTO"),
        Some(Err(missing)) => Assertion::fail(id, expected, format!("not within {} s", spec.rto_seconds), missing),
        None => Assertion::inconclusive(id, expected, "the run was stopped before it could be seen"),
    }
}

/// The store does again what it is there for, by its engine's own measure.
fn whole(spec: &Spec, store: &str, seen: &Observation) -> Assertion {
    let silent = StoreView { store: store.to_owned(), ..Default::default() };
    let view = seen.stores.iter().find(|v| v.store == store).unwrap_or(&silent);
    store_watch::judge(spec, view, seen.held.from_ms, seen.ledgers.iter().find(|l| l.store == store))
}

/// What a signal that nobody obeyed leaves: 128 and SIGKILL.
const KILLED: i32 = 137;

/// Pods that were asked to go end by themselves, within their grace period.
fn graceful(id: &str, seen: &Observation) -> Option<Assertion> {
    let exits = seen.exits.as_ref()?;
    let expected = "no container of a pod that was asked to go had to be killed (exit code 137)";
    let codes = |exits: &Exits| exits.iter().map(|(name, code)| format!("{name} {code}")).collect::<Vec<_>>().join(", ");
    let known: Vec<_> = exits.iter().filter(|(_, codes)| !codes.is_empty()).collect();
    if known.is_empty() {
        return Some(Assertion::inconclusive(id, expected, "no exit code was seen before the pods were gone"));
    }
    let killed: Vec<String> = known.iter().filter(|(_, c)| c.values().any(|code| *code == KILLED)).map(|(pod, _)| pod.clone()).collect();
    let measured = some(&known.iter().map(|(pod, c)| format!("{pod}: {}", codes(c))).collect::<Vec<_>>());
    Some(Assertion::check(id, killed.is_empty(), expected, measured, format!("killed after the grace period: {}", some(&killed))))
}

fn nothing_left(id: &str, seen: &Observation) -> Option<Assertion> {
    let expected = "no volume is left without its claim, and nothing is stuck on its way out";
    Some(match seen.left_over.as_ref()? {
        Ok(found) if found.is_empty() => Assertion::pass(id, expected, "nothing"),
        Ok(found) => Assertion::fail(id, expected, format!("{} objects", found.len()), some(found)),
        Err(why) => Assertion::inconclusive(id, expected, why),
    })
}

/// Latency is near the baseline at the end of the observation.
fn latency(id: String, client: &ClientView) -> Assertion {
    let Some(latency) = client.latency else {
        return Assertion::inconclusive(id, "latency is back where it was before the fault", "latency was not measured before and after the fault");
    };
    let expected = format!("a 99th percentile of at most {:.0} ms at the end: {:.0} ms before the fault, and what counts as back", latency.limit_ms(), latency.before_ms);
    let measured = format!("{:.0} ms", latency.after_ms);
    Assertion::check(id, latency.is_back(), expected, measured, "requests are slower than before the fault")
}

fn clients(spec: &Spec, seen: &Observation) -> Vec<Assertion> {
    let id = |what: &str| format!("{}.{what}", spec.name);
    let flowed = "requests flow before and during the fault";
    let Some(client) = &seen.client else {
        return vec![Assertion::inconclusive(id("load_flowed"), flowed, "the run was stopped before clients were observed")];
    };
    if let Some(missing) = &client.too_little_load {
        return vec![Assertion::inconclusive(id("load_flowed"), flowed, missing)];
    }
    let count = format!("{:.0} requests in {} s of the fault window", client.inside.requests, client.inside.seconds);
    let mut all = vec![Assertion::pass(id("load_flowed"), flowed, count)];
    let expected = format!("three healthy seconds in a row within {} s of injection", spec.rto_seconds);
    all.push(match client.recovery {
        ClientRecovery::NeverUnhealthy => Assertion::pass(id("client_recovers"), expected, "0 s: no second was unhealthy"),
        ClientRecovery::After(ms) => {
            let holds = ms <= spec.rto_seconds * 1000;
            Assertion::check(id("client_recovers"), holds, expected, seconds(ms), "clients saw errors for longer than the RTO")
        }
        ClientRecovery::Never => Assertion::fail(id("client_recovers"), expected, "never", "clients saw no three healthy seconds in a row after the fault"),
    });
    for (what, place, tally, budget) in [
        ("errors_inside", "inside", client.inside, spec.error_budget),
        ("errors_outside", "outside", client.outside, spec.error_budget_outside),
    ] {
        let expected = format!("at most {} of requests fail {place} the fault window", percent(budget));
        let measured = format!("{} ({:.0} of {:.0})", percent(tally.error_ratio()), tally.errors, tally.requests);
        let reason = format!("more requests failed {place} the fault window than the budget allows");
        all.push(Assertion::check(id(what), tally.error_ratio() <= budget, expected, measured, reason));
    }
    all.push(latency(id("latency_recovers"), client));
    all
}

fn drain(spec: &Spec, seen: &Observation) -> Vec<Assertion> {
    let Some(evictions) = &seen.evictions else { return Vec::new() };
    let id = |what: &str| format!("{}.{what}", spec.name);
    let mut all = Vec::new();
    let expected = format!("every pod of the platform leaves the node within {} s", spec.rto_seconds);
    let reason = format!("could not be evicted: {}", some(&evictions.left));
    all.push(Assertion::check(id("drained"), evictions.left.is_empty(), expected, format!("{} pods evicted", evictions.admitted.len()), reason));

    let held = "healthy pods never fall below what the budget promises";
    let answered = "an eviction beyond the budget is answered 429";
    if evictions.budgets.is_empty() {
        let why = "no PodDisruptionBudget selects the evicted pods".to_owned();
        all.push(not_applicable(id("pdb_held"), held, why.clone()));
        all.push(not_applicable(id("pdb_429"), answered, why));
        return all;
    }
    let worst = seen.budgets.clone().unwrap_or_default();
    let unseen: Vec<_> = evictions.budgets.iter().filter(|b| !worst.contains_key(*b)).cloned().collect();
    let concerned = || worst.iter().filter(|(name, _)| evictions.budgets.contains(name));
    let lowest: Vec<_> = concerned().map(|(n, w)| format!("{n}: {} healthy of {} promised", w.healthy, w.desired)).collect();
    let broken: Vec<_> = concerned().filter(|(_, w)| w.margin() < 0).map(|(n, w)| format!("{n} at {} ms", w.at_ms)).collect();
    all.push(if unseen.is_empty() {
        Assertion::check(id("pdb_held"), broken.is_empty(), held, lowest.join(", "), format!("broken: {}", broken.join(", ")))
    } else {
        Assertion::inconclusive(id("pdb_held"), held, format!("not observed: {}", unseen.join(", ")))
    });
    let seen_429 = format!("{} evictions and {} dry runs answered 429", evictions.refused, evictions.probes_refused);
    all.push(if !evictions.violations.is_empty() {
        Assertion::fail(id("pdb_429"), answered, seen_429, some(&evictions.violations))
    } else if evictions.refused + evictions.probes_refused > 0 {
        Assertion::pass(id("pdb_429"), answered, seen_429)
    } else {
        let left = evictions.least_allowed.map_or("an unknown number of".to_owned(), |n| n.to_string());
        Assertion::inconclusive(id("pdb_429"), answered, format!("the budget was never used up: it still allowed {left} disruptions"))
    });
    all
}

fn taken_back(id: &str, seen: &Observation) -> Option<Assertion> {
    let (text, holds) = seen.read_back.as_ref()?;
    let expected = "the fault is taken back, and the cluster shows it";
    Some(Assertion::check(id, *holds, expected, text, text.clone()))
}

fn unchanged(id: &str, seen: &Observation) -> Option<Assertion> {
    let expected = "objects and nodes are as before the fault";
    Some(match seen.differences.as_ref()? {
        Ok(found) if found.is_empty() => Assertion::pass(id, expected, "no difference"),
        Ok(found) => Assertion::fail(id, expected, format!("{} differences", found.len()), some(found)),
        Err(why) => Assertion::inconclusive(id, expected, why),
    })
}

/// The verdict over a ledger.
pub fn no_lost_writes(id: &str, ledger: &LedgerView) -> Assertion {
    let expected = "the store holds every acknowledged write, and nothing that was never sent or was refused";
    let acknowledged = ledger.history.count(Outcome::Ok);
    let assertion = match &ledger.final_read {
        Some(Err(why)) => Assertion::inconclusive(id, expected, format!("there was no final read: failed to {why}")),
        _ if acknowledged == 0 => Assertion::inconclusive(id, expected, "no write was acknowledged, so none could be lost"),
        None => Assertion::inconclusive(id, expected, "there was no final read"),
        Some(Ok(findings)) => {
            let measured = format!(
                "{} sent, {acknowledged} acknowledged, {} lost, {} unexpected, {} refused but there, {} recovered",
                ledger.history.writes.len(),
                findings.lost.len(),
                findings.unexpected.len(),
                findings.refused_but_there.len(),
                findings.recovered.len()
            );
            let mut reasons = Vec::new();
            for (what, keys) in [
                ("acknowledged writes are not in the store", &findings.lost),
                ("keys are in the store that were never sent", &findings.unexpected),
                ("refused writes are in the store", &findings.refused_but_there),
            ] {
                if !keys.is_empty() {
                    reasons.push(format!("{} {what}: {}", keys.len(), some(keys)));
                }
            }
            Assertion::check(id, findings.holds(), expected, measured, reasons.join("; "))
        }
    };
    if ledger.file.is_empty() { assertion } else { assertion.with_evidence(ledger.file.clone()) }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
