use super::super::fake_api::{serve_kinds, start, status};
use super::*;
use gauntlet_reports::clock::Clock;
use std::time::Duration;
use wiremock::matchers::{method, path, path_regex, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

fn quick() -> ApplyOptions {
    let patience = Patience { limit: Duration::from_millis(400), first_pause: Duration::from_millis(5), longest_pause: Duration::from_millis(20) };
    ApplyOptions { patience, run: Some(("run-1".into(), "globeco".into())), ..ApplyOptions::default() }
}

fn recorder() -> Recorder {
    Recorder::in_memory(Clock::start())
}

fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "order"}, "spec": {}})
}

fn secret() -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mongo", "namespace": "globeco"}})
}

/// Answers a patch with the object that was sent, as the API server does.
fn echo(request: &Request) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(request.body.clone(), "application/json")
}

async fn server_with_kinds() -> (MockServer, Client) {
    let (server, client) = start().await;
    serve_kinds(&server, "v1", &[("Namespace", "namespaces", false), ("Secret", "secrets", true)]).await;
    serve_kinds(&server, "apps/v1", &[("Deployment", "deployments", true)]).await;
    (server, client)
}

async fn patched(server: &MockServer) -> Vec<Request> {
    let all = server.received_requests().await.expect("recording is on");
    all.into_iter().filter(|r| r.method.as_str() == "PATCH").collect()
}

#[tokio::test]
async fn applies_in_order_and_makes_and_labels_the_namespace() {
    let (server, client) = server_with_kinds().await;
    let forced = Mock::given(method("PATCH")).and(query_param("force", "true")).and(query_param("fieldManager", "gauntlet"));
    forced.respond_with(echo).mount(&server).await;
    let applied = apply(&client, &[deployment(), secret()], "globeco", &quick(), &recorder()).await.expect("applied");
    let kinds: Vec<_> = applied.iter().map(|o| o.kind.as_str()).collect();
    assert_eq!(kinds, ["Namespace", "Secret", "Deployment"]);
    let sent = patched(&server).await;
    let paths: Vec<_> = sent.iter().map(|r| r.url.path().to_owned()).collect();
    assert_eq!(paths, ["/api/v1/namespaces/globeco", "/api/v1/namespaces/globeco/secrets/mongo", "/apis/apps/v1/namespaces/globeco/deployments/order"]);
    let namespace: Value = sent[0].body_json().expect("json");
    assert_eq!(namespace["metadata"]["labels"][RUN_LABEL], "run-1");
    let platform_object: Value = sent[2].body_json().expect("json");
    assert_eq!(platform_object, deployment(), "platform objects are sent as they are");
    let questions = server.received_requests().await.expect("recording is on").iter().filter(|r| r.url.path() == "/api/v1").count();
    assert_eq!(questions, 1, "kinds are asked once per API version");
}

#[tokio::test]
async fn a_namespace_that_stands_keeps_its_labels() {
    let (server, client) = server_with_kinds().await;
    let stands = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "globeco", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    Mock::given(method("GET")).and(path("/api/v1/namespaces/globeco")).respond_with(ResponseTemplate::new(200).set_body_json(stands)).mount(&server).await;
    Mock::given(method("PATCH")).respond_with(echo).mount(&server).await;
    let applied = apply(&client, &[secret()], "globeco", &quick(), &recorder()).await.expect("applied");
    assert_eq!(applied.iter().map(|o| o.kind.as_str()).collect::<Vec<_>>(), ["Secret"]);
}

