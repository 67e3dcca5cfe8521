//! A real goose child against a real server on this machine.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_fixtures::platform::Load;
use gauntlet_loadtests::plan::LoadPlan;
use gauntlet_loadtests::runner::{self, LoadResult};
use gauntlet_reports::clock::Clock;
use gauntlet_reports::event::EventKind;
use gauntlet_reports::recorder::Recorder;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const CHILD: &str = env!("CARGO_BIN_EXE_goose-child");

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Log>>);

#[derive(Default)]
struct Log {
    sequence: Vec<u64>,
    hosts: BTreeSet<String>,
    made: BTreeSet<u64>,
    unknown_reads: usize,
    closes: usize,
}

async fn create(State(seen): State<Seen>, headers: HeaderMap, Json(order): Json<Value>) -> (StatusCode, [(&'static str, &'static str); 1], Json<Value>) {
    let mut log = seen.0.lock().expect("lock");
    let id = order["seq"].as_u64().expect("seq is a number");
    log.sequence.push(id);
    log.made.insert(id);
    log.hosts.insert(headers["host"].to_str().expect("host").to_owned());
    log.closes += usize::from(headers.get("connection").is_some_and(|v| v == "close"));
    (StatusCode::CREATED, [("x-served-by", "pod-a")], Json(json!({"id": id})))
}

async fn read(State(seen): State<Seen>, Path(id): Path<u64>) -> StatusCode {
    let mut log = seen.0.lock().expect("lock");
    let known = log.made.contains(&id);
    log.unknown_reads += usize::from(!known);
    if known { StatusCode::OK } else { StatusCode::NOT_FOUND }
}

