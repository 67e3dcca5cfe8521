use super::*;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn plan(address: SocketAddr, shape: &str) -> OpenPlan {
    OpenPlan {
        endpoint: Endpoint { address, host: "shop.example".into(), tls: false, ca_pem: None, health_path: "/".into() },
        method: "GET".into(),
        path: "/".into(),
        headers: vec![("x-from".into(), "gauntlet".into())],
        body: Vec::new(),
        expect_status: 200,
        shape: Shape::parse(shape).expect("a shape"),
        spacing: Spacing::Even,
        seed: 7,
        connections: 8,
        queue: 1000,
        timeout_ms: 5_000,
        threads: 2,
    }
}

async fn load(plan: OpenPlan) -> Recording {
    let stop = CancellationToken::new();
    tokio::task::spawn_blocking(move || run(&plan, &stop)).await.expect("joins").expect("a load")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_arrival_is_sent_and_answered() {
    let address = serve(Router::new().route("/", get(|| async { "hello" }))).await;
    let seen = load(plan(address, "constant:400@0.5")).await;
    assert_eq!((seen.due, seen.ok, seen.failed(), seen.dropped), (200, 200, 0, 0));
    assert_eq!((seen.latency.count(), seen.lag.count(), seen.wait.count()), (200, 200, 200));
    assert!((1..=8).contains(&seen.connections), "{} connections", seen.connections);
}

/// One connection, and a server that stalls once for 300 ms: whoever was due meanwhile waited for the rest of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stall_counts_for_everyone_who_was_due_in_it() {
    let asked = Arc::new(AtomicUsize::new(0));
    let handler = move || {
        let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if first {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }
    };
    let address = serve(Router::new().route("/", get(handler))).await;
    let seen = load(OpenPlan { connections: 1, threads: 1, ..plan(address, "constant:200@0.5") }).await;
    assert_eq!(seen.ok, 100);
    // 60 of 100 were due within the stall, the median of them 150 ms before its end; a closed loop would have one slow request.
    let median = seen.latency.ms(0.5).expect("times");
    assert!(median >= 40.0, "the median is {median} ms");
    assert!(seen.latency.ms(0.8).expect("times") >= 190.0);
    assert!(seen.service.ms(0.5).expect("times") < median, "from when it left, nearly nobody was slow");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_counted_by_their_cause() {
    let address = serve(Router::new().route("/", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))).await;
    let seen = load(plan(address, "constant:100@0.2")).await;
    assert_eq!((seen.ok, seen.errors.get("status 503")), (0, Some(&20)));
    // A port that was just given back.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    assert_eq!(load(plan(gone, "constant:100@0.2")).await.errors.get("connect"), Some(&20));
    let slow = serve(Router::new().route("/", get(|| tokio::time::sleep(Duration::from_secs(60))))).await;
    let seen = load(OpenPlan { timeout_ms: 50, ..plan(slow, "constant:50@0.1") }).await;
    assert_eq!(seen.errors.get("timeout"), Some(&5));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_could_take_is_dropped_and_counted() {
    let address = serve(Router::new().route("/", get(|| tokio::time::sleep(Duration::from_millis(400))))).await;
    let seen = load(OpenPlan { connections: 1, threads: 1, queue: 2, ..plan(address, "constant:100@0.2") }).await;
    assert_eq!((seen.due, seen.ok + seen.dropped), (20, 20));
    assert!(seen.dropped >= 15, "one under way, two waiting: {} dropped", seen.dropped);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_machine_is_refused() {
    let far = plan("192.0.2.1:80".parse().expect("an address"), "constant:1@1");
    assert!(matches!(run(&far, &CancellationToken::new()), Err(OpenError::NotLoopback(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_it() {
    let address = serve(Router::new().route("/", get(|| async { "hello" }))).await;
    let plan = plan(address, "constant:50@3600");
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let running = tokio::task::spawn_blocking(move || run(&plan, &stopped));
    stop.cancel();
    let seen = running.await.expect("joins").expect("a load");
    assert_eq!(seen.due, seen.ok);
}