#[tokio::test]
async fn a_403_of_a_starting_control_plane_is_waited_out() {
    let (server, client) = server_with_kinds().await;
    let forbidden = status(403, "Forbidden", r#"secrets "mongo" is forbidden: User "kubernetes-admin" cannot patch resource "secrets""#);
    Mock::given(method("PATCH")).and(path_regex("secrets")).respond_with(forbidden).up_to_n_times(2).mount(&server).await;
    Mock::given(method("PATCH")).respond_with(echo).mount(&server).await;
    let recorder = recorder();
    apply(&client, &[secret()], "globeco", &quick(), &recorder).await.expect("applied in the end");
    assert_eq!(patched(&server).await.len(), 4);
    let told = format!("{:?}", recorder.events());
    assert!(told.contains("apply Secret globeco/mongo again: access not granted yet"), "{told}");
}

#[tokio::test]
async fn a_refusal_names_object_place_and_cause_and_is_not_tried_again() {
    let (server, client) = server_with_kinds().await;
    let invalid = status(422, "Invalid", "spec.replicas: Invalid value: -1");
    Mock::given(method("PATCH")).and(path_regex("deployments")).respond_with(invalid).expect(1).mount(&server).await;
    Mock::given(method("PATCH")).respond_with(echo).mount(&server).await;
    let options = ApplyOptions { locate: Some(Arc::new(|_| Some("deployment.yaml:3".into()))), ..quick() };
    let error = apply(&client, &[deployment()], "globeco", &options, &recorder()).await.expect_err("refused");
    assert_eq!(error.to_string(), "apply Deployment order (deployment.yaml:3): spec.replicas: Invalid value: -1");
    assert!(!error.is_cluster_fault());
}

#[tokio::test]
async fn an_api_server_that_stays_broken_is_the_clusters_fault() {
    let (server, client) = server_with_kinds().await;
    Mock::given(method("PATCH")).respond_with(status(500, "InternalError", "etcdserver: request timed out")).mount(&server).await;
    let error = apply(&client, &[secret()], "globeco", &quick(), &recorder()).await.expect_err("broken");
    assert!(matches!(error, ApplyError::Unavailable { .. }) && error.is_cluster_fault(), "{error}");
    assert!(patched(&server).await.len() > 2, "tried again");
}

#[tokio::test]
async fn a_custom_kind_that_is_not_installed_is_told_from_a_wrong_api_version() {
    let (server, client) = server_with_kinds().await;
    Mock::given(method("PATCH")).respond_with(echo).mount(&server).await;
    Mock::given(method("GET")).and(path("/apis/apps/v2")).respond_with(status(404, "NotFound", "not found")).mount(&server).await;
    Mock::given(method("GET")).and(path("/apis/projectcontour.io/v1")).respond_with(status(404, "NotFound", "not found")).mount(&server).await;
    let proxy = json!({"apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", "metadata": {"name": "order"}});
    let error = apply(&client, &[proxy], "globeco", &quick(), &recorder()).await.expect_err("not installed");
    assert!(error.is_cluster_fault(), "{error}");
    let old = json!({"apiVersion": "apps/v2", "kind": "Deployment", "metadata": {"name": "order"}});
    let error = apply(&client, &[old], "globeco", &quick(), &recorder()).await.expect_err("no such version");
    assert!(!error.is_cluster_fault());
    assert_eq!(error.to_string(), "apply Deployment order: the cluster serves no kind Deployment of apps/v2");
}

#[tokio::test]
async fn a_kind_that_a_definition_of_the_same_call_establishes_is_waited_for() {
    let (server, client) = start().await;
    serve_kinds(&server, "v1", &[("Namespace", "namespaces", false)]).await;
    serve_kinds(&server, "apiextensions.k8s.io/v1", &[("CustomResourceDefinition", "customresourcedefinitions", false)]).await;
    Mock::given(method("GET")).and(path("/apis/example.org/v1")).respond_with(status(404, "NotFound", "not found")).up_to_n_times(2).mount(&server).await;
    serve_kinds(&server, "example.org/v1", &[("Probe", "probes", true)]).await;
    Mock::given(method("PATCH")).respond_with(echo).mount(&server).await;
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "probes.example.org"}});
    let custom = json!({"apiVersion": "example.org/v1", "kind": "Probe", "metadata": {"name": "p"}});
    let applied = apply(&client, &[custom, definition], "globeco", &quick(), &recorder()).await.expect("applied");
    assert_eq!(applied.last().map(|o| o.kind.as_str()), Some("Probe"));
}

#[tokio::test]
async fn a_dry_run_says_so_to_the_server() {
    let (server, client) = server_with_kinds().await;
    Mock::given(method("PATCH")).and(query_param("dryRun", "All")).respond_with(echo).expect(2).mount(&server).await;
    let options = ApplyOptions { dry_run: true, ..quick() };
    apply(&client, &[secret()], "globeco", &options, &recorder()).await.expect("checked");
}
