//! Each assertion with a course of events that passes it and one that does not.

use super::*;
use crate::oracle::ControllerSettings;
use crate::oracle::compare::{Comparison, Outcome};
use crate::oracle::observation::{Life, Observation, Point, Value};
use crate::oracle::spec::{HpaView, tests::hpa};
use crate::plan::{LoadPlan, tests as plans};
use crate::runner::{EndedSummary, LoadResult, Mark};
use crate::series::{Second, StepSecond};
use crate::stage::facts::{Course, Seen};
use gauntlet_fixtures::platform::{Load, WebSocketEndpoint};
use gauntlet_reports::verdict::Verdict::{self, *};
use rstest::rstest;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A course of events that passes everything: push from 20 to 80 s, 3 pods, then 6, back after 50 s.
struct Scene {
    load: Load,
    plan: LoadPlan,
    result: LoadResult,
    seen: Observation,
    course: Course,
    /// A second HPA.
    other: Option<Observation>,
    sockets: Vec<WebSocketEndpoint>,
}

fn view() -> HpaView {
    let spec = json!({"scaleTargetRef": {"kind": "Deployment", "name": "orders"}, "minReplicas": 3, "maxReplicas": 20, "metrics": [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}]});
    let status = json!({"currentReplicas": 3, "desiredReplicas": 3,
        "conditions": [{"type": "ScalingActive", "status": "True"}],
        "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 30}}}]});
    HpaView::of(&hpa(spec, status), ControllerSettings::default())
}

fn point(seconds: u64, desired: i32, ready: i32) -> Point {
    Point { at_ms: seconds * 1000, current: desired, desired, ready, limited: None }
}

fn life(seen_s: u64, ready_s: Option<u64>) -> Life {
    let seen_ms = seen_s * 1000;
    Life { seen_ms, scheduled_ms: Some(seen_ms), ready_ms: ready_s.map(|s| s * 1000), ..Life::default() }
}

fn agreed(at_ms: u64, low: i32, high: i32, desired: i32) -> Comparison {
    let outcome = if (low..=high).contains(&desired) { Outcome::Agrees } else { Outcome::Disagrees };
    Comparison { at_ms, current: 3, desired, low, high, metrics: vec!["resource cpu 140/70 asks for 6".into()], outcome }
}

impl Scene {
    fn new() -> Self {
        let mut load = plans::load();
        load.profiles.get_mut("quick").expect("profile").after_seconds = 90;
        let plan = LoadPlan::stage(&load, &load.profiles["quick"], plans::endpoint("127.0.0.1:80"), 1, 0).expect("plan");
        let second = |i: u64| {
            let step = StepSecond { ok: 50, errors: BTreeMap::new(), latency_us: vec![(20_000, 50)] };
            let users = if (20..80).contains(&i) { 8 } else { 2 };
            Second { at_ms: i * 1000, users, steps: BTreeMap::from([("order/create".to_owned(), step)]), ..Second::default() }
        };
        let mark = |seconds: u64, phase: &str| Mark { at_ms: seconds * 1000, phase: phase.to_owned() };
        let server = |name: &str, seconds: u64| (name.to_owned(), seconds * 1000);
        let result = LoadResult {
            started_ms: Some(0),
            phases: vec![mark(0, "before"), mark(20, "scaling"), mark(45, "during"), mark(80, "after")],
            servers: BTreeMap::from([server("a", 1), server("b", 1), server("c", 1), server("d", 36), server("e", 37), server("f", 38)]),
            ended: Some(EndedSummary { at_ms: 140_000, why: "stopped".into(), cpu_ms: 900 }),
            seconds: (0..140).map(second).collect(),
            ..LoadResult::default()
        };
        let old = ["a", "b", "c"].map(|name| (name.to_owned(), life(0, Some(0))));
        let new = ["d", "e", "f"].map(|name| (name.to_owned(), life(30, Some(35))));
        let seen = Observation {
            hpa: Some(view()),
            points: vec![point(0, 3, 3), point(30, 6, 3), point(35, 6, 6), point(120, 4, 6), point(125, 3, 3)],
            comparisons: vec![agreed(30_000, 6, 6, 6), agreed(40_000, 3, 6, 6)],
            lives: old.into_iter().chain(new).collect(),
            ..Observation::default()
        };
        let course = Course { push_ms: Some(20_000), settled_ms: Some(45_000), after_ms: Some(80_000), ..Course::default() };
        let back_ms = BTreeMap::from([("orders".to_owned(), 130_000), ("prices".to_owned(), 130_000)]);
        Scene { load, plan, result, seen, course: Course { back_ms, ..course }, other: None, sockets: vec![] }
    }

    fn verdicts(&self) -> BTreeMap<String, Assertion> {
        let several = self.other.is_some();
        let target = |hpa: &'static str, seen: &Observation| {
            let prefix = if several { format!("hpa.{hpa}") } else { "hpa".to_owned() };
            Seen { hpa, prefix, expect: 4, seen: seen.clone() }
        };
        let facts = Facts {
            load: &self.load,
            profile: &self.load.profiles["quick"],
            plan: &self.plan,
            result: &self.result,
            course: &self.course,
            targets: std::iter::once(target("orders", &self.seen)).chain(self.other.iter().map(|o| target("prices", o))).collect(),
            entry: Some("orders"),
            sockets: &self.sockets,
        };
        all(&facts).into_iter().map(|a| (a.id.clone(), a)).collect()
    }

    fn is(&self, id: &str, expected: Verdict, reason: &str) {
        let all = self.verdicts();
        let got = &all[id];
        assert_eq!(got.verdict, expected, "{got:?}");
        assert!(got.reason.contains(reason), "{got:?}");
    }
}

