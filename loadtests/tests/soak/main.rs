//! The whole soak stage against a local server: a good one passes, and each flaw is found by its assertion.

mod server;
mod tls;

use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_fixtures::platform::Platform;
use gauntlet_loadtests::soak::stage::{self, Patience, SoakStage};
use gauntlet_reports::clock::Clock;
use gauntlet_reports::event::{EventKind, FaultPhase};
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::{Assertion, StageName, StageReport};
use gauntlet_reports::verdict::Verdict;
use rstest::rstest;
use serde_json::{Value, json};
use server::{Flaw, ORIGIN, World};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

fn platform(profile: &Value) -> Platform {
    serde_json::from_value(json!({
        "name": "shop", "namespace": "shop", "manifests": {"production": "p", "kind": "k"},
        "websockets": [{"name": "live", "entrypoint": "ws", "path": "/ws", "workload": "Deployment/ws", "origin": ORIGIN,
            "token": {"secret": "keys", "key": "jwt"}, "profiles": {"quick": profile}}]
    }))
    .expect("platform")
}

/// Runs the stage and gives its report, its events and its evidence.
async fn run(flaw: Flaw, profile: Value, stop: CancellationToken) -> (StageReport, Recorder, Option<Value>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let world = World::new(flaw);
    let (api, address) = server::start(&world).await;
    let recorder = Recorder::in_memory(Clock::start()).scoped("shop", StageName::Soak);
    let folder = tempfile::tempdir().expect("temp dir");
    let platform = platform(&profile);
    let endpoint = Endpoint { address, host: "ws.shop.test".into(), tls: false, ca_pem: None, health_path: "/".into() };
    let second = Duration::from_secs(1);
    let stage = SoakStage {
        client: kube::Client::try_from(kube::Config::new(format!("http://{api}").parse().expect("uri"))).expect("client"),
        platform: &platform,
        profile: "quick",
        endpoints: BTreeMap::from([("ws".to_owned(), endpoint)]),
        seed: 7,
        recorder: recorder.clone(),
        run_dir: folder.path(),
        stop,
        patience: Patience { open: 5 * second, replacement: 5 * second, settle: second, memory: 5 * second },
    };
    let report = stage::run(stage).await;
    let evidence = std::fs::read_to_string(folder.path().join("shop/soak-live.json")).ok();
    (report, recorder, evidence.map(|text| serde_json::from_str(&text).expect("json")))
}

fn few() -> Value {
    json!({"connections": 6, "seconds": 5, "messagesPerSecond": 2.0, "reconnectSeconds": 2})
}

fn assertion<'a>(report: &'a StageReport, id: &str) -> &'a Assertion {
    let id = format!("soak.live.{id}");
    report.assertions.iter().find(|a| a.id == id).unwrap_or_else(|| panic!("no {id} in {report:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_server_passes_the_whole_stage() {
    let profile = json!({"connections": 24, "seconds": 8, "messagesPerSecond": 2.0, "reconnectSeconds": 4});
    let (report, recorder, evidence) = run(Flaw::None, profile, CancellationToken::new()).await;
    let missed: Vec<_> = report.assertions.iter().filter(|a| a.verdict != Verdict::Pass).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    assert_eq!((report.verdict, report.assertions.len()), (Verdict::Pass, 17));

    let events = recorder.events();
    let phases: Vec<_> = events.iter().filter_map(|e| if let EventKind::Fault { phase, .. } = &e.kind { Some(*phase) } else { None }).collect();
    assert_eq!(phases, [FaultPhase::Applied, FaultPhase::Proven, FaultPhase::SteadyState]);
    let held = events.iter().filter_map(|e| match &e.kind {
        EventKind::Sample { series, value, .. } if series == "connections_held" => Some(*value),
        _ => None,
    });
    assert!(held.fold(0.0, f64::max) == 24.0);

    let evidence = evidence.expect("evidence");
    let killed = evidence["kill"]["pod"].as_str().expect("pod");
    assert_eq!(evidence["kill"]["held"], evidence["closes"].as_array().expect("closes").len(), "{evidence}");
    assert!(evidence["spread"]["before"][killed].is_u64() && evidence["spread"]["after"].get(killed).is_none(), "{evidence}");
    assert!(evidence["spread"]["after"]["ws-c"].is_u64() && evidence["odd_clients"].as_array().is_some_and(Vec::is_empty), "{evidence}");
}

#[rstest]
#[case::loses(Flaw::LosesAnEvent, "no_loss", "lost: connection ")]
#[case::repeats(Flaw::RepeatsAnEvent, "no_duplicate", "came twice: connection ")]
#[case::swaps(Flaw::SwapsTwoEvents, "no_reorder", "out of order: connection ")]
#[case::corrupts(Flaw::CorruptsAPayload, "checksum", "1 wrong checksums")]
#[case::cuts(Flaw::CutsAConnection, "closes_classified", "1006 cut without a close frame")]
#[case::cuts_on_drain(Flaw::CutsOnDrain, "drains", "1006 cut with its pod")]
#[case::forgets(Flaw::ForgetsOnResume, "no_loss", "not replayed when it came back")]
#[case::stops(Flaw::StopsSending, "no_loss", "at the end: the last ")]
#[case::expired(Flaw::AcceptsExpired, "rejects.expired_token", "let in a client with a token that expired")]
#[case::origin(Flaw::AcceptsAnyOrigin, "rejects.wrong_origin", "an origin that is not allowed")]
#[case::never_acks(Flaw::NeverAcks, "acks", "never acknowledged")]
#[case::never_sends(Flaw::NeverSends, "events_flowed", "no event came")]
#[case::leaks(Flaw::KeepsMemory, "memory", "memory was not given back")]
#[tokio::test(flavor = "multi_thread")]
async fn a_flaw_is_found_by_its_assertion(#[case] flaw: Flaw, #[case] id: &str, #[case] reason: &str) {
    let (report, ..) = run(flaw, few(), CancellationToken::new()).await;
    let found = assertion(&report, id);
    assert!(found.verdict == Verdict::Fail && found.reason.contains(reason), "{found:#?}");
    let others: Vec<_> = report.assertions.iter().filter(|a| a.verdict == Verdict::Fail && a.id != found.id).collect();
    assert!(others.is_empty(), "one flaw, one finding: {others:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_pod_that_gets_no_connection_is_found() {
    let profile = json!({"connections": 20, "seconds": 4, "messagesPerSecond": 1.0, "reconnectSeconds": 3});
    let (report, ..) = run(Flaw::LeavesTheNewPodIdle, profile, CancellationToken::new()).await;
    let found = assertion(&report, "spread");
    assert!(found.verdict == Verdict::Fail && found.reason == "no connection reached ws-c", "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interruption_returns_at_once() {
    let stop = CancellationToken::new();
    let soon = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        soon.cancel();
    });
    let started = std::time::Instant::now();
    let (report, ..) = run(Flaw::None, few(), stop).await;
    assert!(started.elapsed() < Duration::from_secs(4));
    assert_eq!((report.verdict, report.reason.as_str()), (Verdict::Inconclusive, "interrupted"));
    assert!(report.assertions.iter().any(|a| a.id == "soak.live.rejects.no_token"), "what was asserted is kept");
}

#[tokio::test]
async fn a_soak_that_cannot_be_made_says_why() {
    let mut profile = few();
    profile["connections"] = json!(0);
    let (report, ..) = run(Flaw::None, profile, CancellationToken::new()).await;
    assert_eq!(report.verdict, Verdict::Inconclusive);
    assert!(report.reason.contains("connections is 0"), "{}", report.reason);
}
