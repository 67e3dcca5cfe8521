//! The cluster enforces NetworkPolicies: without that, every verdict about them would be a guess.

use super::suite::turn;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, AttachParams, DeleteParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{Condition, await_condition};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;

fn kubeconfig() -> PathBuf {
    let env = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = env("GAUNTLET_CACHE").or_else(|| env("XDG_CACHE_HOME").map(|p| p.join("gauntlet"))).or_else(|| env("HOME").map(|p| p.join(".cache/gauntlet")));
    cache.expect("a cache folder").join("clusters/gauntlet/kubeconfig")
}

async fn client() -> kube::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(kubeconfig()).expect("the cluster's kubeconfig");
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a configuration");
    kube::Client::try_from(config).expect("a client")
}

/// The pod is Ready.
fn is_ready() -> impl Condition<Pod> {
    |pod: Option<&Pod>| {
        let conditions = pod.and_then(|p| p.status.as_ref()).and_then(|s| s.conditions.as_ref());
        conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
    }
}

/// A pod of the one image that is on every worker and has both a server and a client: the MongoDB-wire server.
fn pod(name: &str, labels: serde_json::Value, command: Option<&str>) -> Pod {
    let mut container = json!({"name": "main", "image": "gauntlet/mongodb-wire:dev", "imagePullPolicy": "Never",
        "env": [{"name": "MONGO_INITDB_ROOT_USERNAME", "value": "u"}, {"name": "MONGO_INITDB_ROOT_PASSWORD", "value": "p"}]});
    match command {
        Some(command) => container["command"] = json!(["sh", "-c", command]),
        None => container["readinessProbe"] = json!({"tcpSocket": {"port": 27017}, "periodSeconds": 1}),
    }
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {"terminationGracePeriodSeconds": 0, "automountServiceAccountToken": false, "containers": [container]}
    }))
    .expect("a pod")
}

/// True when `from` can talk to the server at `address`.
async fn reaches(pods: &Api<Pod>, from: &str, address: &str) -> bool {
    let script = format!("timeout -s KILL 4 mongodump --uri 'mongodb://u:p@{address}:27017/?authMechanism=PLAIN&serverSelectionTimeoutMS=1500&connectTimeoutMS=1500' --db none --out /tmp/none 2>&1 && echo reached");
    let mut process = pods.exec(from, ["sh", "-c", &script], &AttachParams::default().stderr(false)).await.expect("exec");
    let mut text = String::new();
    process.stdout().expect("an output").read_to_string(&mut text).await.expect("reads");
    text.contains("reached")
}

/// Waits until the answer is as expected: rules reach a node a moment after they are made.
async fn settles(pods: &Api<Pod>, from: &str, address: &str, expected: bool) -> bool {
    for _ in 0..20 {
        if reaches(pods, from, address).await == expected {
            return true;
        }
    }
    false
}

#[tokio::test]
#[ignore = "needs the cluster: cargo xtask test"]
#[expect(clippy::await_holding_lock, reason = "one test has the cluster from its start to its end, on a thread of its own")]
async fn a_default_deny_shuts_and_a_label_opens() {
    let _turn = turn();
    let client = client().await;
    let name = format!("gauntlet-test-{:08x}", std::process::id());
    let namespaces = Api::<Namespace>::all(client.clone());
    let namespace = json!({"metadata": {"name": name, "labels": {"gauntlet.dev/run": "test"}}});
    namespaces.create(&PostParams::default(), &serde_json::from_value(namespace).expect("a namespace")).await.expect("create");
    let pods = Api::<Pod>::namespaced(client.clone(), &name);
    let idle = Some("exec sleep 600");
    for (pod_name, labels, command) in [("server", json!({"app": "server"}), None), ("friend", json!({"friend": "yes"}), idle), ("stranger", json!({}), idle)] {
        pods.create(&PostParams::default(), &pod(pod_name, labels, command)).await.expect("create");
    }
    for pod_name in ["server", "friend", "stranger"] {
        let running = await_condition(pods.clone(), pod_name, is_ready());
        tokio::time::timeout(Duration::from_secs(60), running).await.expect("runs within 60 s").expect("watch");
    }
    let address = pods.get("server").await.expect("get").status.and_then(|s| s.pod_ip).expect("an address");
    assert!(settles(&pods, "stranger", &address, true).await, "without a policy everyone reaches the server");

    let policies = Api::<k8s_openapi::api::networking::v1::NetworkPolicy>::namespaced(client.clone(), &name);
    let policy = json!({"metadata": {"name": "friends-only"}, "spec": {"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"friend": "yes"}}}], "ports": [{"port": 27017}]}]}});
    policies.create(&PostParams::default(), &serde_json::from_value(policy).expect("a policy")).await.expect("create");
    assert!(settles(&pods, "stranger", &address, false).await, "a stranger is shut out");
    assert!(settles(&pods, "friend", &address, true).await, "a friend is let in");
    namespaces.delete(&name, &DeleteParams::background()).await.expect("delete");
}