#[test]
fn a_good_course_passes_everything() {
    let all = Scene::new().verdicts();
    let bad: Vec<_> = all.values().filter(|a| a.verdict != Pass).collect();
    assert!(bad.is_empty() && all.len() == 13, "{bad:?}");
    assert!(all["hpa.time_to_scale"].measured.contains("detected 10.0 s"), "{:?}", all["hpa.time_to_scale"]);
    assert!(all["hpa.oracle"].measured.contains("2 of 2 decisions agree, 1 of them to the replica"));
}

fn services(list: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
    list.iter().map(|(name, pods)| ((*name).to_owned(), pods.iter().map(|p| (*p).to_owned()).collect())).collect()
}

type Change = fn(&mut Scene);

#[rstest]
#[case::not_scaled("hpa.scales_up", Fail, "resource cpu 140/70", |s: &mut Scene| s.seen.points = vec![point(0, 3, 3)])]
#[case::not_ready("hpa.scales_up", Fail, "pod d: 0/3 nodes", |s: &mut Scene| {
    s.seen.points = vec![point(0, 3, 3), point(30, 6, 3)];
    s.seen.lives.get_mut("d").expect("d").stuck_why = Some("0/3 nodes are available".into());
})]
#[case::out_of_bounds("hpa.bounds", Fail, "bounds", |s: &mut Scene| s.seen.points.push(point(90, 25, 6)))]
#[case::wrong_decision("hpa.oracle", Fail, "expected 6, the HPA decided 9", |s: &mut Scene| s.seen.comparisons.push(agreed(50_000, 6, 6, 9)))]
#[case::no_decision("hpa.oracle", Inconclusive, "never changed", |s: &mut Scene| s.seen.comparisons.clear())]
#[case::never_ready("hpa.time_to_scale", Fail, "did not become Ready", |s: &mut Scene| s.seen.lives.values_mut().for_each(|l| l.ready_ms = None))]
#[case::never_detected("hpa.time_to_scale", Inconclusive, "nothing was scaled", |s: &mut Scene| {
    s.seen.points = vec![point(0, 3, 3)];
    s.seen.lives.retain(|name, _| name.as_str() < "d");
})]
#[case::flapping("hpa.no_flapping", Fail, "3 6 4 6", |s: &mut Scene| s.seen.points = vec![point(0, 3, 3), point(30, 6, 6), point(40, 4, 4), point(50, 6, 6)])]
#[case::stays_up("hpa.scales_back", Fail, "did not come back", |s: &mut Scene| s.course.back_ms.clear())]
#[case::nothing_to_come_back("hpa.scales_back", Inconclusive, "nothing was scaled up", |s: &mut Scene| s.seen.points = vec![point(0, 3, 3)])]
#[case::idle_pod("load.new_pods_serve", Fail, "no traffic reached e", |s: &mut Scene| { s.result.servers.remove("e"); })]
#[case::endpoints_instead("load.new_pods_serve", Fail, "no traffic reached f", |s: &mut Scene| {
    s.result.servers.clear();
    s.course.endpoints = Some(services(&[("orders", &["a", "d", "e"])]));
})]
#[case::behind_another_service("load.new_pods_serve", Fail, "no traffic reached f", |s: &mut Scene| {
    s.result.servers = BTreeMap::from([("gateway-1".to_owned(), 1_000)]);
    s.course.endpoints = Some(services(&[("orders", &["gateway-1"]), ("prices", &["a", "d", "e"]), ("all", &["b"])]));
})]
#[case::behind_no_service("load.new_pods_serve", NotApplicable, "behind no Service", |s: &mut Scene| {
    s.result.servers = BTreeMap::from([("gateway-1".to_owned(), 1_000)]);
    s.course.endpoints = Some(services(&[("orders", &["gateway-1"])]));
})]
#[case::no_way_to_tell("load.new_pods_serve", Inconclusive, "x-served-by", |s: &mut Scene| s.result.servers.clear())]
#[case::pending("load.no_pending_pods", Fail, "Insufficient cpu", |s: &mut Scene| {
    let life = s.seen.lives.get_mut("d").expect("d");
    (life.stuck_ms, life.stuck_why) = (30_000, Some("Insufficient cpu".into()));
})]
#[case::no_load("load.flowed", Inconclusive, "no request was sent", |s: &mut Scene| s.result.seconds.clear())]
#[case::half_a_load("load.flowed", Inconclusive, "did not flow as planned", |s: &mut Scene| s.result.seconds.iter_mut().skip(40).for_each(|x| x.steps.clear()))]
#[case::starved("load.flowed", Inconclusive, "starved", |s: &mut Scene| s.result.seconds.iter_mut().for_each(|x| x.lag_ms = 2_000))]
#[case::all_failed("load.flowed", Fail, "status 503", |s: &mut Scene| for second in &mut s.result.seconds {
    for step in second.steps.values_mut() {
        *step = StepSecond { ok: 0, errors: BTreeMap::from([("status 503".to_owned(), 9)]), latency_us: Vec::new() };
    }
})]
#[case::errors_while_scaling("slo.scaling", Fail, "connect", |s: &mut Scene| for second in s.result.seconds.iter_mut().filter(|x| x.at_ms == 30_000) {
    for step in second.steps.values_mut() {
        step.errors.insert("connect".to_owned(), 300);
    }
})]
#[case::never_settled("slo.during", Inconclusive, "did not settle", |s: &mut Scene| { s.result.phases.remove(2); })]
fn each_assertion_can_be_missed(#[case] id: &str, #[case] expected: Verdict, #[case] reason: &str, #[case] change: Change) {
    let mut scene = Scene::new();
    change(&mut scene);
    scene.is(id, expected, reason);
}

