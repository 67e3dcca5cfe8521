//! The stage against an API server that answers what a test tells it to.

use super::*;
use crate::plan::tests as plans;
use gauntlet_reports::clock::Clock;
use gauntlet_reports::verdict::Verdict;
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const HPAS: &str = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers";

fn platform(with_load: bool) -> Platform {
    let mut platform: Platform = serde_json::from_value(json!({
        "name": "shop", "namespace": "shop", "manifests": {"production": "p", "kind": "k"}
    }))
    .expect("platform");
    platform.load = with_load.then(plans::load);
    platform
}

fn hpa(status: Value) -> Value {
    json!({"metadata": {"name": "orders", "namespace": "shop", "resourceVersion": "5"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "orders"}, "minReplicas": 3, "maxReplicas": 20,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}]},
        "status": status})
}

fn blind(message: &str) -> Value {
    let condition = json!({"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": message});
    hpa(json!({"currentReplicas": 3, "desiredReplicas": 3, "conditions": [condition]}))
}

async fn answer(server: &MockServer, at: &str, body: Value) {
    Mock::given(method("GET")).and(path(at)).respond_with(ResponseTemplate::new(200).set_body_json(body)).mount(server).await;
}

/// An API server with one HPA, its Deployment and no pods. Watches stay open and silent.
async fn api_server(hpa: Value) -> MockServer {
    let server = MockServer::start().await;
    let open = ResponseTemplate::new(200).set_delay(Duration::from_secs(600));
    Mock::given(method("GET")).and(query_param("watch", "true")).respond_with(open).with_priority(1).mount(&server).await;
    let list = |items: Vec<Value>| json!({"metadata": {"resourceVersion": "5"}, "items": items});
    answer(&server, &format!("{HPAS}/orders"), hpa.clone()).await;
    answer(&server, HPAS, list(vec![hpa])).await;
    answer(&server, "/api/v1/namespaces/shop/pods", list(Vec::new())).await;
    answer(&server, "/api/v1/namespaces/shop/events", list(Vec::new())).await;
    let deployment = json!({"metadata": {"name": "orders"}, "spec": {"selector": {"matchLabels": {"app": "orders"}},
        "template": {"metadata": {}, "spec": {"containers": []}}}});
    answer(&server, "/apis/apps/v1/namespaces/shop/deployments/orders", deployment).await;
    server
}

async fn report(server: &MockServer, platform: &Platform, stop: CancellationToken, within: Duration) -> StageReport {
    // kube brings one TLS provider and goose another: the process must name one, plain HTTP or not.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = kube::Config::new(server.uri().parse().expect("uri"));
    let run_dir = tempfile::tempdir().expect("temp dir");
    let recorder = Recorder::in_memory(Clock::start()).scoped("shop", StageName::Load);
    let stage = LoadStage {
        client: kube::Client::try_from(config).expect("client"),
        platform,
        profile: "quick",
        endpoint: plans::endpoint("127.0.0.1:9"),
        seed: 1,
        recorder,
        program: "no-such-program".into(),
        args: Vec::new(),
        run_dir: run_dir.path(),
        stop,
        controller: ControllerSettings::default(),
    };
    run_within(stage, within).await
}

const SOON: Duration = Duration::from_millis(800);

#[tokio::test]
async fn a_platform_without_load_is_not_applicable() {
    let server = MockServer::start().await;
    let report = report(&server, &platform(false), CancellationToken::new(), SOON).await;
    assert_eq!(report.verdict, Verdict::NotApplicable);
}

#[tokio::test]
async fn a_dead_metrics_api_is_inconclusive_and_named() {
    let server = api_server(blind("unable to get metrics for resource cpu: the server could not find the requested resource")).await;
    let dead = ResponseTemplate::new(503).set_body_string("service unavailable");
    Mock::given(path("/apis/metrics.k8s.io/v1beta1")).respond_with(dead).mount(&server).await;
    let report = report(&server, &platform(true), CancellationToken::new(), SOON).await;
    assert_eq!(report.verdict, Verdict::Inconclusive, "{report:?}");
    assert!(report.reason.contains("metrics.k8s.io does not answer"), "{}", report.reason);
}

