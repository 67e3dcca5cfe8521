use super::*;
use crate::deploy::fake_api::{serve_kinds, start, status};
use clap::Parser;
use gauntlet_reports::clock::Clock;
use rstest::rstest;
use serde_json::json;
use wiremock::matchers::{method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: DeployArgs,
}

fn args(line: &str) -> DeployArgs {
    Line::try_parse_from(std::iter::once("deploy").chain(line.split_whitespace())).expect("flags").args
}

fn platform() -> Platform {
    serde_json::from_value(json!({"name": "globeco", "namespace": "globeco", "manifests": {"production": "overlays/production", "kind": "overlays/kind", "environments": {"staging": "overlays/staging"}},
        "entrypoints": {"api": {"service": "order", "port": 80, "healthPath": "/health"}}}))
    .expect("platform")
}

fn objects(source: &Path) -> anyhow::Result<Vec<Value>> {
    let replicas = if source.ends_with("overlays/staging") { 1 } else { 3 };
    Ok(vec![
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "order", "namespace": "globeco"}, "spec": {"selector": {"app": "order"}, "ports": [{"port": 80}]}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "order", "namespace": "globeco"}, "spec": {"replicas": replicas,
            "template": {"metadata": {"labels": {"app": "order"}}, "spec": {"containers": [{"name": "order", "image": "order:1"}]}}}}),
    ])
}

async fn deploy(line: &str, client: Option<Client>) -> anyhow::Result<u8> {
    let (platform, recorder) = (platform(), Recorder::in_memory(Clock::start()));
    let context = DeployContext { client, own_cluster: false, platform: &platform, folder: "globeco".into(), render: &objects, recorder, configurations: None, stop: CancellationToken::new() };
    run(&args(line), context).await
}

/// An API server that takes everything and says that `order` in `namespace` is rolled out.
async fn cluster(namespace: &str) -> (MockServer, Client) {
    let (server, client) = start().await;
    serve_kinds(&server, "v1", &[("Namespace", "namespaces", false), ("Service", "services", true)]).await;
    serve_kinds(&server, "apps/v1", &[("Deployment", "deployments", true)]).await;
    Mock::given(method("PATCH")).respond_with(|r: &Request| ResponseTemplate::new(200).set_body_raw(r.body.clone(), "application/json")).mount(&server).await;
    let done = json!({"metadata": {"name": "order", "generation": 1}, "spec": {"replicas": 1}, "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}});
    let list = json!({"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": {"resourceVersion": "1"}, "items": [done]});
    let at = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
    let none = status(404, "NotFound", "deployments.apps \"order\" not found");
    Mock::given(method("GET")).and(path(format!("{at}/order"))).respond_with(none).mount(&server).await;
    Mock::given(method("GET")).and(path(at)).and(query_param_is_missing("watch")).respond_with(ResponseTemplate::new(200).set_body_json(list)).mount(&server).await;
    (server, client)
}

async fn sent(server: &MockServer) -> Vec<(String, Value)> {
    let all = server.received_requests().await.expect("recording is on");
    all.iter().filter(|r| r.method.as_str() == "PATCH").map(|r| (r.url.path().to_owned(), r.body_json().expect("json"))).collect()
}

#[tokio::test]
async fn the_guides_flags_choose_tag_environment_and_namespace() {
    let (server, client) = cluster("test-globeco").await;
    assert_eq!(deploy("-t v1.2.3 -e staging -n test-globeco", Some(client)).await.expect("deployed"), 0);
    let sent = sent(&server).await;
    let (at, deployment) = sent.last().expect("sent");
    assert_eq!(at, "/apis/apps/v1/namespaces/test-globeco/deployments/order");
    assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["image"], "order:v1.2.3");
    assert_eq!(deployment["spec"]["replicas"], 1, "the staging overlay");
    assert_eq!(sent[0].0, "/api/v1/namespaces/test-globeco");
}

#[tokio::test]
async fn a_dry_run_keeps_nothing() {
    let (server, client) = cluster("globeco").await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "globeco"}});
    Mock::given(method("GET")).and(path("/api/v1/namespaces/globeco")).respond_with(ResponseTemplate::new(200).set_body_json(namespace)).mount(&server).await;
    assert_eq!(deploy("--dry-run", Some(client)).await.expect("checked"), 0);
    let all = server.received_requests().await.expect("recording is on");
    let patches: Vec<_> = all.iter().filter(|r| r.method.as_str() == "PATCH").collect();
    assert!(!patches.is_empty() && patches.iter().all(|r| r.url.query().unwrap_or_default().contains("dryRun=All")));
    assert!(!all.iter().any(|r| r.url.path().contains("watch") || r.url.query().unwrap_or_default().contains("watch")));
}

#[tokio::test]
async fn a_dry_run_into_a_namespace_that_is_not_there_sends_nothing() {
    let (server, client) = start().await;
    Mock::given(method("GET")).respond_with(status(404, "NotFound", "namespaces not found")).mount(&server).await;
    Mock::given(method("PATCH")).and(query_param("dryRun", "All")).respond_with(ResponseTemplate::new(200)).expect(0).mount(&server).await;
    assert_eq!(deploy("--dry-run -n nowhere", Some(client)).await.expect("printed"), 0);
}

#[rstest]
#[case("", "deploy: there is no cluster")]
#[case("-e prod --dry-run", r#"there is no environment "prod": the environments of globeco are production, kind, staging"#)]
#[tokio::test]
async fn what_cannot_be_done_is_said(#[case] line: &str, #[case] words: &str) {
    let error = deploy(line, None).await.expect_err("refused");
    assert!(error.to_string().contains(words), "{error:#}");
}

#[tokio::test]
async fn without_a_cluster_a_dry_run_prints() {
    assert_eq!(deploy("--dry-run -t v9", None).await.expect("printed"), 0);
}
