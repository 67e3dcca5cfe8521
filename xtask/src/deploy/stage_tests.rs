use super::super::checks::objects::{node, pod, replica_set};
use super::super::fake_api::{serve_kinds, serve_list, start, status};
use super::*;
use gauntlet_reports::clock::Clock;
use serde_json::json;
use wiremock::matchers::{method, path, path_regex, query_param_is_missing};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

fn platform() -> Platform {
    serde_json::from_value(json!({"name": "globeco", "namespace": "globeco", "manifests": {"production": "p", "kind": "k"},
        "entrypoints": {"api": {"service": "order", "port": 80, "healthPath": "/health"}}}))
    .expect("platform")
}

fn manifest() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "order"}, "spec": {"replicas": 3}})
}

/// A cluster on which `order` has `ready` of three pods, the last of which has `fault` as its waiting reason.
async fn cluster(ready: usize, fault: Option<&str>) -> (MockServer, Client) {
    let (server, client) = start().await;
    serve_kinds(&server, "v1", &[("Namespace", "namespaces", false)]).await;
    serve_kinds(&server, "apps/v1", &[("Deployment", "deployments", true)]).await;
    Mock::given(method("PATCH")).respond_with(|r: &Request| ResponseTemplate::new(200).set_body_raw(r.body.clone(), "application/json")).mount(&server).await;
    let deployment = json!({"metadata": {"name": "order", "generation": 1}, "spec": {"replicas": 3},
        "status": {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": ready, "availableReplicas": ready}});
    let list = json!({"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": {"resourceVersion": "1"}, "items": [deployment]});
    Mock::given(method("GET")).and(path("/apis/apps/v1/namespaces/globeco/deployments")).and(query_param_is_missing("watch")).respond_with(ResponseTemplate::new(200).set_body_json(list)).mount(&server).await;
    let mut pods: Vec<_> = ["a", "b", "c"].iter().enumerate().map(|(i, name)| pod(name, "n1", i < ready)).collect();
    if let Some(reason) = fault {
        pods[2]["status"]["containerStatuses"][0]["state"] = json!({"waiting": {"reason": reason, "message": "no such image"}});
    }
    let serving: Vec<_> = ["a", "b", "c"][..ready].iter().map(|n| json!({"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "name": n}})).collect();
    let slice = json!({"metadata": {"name": "order-x", "labels": {"kubernetes.io/service-name": "order"}}, "addressType": "IPv4",
        "endpoints": serving});
    let service = json!({"metadata": {"name": "order"}, "spec": {"selector": {"app": "order"}}});
    let (core, namespaced) = ("/api/v1/namespaces/globeco", "namespaces/globeco");
    serve_list(&server, &format!("{core}/pods"), pods).await;
    serve_list(&server, &format!("{core}/events"), vec![]).await;
    serve_list(&server, &format!("{core}/services"), vec![service]).await;
    serve_list(&server, &format!("{core}/persistentvolumeclaims"), vec![]).await;
    serve_list(&server, "/api/v1/nodes", vec![node("n1", "z1")]).await;
    serve_list(&server, &format!("/apis/apps/v1/{namespaced}/replicasets"), vec![replica_set()]).await;
    serve_list(&server, &format!("/apis/discovery.k8s.io/v1/{namespaced}/endpointslices"), vec![slice]).await;
    serve_list(&server, &format!("/apis/autoscaling/v2/{namespaced}/horizontalpodautoscalers"), vec![]).await;
    serve_list(&server, &format!("/apis/policy/v1/{namespaced}/poddisruptionbudgets"), vec![]).await;
    serve_list(&server, "/apis/apiregistration.k8s.io/v1/apiservices", vec![]).await;
    Mock::given(method("GET")).and(path("/health")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    (server, client)
}

async fn staged(server: &MockServer, client: Client, run_dir: &std::path::Path) -> StageReport {
    let platform = platform();
    let endpoint = Endpoint { address: *server.address(), host: "orders.example.org".into(), tls: false, ca_pem: None, health_path: "/health".into() };
    run(DeployStage {
        client,
        platform: &platform,
        objects: vec![manifest()],
        recorder: Recorder::in_memory(Clock::start()).scoped("globeco", StageName::Deploy),
        run_id: "run-1".into(),
        run_dir: run_dir.to_owned(),
        authority: None,
        endpoints: BTreeMap::from([("api".to_owned(), endpoint)]),
        stop: CancellationToken::new(),
        rollout_timeout: Duration::from_millis(300),
        metrics_timeout: Duration::ZERO,
        locate: None,
        configurations: PathBuf::new(),
        helm: None,
    })
    .await
}

#[tokio::test]
async fn a_good_platform_passes_every_assertion() {
    let dir = tempfile::tempdir().expect("temp dir");
    let (server, client) = cluster(3, None).await;
    let report = staged(&server, client, dir.path()).await;
    assert_eq!(report.verdict, Verdict::Pass, "{report:#?}");
    let ids: Vec<_> = report.assertions.iter().map(|a| a.id.as_str()).collect();
    let all = ["deploy.applied", "deploy.rolled_out", "deploy.pods_ready", "deploy.restarts_zero", "deploy.endpoints_equal_ready_pods", "deploy.pvc_bound", "deploy.hpa_sees_metrics", "deploy.pdb", "deploy.spread", "deploy.entrypoint_serves"];
    assert_eq!(ids, all);
    assert!(!dir.path().join("globeco").exists(), "no evidence is needed");
}

#[tokio::test]
async fn a_stuck_rollout_fails_with_its_cause_and_leaves_evidence() {
    let dir = tempfile::tempdir().expect("temp dir");
    let (server, client) = cluster(2, Some("ErrImagePull")).await;
    let report = staged(&server, client, dir.path()).await;
    assert_eq!(report.verdict, Verdict::Fail);
    assert!(report.reason.starts_with("deploy.rolled_out: Deployment globeco/order: pod c, container order: image"), "{}", report.reason);
    assert!(report.reason.contains("no such image"), "{}", report.reason);
    let failed = report.assertions.iter().find(|a| a.id == "deploy.rolled_out").expect("asserted");
    assert!(failed.evidence.contains(&"globeco/deploy/pods.json".to_owned()));
    assert!(dir.path().join("globeco/deploy/pods.json").exists());
}

#[tokio::test]
async fn an_object_that_is_refused_fails_the_stage_with_the_servers_words() {
    let dir = tempfile::tempdir().expect("temp dir");
    let (server, client) = start().await;
    serve_kinds(&server, "v1", &[("Namespace", "namespaces", false)]).await;
    serve_kinds(&server, "apps/v1", &[("Deployment", "deployments", true)]).await;
    Mock::given(method("PATCH")).and(path_regex("deployments")).respond_with(status(422, "Invalid", "spec.replicas: Invalid value")).mount(&server).await;
    Mock::given(method("PATCH")).respond_with(|r: &Request| ResponseTemplate::new(200).set_body_raw(r.body.clone(), "application/json")).mount(&server).await;
    let report = staged(&server, client, dir.path()).await;
    assert_eq!(report.verdict, Verdict::Fail);
    assert_eq!(report.reason, "deploy.applied: apply Deployment order: spec.replicas: Invalid value");
}
