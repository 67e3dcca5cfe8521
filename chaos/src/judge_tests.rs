//! Each assertion of an experiment in a case that holds, one that does not, and one that cannot be judged.

use super::*;
use crate::budget_guard::Lowest;
use crate::client_view::{Latency, Tally};
use crate::cluster_view::sample;
use crate::ledger::Entry;
use crate::ledger::check::{Findings, History};

fn spec() -> Spec {
    Spec { name: "drain".into(), error_budget: 0.05, ..sample::spec("drain-node", sample::SERVICE) }
}

fn history() -> History {
    let line = |outcome| Entry { at_ms: 1, id: "k1".into(), outcome, detail: String::new() };
    History::of([&line(Outcome::Invoke), &line(Outcome::Ok)])
}

fn ledger_of(store: &str) -> LedgerView {
    LedgerView { store: store.into(), history: history(), final_read: Some(Ok(Findings::default())), file: "chaos/drain.jsonl".into() }
}

/// An experiment that went well in every respect.
fn good() -> Observation {
    Observation {
        took_effect: Some(Ok("node cordoned".into())),
        recovered: Some(Ok(12_000)),
        client: Some(ClientView {
            inside: Tally { requests: 600.0, errors: 6.0, seconds: 60 },
            outside: Tally { requests: 100.0, errors: 0.0, seconds: 10 },
            recovery: ClientRecovery::After(4_000),
            latency: Some(Latency { before_ms: 40.0, after_ms: 60.0 }),
            too_little_load: None,
        }),
        evictions: Some(Evictions { admitted: vec!["a".into()], probes_refused: 1, budgets: vec!["order".into()], ..Default::default() }),
        budgets: Some([("order".to_owned(), Lowest { healthy: 2, desired: 2, at_ms: 5 })].into()),
        differences: Some(Ok(vec![])),
        left_over: Some(Ok(vec![])),
        exits: Some(vec![("order-a".to_owned(), [("api".to_owned(), 0)].into())]),
        held: Held { from_ms: 1_000, until_ms: 20_000 },
        stores: vec![],
        alerts: None,
        read_back: Some(("node takes pods".into(), true)),
        ledgers: vec![ledger_of("db")],
    }
}

fn verdict(seen: &Observation, id: &str) -> Verdict {
    let all = assertions(&spec(), seen);
    let found = all.iter().find(|a| a.id == format!("drain.{id}"));
    let found = found.unwrap_or_else(|| panic!("no assertion {id} in {:?}", all.iter().map(|a| &a.id).collect::<Vec<_>>()));
    assert!(found.verdict == Verdict::Pass || !found.reason.is_empty(), "{id} has no reason");
    found.verdict
}

/// `good()` with one thing changed.
fn but(change: impl FnOnce(&mut Observation)) -> Observation {
    let mut seen = good();
    change(&mut seen);
    seen
}

fn client(change: impl FnOnce(&mut ClientView)) -> Observation {
    but(|o| change(o.client.as_mut().expect("client")))
}

fn evictions(change: impl FnOnce(&mut Evictions)) -> Observation {
    but(|o| change(o.evictions.as_mut().expect("evictions")))
}

#[test]
fn a_good_experiment_passes_everything() {
    let all = assertions(&spec(), &good());
    assert_eq!(Verdict::of(all.iter().map(|a| a.verdict)), Verdict::Pass);
    let ids: Vec<_> = all.iter().map(|a| a.id.as_str()).collect();
    let expected = [
        "took_effect", "load_flowed", "client_recovers", "errors_inside", "errors_outside", "latency_recovers", "recovers", "drained", "pdb_held",
        "pdb_429", "graceful_exit", "recovered", "equal_to_before", "nothing_left", "no_lost_writes",
    ];
    assert_eq!(ids, expected.map(|i| format!("drain.{i}")));
}

#[test]
fn a_fault_that_was_not_seen_is_never_judged() {
    let seen = but(|o| o.took_effect = Some(Err("the pod is still there".into())));
    let all = assertions(&spec(), &seen);
    assert_eq!(verdict(&seen, "took_effect"), Verdict::Inconclusive);
    assert!(!all.iter().any(|a| a.id.ends_with(".recovers") || a.id.ends_with(".errors_inside")));
    assert_eq!(verdict(&but(|o| o.took_effect = None), "took_effect"), Verdict::Inconclusive);
}

#[test]
fn recovery_time() {
    assert_eq!(verdict(&but(|o| o.recovered = Some(Ok(60_001))), "recovers"), Verdict::Fail);
    assert_eq!(verdict(&but(|o| o.recovered = Some(Err("2 of 3".into()))), "recovers"), Verdict::Fail);
    assert_eq!(verdict(&but(|o| o.recovered = None), "recovers"), Verdict::Inconclusive);
}

#[test]
fn clients_are_judged_only_when_load_flowed() {
    let idle = client(|c| c.too_little_load = Some("0 requests".into()));
    assert_eq!(verdict(&idle, "load_flowed"), Verdict::Inconclusive);
    assert!(!assertions(&spec(), &idle).iter().any(|a| a.id.contains("errors")));
    assert_eq!(verdict(&client(|c| c.recovery = ClientRecovery::Never), "client_recovers"), Verdict::Fail);
    assert_eq!(verdict(&client(|c| c.recovery = ClientRecovery::After(61_000)), "client_recovers"), Verdict::Fail);
    assert_eq!(verdict(&client(|c| c.inside.errors = 31.0), "errors_inside"), Verdict::Fail);
    assert_eq!(verdict(&client(|c| c.outside.errors = 1.0), "errors_outside"), Verdict::Fail);
}