async fn serve(seen: Seen) -> std::net::SocketAddr {
    let app = Router::new()
        .route("/orders", post(create))
        .route("/orders/{id}", get(read))
        .route("/broken", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .with_state(seen);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn load(with_broken: bool) -> Load {
    let slo = json!({"errorRatio": 0.01, "p95Ms": 500});
    let mut steps = vec![
        json!({"name": "create", "method": "POST", "path": "/orders", "expectStatus": 201,
               "body": {"seq": "{{seq}}", "quantity": "{{rand:1:9}}"}, "capture": {"id": "/id"}}),
        json!({"name": "read", "method": "GET", "path": "/orders/{{id}}", "expectStatus": 200}),
    ];
    if with_broken {
        steps.push(json!({"name": "broken", "method": "GET", "path": "/broken", "expectStatus": 200}));
    }
    serde_json::from_value(json!({
        "entrypoint": "api", "targets": [{"hpa": "orders", "expectReplicas": {"quick": 4}}],
        "journeys": [{"name": "order", "weight": 1, "thinkMs": [5, 10], "steps": steps}],
        "profiles": {"quick": {"quietUsers": 2, "pushUsers": 5, "beforeSeconds": 3, "pushSeconds": 3, "afterSeconds": 60}},
        "slo": {"before": slo, "scaling": slo, "during": slo, "after": slo}
    }))
    .expect("load")
}

fn endpoint(address: std::net::SocketAddr) -> Endpoint {
    Endpoint { address, host: "orders.test".into(), tls: false, ca_pem: None, health_path: "/".into() }
}

fn total(result: &LoadResult, step: &str) -> (u64, u64) {
    let steps = || result.seconds.iter().filter_map(|s| s.steps.get(step));
    (steps().map(|s| s.ok).sum(), steps().map(|s| s.errors.values().sum::<u64>()).sum())
}

#[tokio::test]
async fn users_push_and_leave_and_every_request_is_told() {
    let seen = Seen::default();
    let address = serve(seen.clone()).await;
    let recorder = Recorder::in_memory(Clock::start());
    let load = load(false);
    let mut plan =
        LoadPlan::stage(&load, &load.profiles["quick"], endpoint(address), 11, recorder.clock().origin_ns()).expect("plan");
    plan.rotate_ms = 500;
    let running = runner::spawn(FilePath::new(CHILD), &[], &plan, recorder.clone()).await.expect("spawn");
    running.phase("before");
    let push = running.segment(1).await.expect("push");
    running.phase_at(push, "scaling");
    let after = running.segment(2).await.expect("after");
    running.phase_at(after, "after");
    let result = running.stop().await;

    let log = seen.0.lock().expect("lock");
    let distinct: BTreeSet<_> = log.sequence.iter().collect();
    assert_eq!(distinct.len(), log.sequence.len(), "every {{{{seq}}}} is unique");
    assert_eq!(log.hosts, BTreeSet::from(["orders.test".to_owned()]), "the Host header carries no port");
    assert_eq!(log.unknown_reads, 0, "captures reach the next step");
    assert!(log.closes > 0, "connections are rotated");
    let (created, failed) = total(&result, "order/create");
    // Requests that were under way at the stop are seen by the server only.
    assert!(created > 20 && failed == 0, "{created} created, {failed} failed");
    assert!((created..=created + 5).contains(&(log.sequence.len() as u64)));
    assert_eq!(result.servers.keys().collect::<Vec<_>>(), ["pod-a"]);
    assert!(result.seconds.iter().any(|s| s.users == 5) && result.seconds.iter().any(|s| s.users == 2));
    assert_eq!(result.ended.as_ref().map(|e| e.why.as_str()), Some("stopped"), "{}", result.complaint);
    assert!(result.window(push, after).requests > 0 && result.span("scaling") == Some((push, after)));
    let samples = recorder.events().iter().filter(|e| matches!(&e.kind, EventKind::Sample { series, .. } if series == "latency_p95_ms")).count();
    assert!(samples >= 3, "{samples} samples");
}

#[tokio::test]
async fn failures_are_counted_by_cause() {
    let address = serve(Seen::default()).await;
    let recorder = Recorder::in_memory(Clock::start());
    let plan = LoadPlan::steady(&load(true), endpoint(address), 2, 1, recorder.clock().origin_ns(), 3).expect("plan");
    let mut running = runner::spawn(FilePath::new(CHILD), &[], &plan, recorder).await.expect("spawn");
    assert!(running.flows(Duration::from_secs(30)).await);
    running.over().await;
    let result = running.stop().await;
    let (ok, failed) = total(&result, "order/broken");
    assert!(ok == 0 && failed > 0, "{ok} ok, {failed} failed");
    let window = result.window(0, u64::MAX);
    assert_eq!(window.errors.keys().collect::<Vec<_>>(), ["status 503"]);
    assert!(window.error_ratio() > 0.1 && window.error_ratio() < 0.6, "{}", window.error_ratio());
    assert!(["plan is over", "deadline"].contains(&result.ended.expect("ended").why.as_str()));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_not_a_hang() {
    // Bound and closed at once: nothing listens there.
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("address");
    let recorder = Recorder::in_memory(Clock::start());
    let plan = LoadPlan::steady(&load(false), endpoint(address), 2, 1, recorder.clock().origin_ns(), 60).expect("plan");
    let running = runner::spawn(FilePath::new(CHILD), &[], &plan, recorder).await.expect("spawn");
    let mut state = running.watch();
    let failing = |s: &LoadResult| s.seconds.iter().any(|x| x.steps.values().any(|step| step.errors.contains_key("connect")));
    state.wait_for(failing).await.expect("failures are told");
    drop(state);
    let result = running.stop().await;
    // Failing users pause: two of them cannot count one outage as thousands of failures.
    let window = result.window(0, u64::MAX);
    assert!(window.requests < 40 * window.seconds.max(1), "{} requests in {} s", window.requests, window.seconds);
}

#[tokio::test]
async fn a_child_that_cannot_work_says_why() {
    let recorder = Recorder::in_memory(Clock::start());
    let mut plan =
        LoadPlan::steady(&load(false), endpoint("127.0.0.1:9".parse().expect("address")), 1, 1, 0, 10).expect("plan");
    plan.endpoint.tls = true;
    plan.endpoint.ca_pem = Some("no certificate".into());
    let mut running = runner::spawn(FilePath::new(CHILD), &[], &plan, recorder).await.expect("spawn");
    running.over().await;
    let result = running.stop().await;
    assert!(result.complaint.contains("certificate authority"), "{}", result.complaint);
    assert_eq!(result.ended.expect("ended").why, "the load generator was lost");
}

#[tokio::test]
async fn sigterm_stops_the_child() {
    let address = serve(Seen::default()).await;
    let clock = Clock::start();
    let plan = LoadPlan::steady(&load(false), endpoint(address), 1, 1, clock.origin_ns(), 60).expect("plan");
    let mut child = tokio::process::Command::new(CHILD)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("spawn");
    let mut stdin = child.stdin.take().expect("stdin");
    let line = format!("{}\n", serde_json::to_string(&plan).expect("json"));
    tokio::io::AsyncWriteExt::write_all(&mut stdin, line.as_bytes()).await.expect("write");
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stdout.take().expect("stdout")));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id().expect("pid")).expect("pid"));
    let mut last = String::new();
    let mut told = false;
    while let Some(line) = lines.next_line().await.expect("line") {
        if line.contains("\"second\"") && !told {
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("kill");
            told = true;
        }
        last = line;
    }
    assert!(last.contains("stopped by SIGTERM"), "{last}");
    assert!(child.wait().await.expect("wait").success());
}