#[tokio::test]
async fn a_target_without_requests_fails_with_its_cause() {
    let server = api_server(blind("failed to get cpu utilization: missing request for cpu in container orders of Pod orders-1")).await;
    // It need not wait: no patience mends this.
    let report = report(&server, &platform(true), CancellationToken::new(), Duration::from_secs(600)).await;
    assert_eq!(report.verdict, Verdict::Fail, "{report:?}");
    assert!(report.reason.contains("hpa.sees_metrics") && report.reason.contains("missing request for cpu"), "{}", report.reason);
}

#[tokio::test]
async fn an_hpa_that_does_not_exist_fails() {
    let server = MockServer::start().await;
    let status = json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": "orders not found"});
    Mock::given(path(format!("{HPAS}/orders"))).respond_with(ResponseTemplate::new(404).set_body_json(status)).mount(&server).await;
    let report = report(&server, &platform(true), CancellationToken::new(), SOON).await;
    assert_eq!(report.verdict, Verdict::Fail, "{report:?}");
    assert!(report.reason.contains("not in the cluster"), "{}", report.reason);
}

#[tokio::test]
async fn an_unknown_profile_is_named() {
    let server = MockServer::start().await;
    let mut platform = platform(true);
    platform.load.as_mut().expect("load").profiles.clear();
    let report = report(&server, &platform, CancellationToken::new(), SOON).await;
    assert_eq!(report.verdict, Verdict::Inconclusive);
    assert!(report.reason.contains("\"quick\""), "{}", report.reason);
}

#[tokio::test]
async fn every_target_that_is_blind_is_told() {
    let server = api_server(blind("failed to get cpu utilization: missing request for cpu in container orders of Pod orders-1")).await;
    let status = json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": "prices not found"});
    Mock::given(path(format!("{HPAS}/prices"))).respond_with(ResponseTemplate::new(404).set_body_json(status)).mount(&server).await;
    let mut platform = platform(true);
    let targets = &mut platform.load.as_mut().expect("load").targets;
    let mut second = targets[0].clone();
    targets.push(second.clone());
    let twice = report(&server, &platform, CancellationToken::new(), Duration::from_secs(600)).await;
    let ids: Vec<_> = twice.assertions.iter().map(|a| (a.id.as_str(), a.verdict)).collect();
    assert_eq!(ids, [("hpa.orders.sees_metrics", Verdict::Fail); 2]);
    second.hpa = "prices".into();
    platform.load.as_mut().expect("load").targets[1] = second;
    let missing = report(&server, &platform, CancellationToken::new(), Duration::from_secs(600)).await;
    assert!(missing.reason.starts_with("hpa.prices.sees_metrics"), "{}", missing.reason);
}

#[tokio::test]
async fn an_interruption_returns_at_once() {
    let server = api_server(blind("no metrics yet")).await;
    let stop = CancellationToken::new();
    stop.cancel();
    let report = report(&server, &platform(true), stop, Duration::from_secs(600)).await;
    assert_eq!((report.verdict, report.reason.as_str()), (Verdict::Inconclusive, "interrupted"));
}

#[tokio::test]
async fn replicas_above_their_minimum_are_no_start() {
    let seen = hpa(json!({"currentReplicas": 5, "desiredReplicas": 5,
        "conditions": [{"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"}],
        "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 30}}}]}));
    let server = api_server(seen).await;
    let mut platform = platform(true);
    platform.load.as_mut().expect("load").profiles.get_mut("quick").expect("profile").after_seconds = 2;
    let report = report(&server, &platform, CancellationToken::new(), SOON).await;
    assert_eq!(report.verdict, Verdict::Inconclusive, "{report:?}");
    assert!(report.reason.contains("did not come to rest") && report.assertions.len() == 1, "{}", report.reason);
}
