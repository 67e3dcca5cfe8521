use super::*;
use crate::deploy::workload::WorkloadKind;
use rstest::rstest;
use serde_json::{Value, json};

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("object of the API")
}

fn order() -> Workload {
    Workload { kind: WorkloadKind::Deployment, namespace: "globeco".into(), name: "order".into() }
}

fn set(present: i32) -> Value {
    json!({"metadata": {"name": "order-5d", "annotations": {"deployment.kubernetes.io/revision": "1"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "order", "uid": "1", "controller": true}]},
        "spec": {"replicas": 3, "selector": {}}, "status": {"replicas": present}})
}

/// A pod of the Deployment `order` with the given status.
fn pod(status: Value) -> Value {
    json!({"metadata": {"name": "order-5d-x", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "order-5d", "uid": "2", "controller": true}]},
        "spec": {
            "initContainers": [{"name": "migrate", "image": "registry.example/migrate:1"}],
            "containers": [{"name": "order", "image": "registry.example/order:1", "ports": [{"containerPort": 8080, "name": "http"}],
                "resources": {"limits": {"memory": "64Mi"}},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 9999}, "failureThreshold": 3},
                "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}},
                "startupProbe": {"httpGet": {"path": "/live", "port": "http"}}}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]},
        "status": status})
}

fn event(kind: &str, name: &str, reason: &str, message: &str, count: i32) -> Value {
    let path = if kind == "Pod" { "spec.containers{order}" } else { "" };
    json!({"metadata": {"name": format!("{name}.{reason}")}, "involvedObject": {"kind": kind, "name": name, "fieldPath": path},
        "reason": reason, "message": message, "count": count, "lastTimestamp": "2026-01-01T00:00:00Z"})
}

fn snapshot(pods: Vec<Value>, events: Vec<Value>) -> Snapshot {
    Snapshot {
        replica_sets: vec![typed(set(pods.len() as i32))],
        pods: pods.into_iter().map(typed).collect(),
        events: events.into_iter().map(typed).collect(),
        ..Snapshot::default()
    }
}

fn container(ready: bool, restarts: i32, state: Value, last: Value) -> Value {
    json!({"phase": "Running", "containerStatuses": [{"name": "order", "image": "", "imageID": "", "ready": ready, "started": true, "restartCount": restarts, "state": state, "lastState": last}]})
}

fn waiting(reason: &str, message: &str) -> Value {
    container(false, 0, json!({"waiting": {"reason": reason, "message": message}}), json!({}))
}

fn crashed(restarts: i32, ended: Value) -> Value {
    container(false, restarts, json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}), json!({"terminated": ended}))
}

fn running() -> Value {
    container(false, 0, json!({"running": {}}), json!({}))
}

fn healthy() -> Value {
    json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "order", "image": "", "imageID": "", "ready": true, "started": true, "restartCount": 0, "state": {"running": {}}}]})
}

fn unscheduled() -> Value {
    json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 Insufficient cpu. preemption: 0/3 nodes are available."}]})
}

const REFUSED: &str = r#"Readiness probe failed: Get "http://10.244.1.5:9999/ready": dial tcp 10.244.1.5:9999: connect: connection refused"#;

#[rstest]
#[case::image(waiting("ImagePullBackOff", "Back-off pulling image"), vec![event("Pod", "order-5d-x", "Failed", r#"Failed to pull image "registry.example/order:1": not found"#, 2)],
    CauseKind::Image, "pod order-5d-x, container order: image registry.example/order:1 cannot be pulled (ImagePullBackOff): not found", true)]
#[case::image_name(waiting("InvalidImageName", "couldn't parse image reference"), vec![],
    CauseKind::Image, "image registry.example/order:1 cannot be pulled (InvalidImageName): couldn't parse image reference", true)]
#[case::probe_on_a_wrong_port(running(), vec![event("Pod", "order-5d-x", "Unhealthy", REFUSED, 5)],
    CauseKind::Probe, "pod order-5d-x, container order: readiness probe (GET /ready on port 9999) fails: connection refused; nothing is declared on port 9999, the container declares containerPort 8080", true)]