#[test]
fn a_starved_generator_is_not_the_hpas_fault() {
    let mut scene = Scene::new();
    scene.seen.points = vec![point(0, 3, 3)];
    scene.result.seconds.iter_mut().for_each(|x| x.lag_ms = 2_000);
    scene.is("hpa.scales_up", Inconclusive, "did not flow as planned");
}

#[test]
fn several_targets_are_judged_each_under_its_own_name() {
    let mut scene = Scene::new();
    let mut other = scene.seen.clone();
    other.points = vec![point(0, 3, 3)];
    // Their pods are behind nothing that this load calls: only the first target's pods must have served.
    other.lives = BTreeMap::from([("x".to_owned(), life(0, Some(0))), ("y".to_owned(), life(30, Some(35)))]);
    scene.other = Some(other);
    scene.is("hpa.orders.scales_up", Pass, "");
    scene.is("hpa.prices.scales_up", Fail, "resource cpu 140/70");
    scene.is("load.new_pods_serve", Pass, "");
    assert_eq!(scene.verdicts().len(), 19);
    scene.course.back_ms.remove("orders");
    scene.is("hpa.orders.scales_back", Fail, "did not come back");
    let stuck = scene.other.as_mut().expect("other").lives.get_mut("y").expect("y");
    (stuck.stuck_ms, stuck.stuck_why) = (30_000, Some("Insufficient memory".into()));
    scene.is("load.no_pending_pods", Fail, "y waited 30 s: Insufficient memory");
}

