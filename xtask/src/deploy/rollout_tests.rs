use super::super::fake_api::{serve_list, start};
use super::*;
use gauntlet_reports::clock::Clock;
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/globeco/deployments";

fn order() -> Workload {
    Workload { kind: WorkloadKind::Deployment, namespace: "globeco".into(), name: "order".into() }
}

fn goal() -> Goal {
    Goal { workloads: [order()].into(), ..Goal::default() }
}

fn deployment(ready: i64) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "order", "namespace": "globeco", "generation": 1, "resourceVersion": "2"},
        "spec": {"replicas": 3}, "status": {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": ready, "availableReplicas": ready}})
}

fn limits(timeout_ms: u64) -> Limits {
    Limits { timeout: Duration::from_millis(timeout_ms), look_every: Duration::from_millis(20) }
}

/// Lists `listed`, and answers the watch with `watched`.
async fn serve(server: &MockServer, listed: Value, watched: Option<Value>) {
    let list = json!({"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": {"resourceVersion": "1"}, "items": [listed]});
    Mock::given(method("GET")).and(path(DEPLOYMENTS)).and(query_param_is_missing("watch")).respond_with(ResponseTemplate::new(200).set_body_json(list)).mount(server).await;
    let line = watched.map(|w| format!("{}\n", json!({"type": "MODIFIED", "object": w}))).unwrap_or_default();
    let answer = ResponseTemplate::new(200).set_body_raw(line, "application/json");
    Mock::given(method("GET")).and(path(DEPLOYMENTS)).and(query_param("watch", "true")).respond_with(answer).mount(server).await;
}

async fn serve_pods(server: &MockServer, pods: Vec<Value>) {
    let set = json!({"metadata": {"name": "order-5d", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "order", "uid": "1", "controller": true}]}, "spec": {"replicas": 3, "selector": {}}, "status": {"replicas": 3}});
    serve_list(server, "/api/v1/namespaces/globeco/pods", pods).await;
    serve_list(server, "/api/v1/namespaces/globeco/events", vec![]).await;
    serve_list(server, "/apis/apps/v1/namespaces/globeco/replicasets", vec![set]).await;
    serve_list(server, "/api/v1/namespaces/globeco/persistentvolumeclaims", vec![]).await;
}

fn unpullable() -> Value {
    json!({"metadata": {"name": "order-5d-x", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "order-5d", "uid": "2", "controller": true}]},
        "spec": {"containers": [{"name": "order", "image": "registry.example/order:1"}]},
        "status": {"phase": "Pending", "containerStatuses": [{"name": "order", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}]}})
}

#[tokio::test]
async fn a_watch_event_finishes_the_rollout_and_progress_is_told() {
    let (server, client) = start().await;
    serve(&server, deployment(1), Some(deployment(3))).await;
    serve_pods(&server, vec![]).await;
    let recorder = Recorder::in_memory(Clock::start());
    let outcome = wait(&client, &goal(), limits(10_000), &recorder, &CancellationToken::new()).await.expect("asked");
    assert_eq!(outcome, Outcome::Finished);
    let told = format!("{:?}", recorder.events());
    assert!(told.contains("1/3 pods ready of Deployment order") && told.contains("3/3 pods ready"), "{told}");
}

#[tokio::test]
async fn a_certain_cause_ends_the_wait_early_and_is_named() {
    let (server, client) = start().await;
    serve(&server, deployment(0), None).await;
    serve_pods(&server, vec![unpullable()]).await;
    let recorder = Recorder::in_memory(Clock::start());
    let outcome = wait(&client, &goal(), limits(20_000), &recorder, &CancellationToken::new()).await.expect("asked");
    let Outcome::Stuck { causes, early } = outcome else { panic!("{outcome:?}") };
    assert!(early);
    assert!(causes[0].contains("image registry.example/order:1 cannot be pulled"), "{causes:?}");
    assert!(causes[0].contains("0 of 3 pods are ready"), "{causes:?}");
}

#[tokio::test]
async fn time_ends_the_wait_and_the_state_is_told() {
    let (server, client) = start().await;
    serve(&server, deployment(2), None).await;
    serve_pods(&server, vec![]).await;
    let recorder = Recorder::in_memory(Clock::start());
    let outcome = wait(&client, &goal(), limits(150), &recorder, &CancellationToken::new()).await.expect("asked");
    let Outcome::Stuck { causes, early } = outcome else { panic!("{outcome:?}") };
    assert!(!early);
    assert!(causes[0].contains("its controller has created no pod"), "{causes:?}");
}

#[tokio::test]
async fn a_stop_ends_the_wait() {
    let (server, client) = start().await;
    serve(&server, deployment(0), None).await;
    let stop = CancellationToken::new();
    stop.cancel();
    let outcome = wait(&client, &goal(), limits(10_000), &Recorder::in_memory(Clock::start()), &stop).await.expect("asked");
    assert_eq!(outcome, Outcome::Stopped);
}
