//! Each assertion with a soak that passes it and one that does not.

use super::*;
use crate::oracle::ControllerSettings;
use crate::oracle::observation::{Observation, Point, Value};
use crate::oracle::spec::{HpaView, tests::hpa};
use crate::series::histogram;
use crate::soak::board::{Minute, Second, Seen};
use crate::soak::closes::Close;
use crate::soak::facts::Spread;
use crate::soak::kill::Kill;
use crate::soak::ledger::Ledger;
use crate::soak::memory::{ByPod, Memory};
use crate::soak::plan::tests::plan;
use crate::soak::publisher::Publisher;
use crate::soak::scaling::Scaled;
use crate::soak::session::End;
use crate::soak::upstream::Upstream;
use crate::soak::windows::{Window, Windows};
use gauntlet_reports::verdict::Verdict::{self, *};
use rstest::rstest;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

fn by_pod<T: Copy>(list: &[(&str, T)]) -> BTreeMap<String, T> {
    list.iter().map(|(pod, value)| ((*pod).to_owned(), *value)).collect()
}

/// Takes the events 1 to 500 of one channel, and sends and gets acknowledged 20 messages.
fn end(client: u32) -> End {
    let (mut ledger, mut publisher) = (Ledger::default(), Publisher::new(1.0));
    (1..=500).for_each(|seq| assert_eq!(ledger.take("feed/0", seq, seq * 500), crate::soak::ledger::Seen::InOrder));
    publisher.connected(Instant::now(), 0.0);
    for seq in 1..=20 {
        publisher.next(client, seq).expect("message");
        publisher.ack(seq, seq, Instant::now());
    }
    let last = BTreeMap::from([("feed/0".to_owned(), 500)]);
    End { client, ledger, publisher, corrupt: 0, malformed: 0, at_quiet: last.clone(), at_close: last, clean: true }
}

fn minute(at_ms: u64, ms: u64) -> Minute {
    let mut latency = histogram();
    latency.record_n(ms * 1000, 1000).expect("in bounds");
    Minute { at_ms, latency }
}

/// 40 connections from 5 s to 305 s; at 125 s the pod ws-a goes, with its 13 connections, and all are back after 4 s.
fn good() -> Facts {
    let held = |at_s: u64| if (125..129).contains(&at_s) { 30 } else { 40 };
    let second = |at_s: u64| Second { at_ms: at_s * 1000, held: if at_s < 5 { 9 } else { held(at_s) }, connects: 10, ..Second::default() };
    let close = |client| Close { client, at_ms: 126_000, server: Some("ws-a".into()), code: 1001, reason: "draining".into() };
    let seen = Seen {
        seconds: (0..310).map(second).collect(),
        minutes: (0..5).map(|i| minute(5_000 + i * 60_000, 8)).collect(),
        round_trips: minute(0, 9).latency,
        closes: (0..13).map(close).collect(),
        failed: BTreeMap::new(),
        open: BTreeMap::new(),
        rotated: 28,
    };
    let spread = Spread {
        before: by_pod(&[("ws-a", 13), ("ws-b", 27)]),
        after: by_pod(&[("ws-b", 26), ("ws-c", 14)]),
        ready: BTreeSet::from(["ws-b".to_owned(), "ws-c".to_owned()]),
        not_rotated: String::new(),
    };
    let before: ByPod = by_pod(&[("ws-a", 20 << 20), ("ws-b", 20 << 20)]);
    let own = [Some(30 << 20), Some(31 << 20), Some(30 << 20)];
    let memory = Memory { own, held: before.clone(), before, after: by_pod(&[("ws-b", 40 << 20)]), trouble: String::new() };
    let window = Window { from_ms: 125_000, to_ms: 133_000, pod: Some("ws-a".into()), why: "deleted by this soak".into() };
    Facts {
        plan: plan(),
        opened_ms: Some(5_000),
        quiet_ms: 305_000,
        seen,
        ends: (0..40).map(end).collect(),
        windows: Windows(vec![window]),
        kill: Ok(Kill { pod: "ws-a".into(), at_ms: 125_000, held: Some(13), steady_ms: Some(129_000) }),
        upstream: vec![],
        spread,
        memory,
        scaled: None,
    }
}