/// The HPA with a metric of pods beside its CPU, and the values that it reported: second and thousandths.
fn with_custom(scene: &mut Scene, values: &[(u64, i64)]) {
    let pods = json!({"type": "Pods", "pods": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "10"}}});
    let spec = json!({"scaleTargetRef": {"kind": "Deployment", "name": "orders"}, "minReplicas": 3, "maxReplicas": 20, "metrics": [pods]});
    let view = HpaView::of(&hpa(spec, json!({"currentReplicas": 3, "desiredReplicas": 3})), ControllerSettings::default());
    let value = |&(s, milli): &(u64, i64)| Value { at_ms: s * 1000, metric: "pods metric queue".into(), milli, target_milli: 10_000 };
    scene.seen.hpa = Some(view);
    scene.seen.values = values.iter().map(value).collect();
}

#[rstest]
#[case::moves(&[(5, 500), (40, 12_500)], Pass, "")]
#[case::back_and_forth(&[(30, 500), (40, 12_500), (60, 500)], Pass, "")]
#[case::frozen(&[(5, 500)], Inconclusive, "stayed at 0.5 (target 10) for the 60 s")]
#[case::only_before_and_after(&[(2, 100), (5, 500), (90, 700)], Inconclusive, "stayed at 0.5")]
#[case::none(&[], Inconclusive, "FailedGetPodsMetric: unable to get metric queue")]
fn a_custom_metric_must_move_under_load(#[case] values: &[(u64, i64)], #[case] expected: Verdict, #[case] reason: &str) {
    let mut scene = Scene::new();
    with_custom(&mut scene, values);
    scene.seen.complaints.insert("FailedGetPodsMetric".into(), "unable to get metric queue".into());
    scene.is("hpa.custom_metric_moved", expected, reason);
}

#[test]
fn a_count_of_connections_is_the_soaks_to_move() {
    let mut scene = Scene::new();
    with_custom(&mut scene, &[(5, 0)]);
    scene.seen.workload = "Deployment/orders".into();
    let socket = json!({"name": "live", "entrypoint": "ws", "path": "/ws", "workload": "Deployment/orders", "profiles": {}});
    scene.sockets.push(serde_json::from_value(socket).expect("endpoint"));
    scene.is("hpa.custom_metric_moved", NotApplicable, "the soak opens: see soak.live.hpa_moved");
    scene.seen.workload = "Deployment/other".into();
    scene.is("hpa.custom_metric_moved", Inconclusive, "stayed at 0");
}

#[test]
fn the_values_of_a_custom_metric_are_evidence() {
    let mut scene = Scene::new();
    with_custom(&mut scene, &[(5, 500), (40, 12_500), (60, 3_000)]);
    let got = &scene.verdicts()["hpa.custom_metric_moved"];
    assert_eq!((got.measured.as_str(), got.evidence[0].as_str()), ("0.5 to 12.5 (target 10), 2 changes", "5 s 0.5, 40 s 12.5, 60 s 3"));
}
