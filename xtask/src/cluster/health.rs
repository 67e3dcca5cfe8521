//! Whether a cluster can be used: nodes Ready, the aggregated APIs answer.

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams};
use std::time::{Duration, Instant};

/// True when the node's condition Ready is True.
pub fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True")
}

/// The names of the nodes that are not Ready, and the number of all.
///
/// # Errors
/// When the API server does not answer.
pub async fn unready_nodes(client: &kube::Client) -> Result<(Vec<String>, usize)> {
    let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await?;
    let unready = nodes.items.iter().filter(|n| !is_ready(n)).map(|n| n.metadata.name.clone().unwrap_or_default()).collect();
    Ok((unready, nodes.items.len()))
}

/// Waits until all nodes are Ready.
///
/// # Errors
/// When some are not within the limit: names them.
pub async fn nodes_ready(client: &kube::Client, count: usize, limit: Duration) -> Result<()> {
    let started = Instant::now();
    loop {
        let seen = unready_nodes(client).await;
        match &seen {
            Ok((unready, all)) if unready.is_empty() && *all >= count => return Ok(()),
            _ if started.elapsed() < limit => tokio::time::sleep(Duration::from_millis(200)).await,
            Ok((unready, all)) => bail!("{all} of {count} nodes registered; not Ready after {} s: {}", limit.as_secs(), unready.join(", ")),
            Err(error) => bail!("the API server does not answer after {} s: {error}", limit.as_secs()),
        }
    }
}

/// Asks an aggregated API for a resource list, the way the HPA controller would reach it.
///
/// # Errors
/// When it does not answer with a list of that many items.
pub async fn aggregated(client: &kube::Client, path: &str, least: usize) -> Result<()> {
    let request = get(path)?;
    let answer: serde_json::Value = client.request(request).await.with_context(|| format!("{path} does not answer"))?;
    let items = answer.get("items").or_else(|| answer.get("resources")).and_then(|v| v.as_array()).map_or(0, Vec::len);
    if items < least {
        bail!("{path} answers with {items} items instead of {least}");
    }
    Ok(())
}

fn get(path: &str) -> Result<http::Request<Vec<u8>>> {
    Ok(http::Request::get(path).body(Vec::new())?)
}

/// Waits until an aggregated API answers.
///
/// # Errors
/// When it does not within the limit: a fault of the cluster, not of a platform.
pub async fn wait_aggregated(client: &kube::Client, path: &str, least: usize, limit: Duration) -> Result<()> {
    let started = Instant::now();
    loop {
        match aggregated(client, path, least).await {
            Ok(()) => return Ok(()),
            Err(_) if started.elapsed() < limit => tokio::time::sleep(Duration::from_millis(250)).await,
            Err(error) => return Err(error.context(format!("the aggregated API stayed dead for {} s", limit.as_secs()))),
        }
    }
}