#[case::probe_status(running(), vec![event("Pod", "order-5d-x", "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 503", 1)],
    CauseKind::Probe, "liveness probe (GET /live on port http) fails: it answers 503", false)]
#[case::startup_is_history_once_started(running(), vec![event("Pod", "order-5d-x", "Unhealthy", "Startup probe failed: connection refused", 9), event("Pod", "order-5d-x", "Unhealthy", REFUSED, 1)],
    CauseKind::Probe, "readiness probe (GET /ready on port 9999)", false)]
#[case::killed_for_a_probe(crashed(5, json!({"exitCode": 137, "reason": "Error"})), vec![event("Pod", "order-5d-x", "Unhealthy", "Liveness probe failed: context deadline exceeded", 9), event("Pod", "order-5d-x", "Killing", "Container order failed liveness probe, will be restarted", 5)],
    CauseKind::Probe, "liveness probe (GET /live on port http) fails: no answer in time; the kubelet restarts it for this (5 restarts)", true)]
#[case::crash_is_no_probe(crashed(5, json!({"exitCode": 2, "reason": "Error"})), vec![event("Pod", "order-5d-x", "Unhealthy", REFUSED, 9)],
    CauseKind::Crash, "pod order-5d-x, container order: it ends with exit code 2 (5 restarts); its last log lines: starting | panic: no MONGO_URL", true)]
#[case::early_crash_may_pass(crashed(1, json!({"exitCode": 2, "reason": "Error"})), vec![], CauseKind::Crash, "exit code 2 (1 restarts)", false)]
#[case::no_such_command(crashed(4, json!({"exitCode": 128, "reason": "StartError", "message": r#"exec: "serve": executable file not found in $PATH"#})), vec![],
    CauseKind::Crash, r#"its command cannot be started: exec: "serve": executable file not found in $PATH"#, true)]
#[case::memory(crashed(4, json!({"exitCode": 137, "reason": "OOMKilled"})), vec![], CauseKind::OutOfMemory, "it was killed for memory (OOMKilled, 4 restarts); its memory limit is 64Mi", true)]
#[case::config(waiting("CreateContainerConfigError", r#"configmap "order-config" not found"#), vec![event("Pod", "order-5d-x", "Failed", r#"Error: configmap "order-config" not found"#, 4)],
    CauseKind::Config, r#"it cannot be made: configmap "order-config" not found"#, true)]
#[case::config_may_come(waiting("CreateContainerConfigError", r#"secret "s" not found"#), vec![], CauseKind::Config, r#"secret "s" not found"#, false)]
#[case::cpu(unscheduled(), vec![], CauseKind::Scheduling, "pod order-5d-x: no node takes it: 0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 Insufficient cpu", true)]
#[case::mount(waiting("ContainerCreating", ""), vec![event("Pod", "order-5d-x", "FailedMount", r#"MountVolume.SetUp failed for volume "tls" : secret "order-tls" not found"#, 6)],
    CauseKind::Mount, r#"a volume cannot be mounted: MountVolume.SetUp failed for volume "tls" : secret "order-tls" not found"#, true)]
#[case::evicted(json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}), vec![], CauseKind::Evicted, "the node ended it (Evicted): The node was low on resource: memory.", false)]
#[case::init(json!({"phase": "Pending", "initContainerStatuses": [{"name": "migrate", "image": "", "imageID": "", "ready": false, "restartCount": 4, "state": {"terminated": {"exitCode": 1}}}],
        "containerStatuses": [{"name": "order", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": {"waiting": {"reason": "PodInitializing"}}}]}), vec![],
    CauseKind::Crash, "pod order-5d-x, init container migrate: it ends with exit code 1 (4 restarts); it logged nothing", true)]
fn a_pod_names_its_cause(#[case] status: Value, #[case] events: Vec<Value>, #[case] kind: CauseKind, #[case] words: &str, #[case] certain: bool) {
    let mut snapshot = snapshot(vec![pod(status)], events);
    snapshot.logs.insert(("order-5d-x".into(), "order".into()), "starting\n\npanic: no MONGO_URL\n".into());
    let causes = diagnose(&snapshot, &order());
    let first = causes.first().expect("a cause");
    assert_eq!((first.kind, first.certain_after.is_some()), (kind, certain), "{first}");
    assert!(first.to_string().contains(words), "{first}\n does not contain\n{words}");
}