#[test]
fn budgets() {
    let low = but(|o| o.budgets = Some([("order".to_owned(), Lowest { healthy: 1, desired: 2, at_ms: 5 })].into()));
    assert_eq!(verdict(&low, "pdb_held"), Verdict::Fail);
    assert_eq!(verdict(&but(|o| o.budgets = None), "pdb_held"), Verdict::Inconclusive);
    assert_eq!(verdict(&evictions(|e| e.violations.push("admitted".into())), "pdb_429"), Verdict::Fail);
    assert_eq!(verdict(&evictions(|e| e.probes_refused = 0), "pdb_429"), Verdict::Inconclusive);
    assert_eq!(verdict(&evictions(|e| e.left.push("order-a: 429".into())), "drained"), Verdict::Fail);
    let without = evictions(|e| e.budgets.clear());
    assert_eq!((verdict(&without, "pdb_held"), verdict(&without, "pdb_429")), (Verdict::NotApplicable, Verdict::NotApplicable));
}

#[test]
fn latency_that_stays_high() {
    assert_eq!(verdict(&client(|c| c.latency = Some(Latency { before_ms: 40.0, after_ms: 141.0 })), "latency_recovers"), Verdict::Fail);
    assert_eq!(verdict(&client(|c| c.latency = None), "latency_recovers"), Verdict::Inconclusive);
}

#[test]
fn pods_that_had_to_be_killed() {
    let ended = |codes: &[i32]| but(|o| o.exits = Some(codes.iter().map(|c| ("order-a".to_owned(), [("api".to_owned(), *c)].into())).collect()));
    assert_eq!(verdict(&ended(&[143, 0]), "graceful_exit"), Verdict::Pass);
    assert_eq!(verdict(&ended(&[0, 137]), "graceful_exit"), Verdict::Fail);
    let unseen = but(|o| o.exits = Some(vec![("order-a".to_owned(), Exits::new())]));
    assert_eq!(verdict(&unseen, "graceful_exit"), Verdict::Inconclusive);
    let abrupt = but(|o| o.exits = None);
    assert!(!assertions(&spec(), &abrupt).iter().any(|a| a.id.ends_with("graceful_exit")));
}

#[test]
fn stores_and_alerts_are_judged_by_what_was_seen_of_them() {
    let spec = Spec { stores: vec!["db".into()], alerts: vec!["Down".into()], ..spec() };
    let judged = |seen: &Observation, id: &str| assertions(&spec, seen).into_iter().find(|a| a.id == id).map(|a| a.verdict);
    let unseen = but(|o| o.alerts = Some(AlertLog::default()));
    assert_eq!(judged(&unseen, "drain.db.whole"), Some(Verdict::Inconclusive));
    assert_eq!(judged(&unseen, "drain.alert.Down"), Some(Verdict::Inconclusive));
    let answered = but(|o| o.stores = vec![StoreView { store: "db".into(), asked: vec![store_watch::Asked { at_ms: 2_000, answer: Ok("whole".into()) }] }]);
    assert_eq!(judged(&answered, "drain.db.whole"), Some(Verdict::Pass));
}

#[test]
fn what_is_left_behind() {
    assert_eq!(verdict(&but(|o| o.differences = Some(Ok(vec!["Node/w1.unschedulable".into()]))), "equal_to_before"), Verdict::Fail);
    assert_eq!(verdict(&but(|o| o.differences = Some(Err("no answer".into()))), "equal_to_before"), Verdict::Inconclusive);
    assert_eq!(verdict(&but(|o| o.left_over = Some(Ok(vec!["PersistentVolume/pv-1 is Released".into()]))), "nothing_left"), Verdict::Fail);
    assert_eq!(verdict(&but(|o| o.left_over = Some(Err("no answer".into()))), "nothing_left"), Verdict::Inconclusive);
    assert_eq!(verdict(&but(|o| o.read_back = Some(("still cordoned".into(), false))), "recovered"), Verdict::Fail);
}

#[test]
fn ledgers() {
    let ledger = |change: fn(&mut LedgerView)| but(|o| change(&mut o.ledgers[0]));
    let lost = ledger(|l| l.final_read = Some(Ok(Findings { lost: vec!["k1".into()], ..Default::default() })));
    assert_eq!(verdict(&lost, "no_lost_writes"), Verdict::Fail);
    assert_eq!(verdict(&ledger(|l| l.final_read = None), "no_lost_writes"), Verdict::Inconclusive);
    assert_eq!(verdict(&ledger(|l| l.final_read = Some(Err("read the store".into()))), "no_lost_writes"), Verdict::Inconclusive);
    assert_eq!(verdict(&ledger(|l| l.history = History::default()), "no_lost_writes"), Verdict::Inconclusive);
}

#[test]
fn each_of_several_ledgers_is_judged_by_its_name() {
    let mut lost = ledger_of("redis");
    lost.final_read = Some(Ok(Findings { lost: vec!["k1".into()], ..Default::default() }));
    let seen = but(|o| o.ledgers.push(lost));
    assert_eq!((verdict(&seen, "db.no_lost_writes"), verdict(&seen, "redis.no_lost_writes")), (Verdict::Pass, Verdict::Fail));
}