fn verdicts(facts: &Facts) -> BTreeMap<String, Assertion> {
    all(facts).into_iter().map(|a| (a.id.strip_prefix("soak.live.").expect("prefix").to_owned(), a)).collect()
}

#[test]
fn a_good_soak_passes_everything() {
    let all = verdicts(&good());
    let bad: Vec<_> = all.values().filter(|a| a.verdict != Pass).collect();
    assert!(bad.is_empty() && all.len() == 13, "{bad:#?}");
    assert_eq!(all["closes_classified"].measured, "40 of 40 closed by us, 13 x 1001 drained");
    assert_eq!(all["reconnects"].measured, "all open again 4.0 s after ws-a was deleted (it held 13); at most 10 upgrades a second");
    assert!(all["memory"].measured.contains("ws-b 20.0 / 20.0 / 40.0 MiB; 25.6 KiB of client memory"), "{}", all["memory"].measured);
    assert!(all["latency"].measured.contains("p99.9 8 ms; over 4 calm minutes"), "{}", all["latency"].measured);
}

/// Half of the pods of a processor went at 60 s.
fn with_upstream(facts: &mut Facts) {
    facts.plan.upstream = vec!["Deployment/processor".into()];
    facts.upstream = vec![Ok(Upstream { workload: "Deployment/processor".into(), pods: vec!["p-1".into()], ready: 2, at_ms: 60_000 })];
    facts.seen.seconds.iter_mut().for_each(|s| s.events = 7);
}

#[test]
fn faults_upstream_are_told_and_blamed() {
    let mut facts = good();
    with_upstream(&mut facts);
    let told = &verdicts(&facts)["upstream_deleted"];
    assert_eq!((told.verdict, told.measured.as_str()), (Pass, "1 of 2 of Deployment/processor at 60.0 s; 210 events in the time after"));
    facts.ends[3].ledger.take("feed/0", 503, 61_000);
    facts.ends[4].ledger.take("feed/0", 503, 200_000);
    let reason = verdicts(&facts)["no_loss"].reason.clone();
    assert!(reason.contains("connection 3 at 61.0 s: feed/0 501 to 502, after pods of Deployment/processor were deleted"), "{reason}");
    assert!(reason.ends_with("connection 4 at 200.0 s: feed/0 501 to 502"), "{reason}");
    facts.upstream = vec![Err("no pod of Deployment/processor is Ready".into())];
    assert_eq!(verdicts(&facts)["upstream_deleted"].verdict, Inconclusive);
}

/// The HPA of the workload with these values, in thousandths, of its count of connections.
fn scaled(values: &[(u64, i64)]) -> Scaled {
    let pods = json!({"type": "Pods", "pods": {"metric": {"name": "open"}, "target": {"type": "AverageValue", "averageValue": "20"}}});
    let spec = json!({"scaleTargetRef": {"kind": "Deployment", "name": "ws"}, "maxReplicas": 20, "metrics": [pods]});
    let view = HpaView::of(&hpa(spec, json!({"currentReplicas": 3, "desiredReplicas": 3})), ControllerSettings::default());
    let value = |&(s, milli): &(u64, i64)| Value { at_ms: s * 1000, metric: "pods metric open".into(), milli, target_milli: 20_000 };
    let point = |at_ms, desired| Point { at_ms, current: 3, desired, ready: 3, limited: None };
    let points = vec![point(1_000, 3), point(20_000, 5)];
    Scaled { hpa: "ws-hpa".into(), seen: Observation { hpa: Some(view), values: values.iter().map(value).collect(), points, ..Observation::default() } }
}

