//! The cluster enforces NetworkPolicies: without that, every verdict about them would be a guess.

use super::suite::turn;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, AttachParams, DeleteParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{await_condition, conditions};
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

fn pod(name: &str, labels: serde_json::Value, command: &str) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {"terminationGracePeriodSeconds": 0, "automountServiceAccountToken": false,
            "containers": [{"name": "main", "image": "gauntlet/mongodb-wire:dev", "imagePullPolicy": "Never", "command": ["bash", "-c", command]}]}
    }))
    .expect("a pod")
}

/// True when `from` can open a TCP connection to `address`.
async fn reaches(pods: &Api<Pod>, from: &str, address: &str) -> bool {
    let script = format!("timeout 2 bash -c '</dev/tcp/{address}/8080' && echo open || echo shut");
    let mut process = pods.exec(from, ["bash", "-c", &script], &AttachParams::default().stderr(false)).await.expect("exec");
    let mut text = String::new();
    process.stdout().expect("an output").read_to_string(&mut text).await.expect("reads");
    text.contains("open")
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
async fn a_default_deny_shuts_and_a_label_opens() {
    let _turn = turn();
    let client = client().await;
    let name = format!("gauntlet-test-{:08x}", std::process::id());
    let namespaces = Api::<Namespace>::all(client.clone());
    let namespace = json!({"metadata": {"name": name, "labels": {"gauntlet.dev/run": "test"}}});
    namespaces.create(&PostParams::default(), &serde_json::from_value(namespace).expect("a namespace")).await.expect("create");
    let pods = Api::<Pod>::namespaced(client.clone(), &name);
    // Perl is in Debian's base: a server of one line.
    let serve = "exec perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(LocalPort=>8080,Listen=>9,ReuseAddr=>1) or die; while($c=$s->accept){close $c}'";
    for (pod_name, labels, command) in [("server", json!({"app": "server"}), serve), ("friend", json!({"friend": "yes"}), "sleep 600"), ("stranger", json!({}), "sleep 600")] {
        pods.create(&PostParams::default(), &pod(pod_name, labels, command)).await.expect("create");
    }
    for pod_name in ["server", "friend", "stranger"] {
        let running = await_condition(pods.clone(), pod_name, conditions::is_pod_running());
        tokio::time::timeout(Duration::from_secs(60), running).await.expect("runs within 60 s").expect("watch");
    }
    let address = pods.get("server").await.expect("get").status.and_then(|s| s.pod_ip).expect("an address");
    assert!(settles(&pods, "stranger", &address, true).await, "without a policy everyone reaches the server");

    let policies = Api::<k8s_openapi::api::networking::v1::NetworkPolicy>::namespaced(client.clone(), &name);
    let policy = json!({"metadata": {"name": "friends-only"}, "spec": {"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"friend": "yes"}}}], "ports": [{"port": 8080}]}]}});
    policies.create(&PostParams::default(), &serde_json::from_value(policy).expect("a policy")).await.expect("create");
    assert!(settles(&pods, "stranger", &address, false).await, "a stranger is shut out");
    assert!(settles(&pods, "friend", &address, true).await, "a friend is let in");
    namespaces.delete(&name, &DeleteParams::background()).await.expect("delete");
}
