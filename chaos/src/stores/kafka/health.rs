//! Whether a Kafka cluster is whole.

use super::topics::Topic;
use super::{TOOL_WITHIN, open};
use crate::error::ChaosError;
use crate::pod_exec::{Command, Shell};
use crate::store::{Place, kind_and_name};
use futures::future::BoxFuture;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::Api;

/// The workload of ZooKeeper: the one that platform.yaml names, else a StatefulSet `zookeeper` when there is one.
///
/// # Errors
/// When the API server does not answer.
pub async fn zookeeper(place: &Place<'_>) -> Result<Option<String>, ChaosError> {
    if let Some(named) = place.option("zookeeper") {
        let (kind, name) = kind_and_name(named);
        return Ok(Some(format!("{kind}/{name}")));
    }
    let sets: Api<StatefulSet> = Api::namespaced(place.client.clone(), place.namespace);
    let found = sets.get_opt("zookeeper").await.map_err(ChaosError::kubernetes("read StatefulSet zookeeper"))?;
    Ok(found.map(|_| "StatefulSet/zookeeper".to_owned()))
}

/// Asks ZooKeeper and the brokers.
pub fn ask<'a>(place: &'a Place<'a>) -> BoxFuture<'a, Result<String, String>> {
    Box::pin(async move {
        let told = |e: ChaosError| format!("failed to {e}");
        let servers = match zookeeper(place).await.map_err(told)? {
            Some(workload) => Some(ask_zookeeper(place, &workload).await.map_err(told)?),
            None => None,
        };
        let desired = place.workload(&place.store.stateful_set).await.map_err(told)?.desired;
        let topics = first_answer(place, desired).await.map_err(told)?;
        judge(&topics, servers.as_deref())
    })
}

/// Any broker can tell; the first one may be the one that is gone.
async fn first_answer(place: &Place<'_>, desired: usize) -> Result<Vec<Topic>, ChaosError> {
    let mut last = place.wrong("it has no brokers");
    for broker in 0..desired {
        let asked = async {
            let mut store = open(place).await?;
            store.shell = Box::new(place.container(&format!("{}-{broker}", place.store.stateful_set), place.store.port).await?);
            store.describe().await
        };
        match asked.await {
            Ok(topics) => return Ok(topics),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What each ZooKeeper says of its mode; the error says why it does not.
async fn ask_zookeeper(place: &Place<'_>, workload: &str) -> Result<Vec<(String, Result<String, String>)>, ChaosError> {
    let port = place.option("zookeeperPort").and_then(|p| p.parse().ok()).unwrap_or(2181);
    let found = place.workload(workload).await?;
    let mut all = Vec::new();
    for pod in found.pods.iter().cloned() {
        let asked = async { place.container(&pod, port).await?.lines(&Command::new(&["zkServer.sh", "status"]), TOOL_WITHIN).await };
        let mode = asked.await.map_err(|e| format!("failed to {e}")).and_then(|lines| mode_of(&lines));
        all.push((pod, mode));
    }
    let missing = found.desired.saturating_sub(found.pods.len());
    all.extend((0..missing).map(|n| (format!("missing pod {} of {workload}", n + 1), Err("it is not there".to_owned()))));
    Ok(all)
}

/// `Mode: leader` of `zkServer.sh status`.
pub fn mode_of(lines: &[String]) -> Result<String, String> {
    let mode = lines.iter().find_map(|line| line.trim().strip_prefix("Mode:"));
    mode.map(|mode| mode.trim().to_owned()).ok_or_else(|| format!("it has no mode: {}", lines.join(" ")))
}

/// Every partition has a leader and all of its replicas in sync; every ZooKeeper answers, and one of several leads.
pub fn judge(topics: &[Topic], zookeeper: Option<&[(String, Result<String, String>)]>) -> Result<String, String> {
    let mut wrong = Vec::new();
    let partitions: Vec<_> = topics.iter().flat_map(|t| t.partitions.iter().map(move |p| (t.name.as_str(), p))).collect();
    if partitions.is_empty() {
        wrong.push("it has no topics".to_owned());
    }
    let bad: Vec<String> = partitions
        .iter()
        .filter_map(|(topic, p)| match p.leader {
            None => Some(format!("{topic}-{} has no leader", p.number)),
            Some(_) if p.in_sync < p.replicas => Some(format!("{topic}-{} has {} of {} replicas in sync", p.number, p.in_sync, p.replicas)),
            Some(_) => None,
        })
        .collect();
    let more = bad.len().saturating_sub(3);
    wrong.extend(bad.into_iter().take(3));
    if more > 0 {
        wrong.push(format!("and {more} more"));
    }
    for (pod, mode) in zookeeper.into_iter().flatten() {
        if let Err(why) = mode {
            wrong.push(format!("{pod}: {why}"));
        }
    }
    let modes: Vec<&str> = zookeeper.into_iter().flatten().filter_map(|(_, m)| Some(m.as_ref().ok()?.as_str())).collect();
    if zookeeper.is_some() && modes.iter().filter(|m| **m == "leader" || **m == "standalone").count() != 1 {
        wrong.push(format!("ZooKeeper has not exactly one leader: {}", modes.join(", ")));
    }
    if !wrong.is_empty() {
        return Err(wrong.join("; "));
    }
    let servers = zookeeper.map_or(String::new(), |z| format!(", {} ZooKeeper servers answer", z.len()));
    Ok(format!("all {} partitions of {} topics have their replicas in sync{servers}", partitions.len(), topics.len()))
}