#[test]
fn the_hpa_must_see_the_connections() {
    let mut facts = good();
    let mut judge = |values: &[(u64, i64)]| {
        facts.scaled = Some(Ok(scaled(values)));
        verdicts(&facts)["hpa_moved.open"].clone()
    };
    let moved = judge(&[(1, 0), (20, 26_667)]);
    assert_eq!((moved.verdict, moved.measured.as_str()), (Pass, "ws-hpa: 0 to 26.667 (target 20), 1 changes; 3 to 5 replicas wanted"));
    assert_eq!(judge(&[(1, 0)]).verdict, Inconclusive);
    assert!(judge(&[]).reason.contains("ws-hpa had no value of it"));
}

fn close_of(facts: &mut Facts, at_ms: u64, code: u16) {
    facts.seen.closes.push(Close { client: 39, at_ms, server: Some("ws-b".into()), code, reason: String::new() });
}

fn rising(facts: &mut Facts, ms: [u64; 3]) {
    // The window lies in the third minute: the calm ones are 1, 2, 4 (the fifth ends with the hold).
    for (index, ms) in [0, 1, 3].into_iter().zip(ms) {
        facts.seen.minutes[index] = minute(facts.seen.minutes[index].at_ms, ms);
    }
    facts.quiet_ms = 300_000;
}

type Change = fn(&mut Facts);