#[rstest]
#[case(r#"Error creating: pods "order-5d-x" is forbidden: exceeded quota: small, requested: requests.cpu=500m, used: requests.cpu=1, limited: requests.cpu=1"#,
    CauseKind::Quota, "ReplicaSet order-5d: a ResourceQuota refuses its pods: exceeded quota: small, requested: requests.cpu=500m, used: requests.cpu=1, limited: requests.cpu=1")]
#[case(r#"Error creating: pods "order-5d-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true"#,
    CauseKind::PodSecurity, r#"ReplicaSet order-5d: Pod Security refuses its pods: violates PodSecurity "restricted:latest": runAsNonRoot != true"#)]
#[case(r#"Error creating: pods "order-5d-x" is forbidden: error looking up service account globeco/order: serviceaccount "order" not found"#,
    CauseKind::Admission, r#"the API server refuses its pods: error looking up service account globeco/order: serviceaccount "order" not found"#)]
fn a_refused_pod_names_who_refuses(#[case] message: &str, #[case] kind: CauseKind, #[case] words: &str) {
    let causes = diagnose(&snapshot(vec![], vec![event("ReplicaSet", "order-5d", "FailedCreate", message, 5)]), &order());
    assert_eq!(causes.len(), 1);
    assert_eq!(causes[0].kind, kind);
    assert!(causes[0].to_string().contains(words), "{}", causes[0]);
}

#[test]
fn a_refusal_that_is_over_is_no_cause() {
    let old = event("ReplicaSet", "order-5d", "FailedCreate", "exceeded quota: small", 5);
    let mut all_there = snapshot(vec![pod(running())], vec![old]);
    all_there.replica_sets = vec![typed(set(3))];
    assert_eq!(diagnose(&all_there, &order()), []);
}

#[test]
fn the_claim_is_named_before_the_scheduler() {
    let mut snapshot = snapshot(vec![pod(unscheduled())], vec![event("PersistentVolumeClaim", "data", "ProvisioningFailed", r#"storageclass.storage.k8s.io "fast" not found"#, 3)]);
    snapshot.claims = vec![typed(json!({"metadata": {"name": "data"}, "spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}}))];
    let causes = diagnose(&snapshot, &order());
    assert_eq!(causes[0].to_string(), r#"PersistentVolumeClaim data: it is not bound (StorageClass fast): storageclass.storage.k8s.io "fast" not found"#);
    assert_eq!(causes[1].kind, CauseKind::Scheduling);
}

#[test]
fn healthy_pods_have_no_cause_even_with_old_events() {
    let snapshot = snapshot(vec![pod(healthy())], vec![event("Pod", "order-5d-x", "Unhealthy", REFUSED, 5)]);
    assert_eq!(diagnose(&snapshot, &order()), []);
}

#[test]
fn without_a_cause_the_state_is_told() {
    let explained = explain(&snapshot(vec![pod(running())], vec![event("Pod", "order-5d-x", "Pulled", "Container image already present", 1)]), &order());
    assert_eq!(explained, "Deployment globeco/order: pod order-5d-x is Running and not ready; last Event Pulled: Container image already present");
    let mut empty = snapshot(vec![], vec![]);
    empty.replica_sets.clear();
    assert_eq!(explain(&empty, &order()), "Deployment globeco/order: its controller has created no pod and reports no reason");
}

#[test]
fn only_the_newest_template_is_looked_at() {
    let mut snapshot = snapshot(vec![pod(crashed(9, json!({"exitCode": 1})))], vec![]);
    let mut newer = set(0);
    newer["metadata"]["name"] = json!("order-6e");
    newer["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("2");
    snapshot.replica_sets.push(typed(newer));
    assert!(diagnose(&snapshot, &order()).is_empty());
}