#[rstest]
#[case::lost("no_loss", Fail, "connection 3 at 0.7 s: feed/0 501 to 502", |f: &mut Facts| { f.ends[3].ledger.take("feed/0", 503, 700); })]
#[case::not_replayed("no_loss", Fail, "not replayed when it came back", |f: &mut Facts| {
    f.ends[3].ledger.connected();
    f.ends[3].ledger.take("feed/0", 503, 700);
})]
#[case::stuck("no_loss", Fail, "connection 7 at the end: the last 40 of feed/0", |f: &mut Facts| { f.ends[7].at_close.insert("feed/0".into(), 460); })]
#[case::twice("no_duplicate", Fail, "connection 3 at 0.7 s: feed/0 77", |f: &mut Facts| { f.ends[3].ledger.take("feed/0", 77, 700); })]
#[case::late("no_reorder", Fail, "feed/0 501 after 502", |f: &mut Facts| {
    f.ends[3].ledger.take("feed/0", 502, 700);
    f.ends[3].ledger.take("feed/0", 501, 701);
})]
#[case::replayed_behind_live_ones("no_reorder", Pass, "", |f: &mut Facts| {
    f.ends[3].ledger.connected();
    f.ends[3].ledger.take("feed/0", 502, 700);
    f.ends[3].ledger.take("feed/0", 501, 701);
})]
#[case::corrupt("checksum", Fail, "connection 2: 1 wrong checksums, 0 other texts", |f: &mut Facts| f.ends[2].corrupt = 1)]
#[case::no_ack("acks", Fail, "1 never acknowledged", |f: &mut Facts| { f.ends[2].publisher.next(2, 9).expect("message"); })]
#[case::ack_twice("acks", Fail, "1 acknowledged out of order", |f: &mut Facts| { f.ends[2].publisher.ack(20, 20, Instant::now()); })]
#[case::not_held("held", Fail, "39 of 40 at 60.0 s", |f: &mut Facts| f.seen.seconds[60].held = 39)]
#[case::missing_in_the_window("held", Pass, "", |f: &mut Facts| f.seen.seconds[130].held = 0)]
#[case::never_quiet("held", Inconclusive, "no second", |f: &mut Facts| f.windows.0[0] = Window { from_ms: 0, to_ms: 999_000, ..f.windows.0[0].clone() })]
#[case::cut("closes_classified", Fail, "connection 39 to ws-b at 60.0 s: 1006 cut without a close frame", |f: &mut Facts| close_of(f, 60_000, 1006))]
#[case::left("closes_classified", Fail, "left although no pod went away", |f: &mut Facts| close_of(f, 60_000, 1001))]
#[case::expired("closes_classified", Fail, "token expired", |f: &mut Facts| close_of(f, 126_000, 4401))]
#[case::unclean("closes_classified", Fail, "1 connections did not answer", |f: &mut Facts| f.ends[5].clean = false)]
#[case::cut_on_drain("drains", Fail, "1006 cut with its pod", |f: &mut Facts| f.seen.closes[3].code = 1006)]
#[case::cut_with_its_pod_is_declared("closes_classified", Pass, "", |f: &mut Facts| f.seen.closes[3].code = 1006)]
#[case::not_deleted("drains", Inconclusive, "forbidden", |f: &mut Facts| f.kill = Err("forbidden".into()))]
#[case::not_back("reconnects", Fail, "3 x status 503", |f: &mut Facts| {
    f.kill.as_mut().expect("kill").steady_ms = None;
    f.seen.failed.insert("status 503".into(), 3);
})]
#[case::back_late("reconnects", Fail, "too late", |f: &mut Facts| f.kill.as_mut().expect("kill").steady_ms = Some(134_000))]
#[case::stampede("reconnects", Fail, "too many", |f: &mut Facts| f.seen.seconds[126].connects = 40)]
#[case::idle_pod("spread", Fail, "no connection reached ws-c", |f: &mut Facts| { f.spread.after.remove("ws-c"); })]
#[case::nameless("spread", Inconclusive, "x-served-by", |f: &mut Facts| f.spread.after.clear())]
#[case::few("spread", NotApplicable, "too few", |f: &mut Facts| f.spread.not_rotated = "3 connections are too few".into())]
#[case::leak("memory", Fail, "ws-b 20.0 / 20.0 / 60.0 MiB", |f: &mut Facts| { f.memory.after.insert("ws-b".into(), 60 << 20); })]
#[case::no_sample("memory", Inconclusive, "no answer", |f: &mut Facts| {
    f.memory.after.clear();
    f.memory.trouble = "no answer".into();
})]
#[case::slower_and_slower("latency", Fail, "p50 rose by 82 ms", |f: &mut Facts| rising(f, [8, 50, 90]))]
#[case::slow_but_starved("latency", Inconclusive, "starved", |f: &mut Facts| {
    rising(f, [8, 50, 90]);
    f.seen.seconds.iter_mut().for_each(|s| s.lag_ms = 2_000);
})]
#[case::silent_connection("events_flowed", Fail, "connection 4", |f: &mut Facts| f.ends[4].ledger = Ledger::default())]
fn each_assertion_can_be_missed(#[case] id: &str, #[case] expected: Verdict, #[case] reason: &str, #[case] change: Change) {
    let mut facts = good();
    change(&mut facts);
    let got = &verdicts(&facts)[id];
    assert_eq!(got.verdict, expected, "{got:#?}");
    assert!(got.reason.contains(reason), "{got:#?}");
}

#[test]
fn without_events_nothing_else_is_judged() {
    let mut facts = good();
    facts.ends.iter_mut().for_each(|e| e.ledger = Ledger::default());
    let all = verdicts(&facts);
    assert_eq!(all["events_flowed"].verdict, Fail);
    assert!(all.values().filter(|a| a.id != "soak.live.events_flowed").all(|a| a.verdict == Inconclusive), "{all:#?}");
}

#[test]
fn connections_that_could_not_be_opened_are_told_once() {
    let mut facts = good();
    facts.opened_ms = None;
    facts.seen.failed.insert("status 401".into(), 40);
    let all = verdicts(&facts);
    assert!(all["held"].verdict == Fail && all["held"].reason.contains("40 x status 401"), "{:#?}", all["held"]);
    assert!(all.values().filter(|a| a.id != "soak.live.held").all(|a| a.verdict == Inconclusive), "{all:#?}");
}

#[test]
fn without_messages_there_is_nothing_to_acknowledge() {
    let mut facts = good();
    facts.plan.messages_per_second = 0.0;
    assert!(!verdicts(&facts).contains_key("acks"));
}
