//! Makes a warm cluster as good as new: what runs left behind goes, and nothing else.

use super::health;
use crate::deploy::apply::{PLATFORM_LABEL, RUN_LABEL};
use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::{Namespace, Node, PersistentVolume};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;
use std::time::{Duration, Instant};

/// Deletes the namespaces of all earlier runs (by our label) and waits until they are gone; makes every node schedulable.
/// Gives the names of the namespaces that were removed.
///
/// # Errors
/// When a namespace does not go away within the limit, or the API server does not answer.
pub async fn clean(client: &kube::Client, limit: Duration) -> Result<Vec<String>> {
    uncordon(client).await?;
    remove(client, RUN_LABEL, limit).await
}

/// Deletes the namespaces that one run made for one platform, and waits until they are gone.
///
/// # Errors
/// As [`clean`].
pub async fn remove_platform(client: &kube::Client, run_id: &str, platform: &str, limit: Duration) -> Result<Vec<String>> {
    remove(client, &format!("{RUN_LABEL}={run_id},{PLATFORM_LABEL}={platform}"), limit).await
}

async fn remove(client: &kube::Client, labels: &str, limit: Duration) -> Result<Vec<String>> {
    let namespaces = Api::<Namespace>::all(client.clone());
    let ours = ListParams::default().labels(labels);
    let names: Vec<String> = namespaces.list(&ours).await?.items.into_iter().filter_map(|n| n.metadata.name).collect();
    for name in &names {
        // A pod on a clean cluster has nothing to save: its grace period would only be waited for.
        let pods = Api::<k8s_openapi::api::core::v1::Pod>::namespaced(client.clone(), name);
        let _ = namespaces.delete(name, &DeleteParams::background()).await.with_context(|| format!("failed to delete the namespace {name}"))?;
        pods.delete_collection(&DeleteParams::default().grace_period(0), &ListParams::default()).await.ok();
    }
    let started = Instant::now();
    loop {
        let left = namespaces.list(&ours).await?.items;
        if left.is_empty() {
            break;
        }
        if started.elapsed() > limit {
            let left: Vec<_> = left.into_iter().filter_map(|n| n.metadata.name).collect();
            bail!("these namespaces of earlier runs do not go away: {}", left.join(", "));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    if !names.is_empty() {
        volumes_gone(client, &names, limit).await?;
    }
    Ok(names)
}

/// Waits until the volumes of the removed namespaces are gone: their folders lie on the nodes.
async fn volumes_gone(client: &kube::Client, namespaces: &[String], limit: Duration) -> Result<()> {
    let volumes = Api::<PersistentVolume>::all(client.clone());
    let started = Instant::now();
    loop {
        let all = volumes.list(&ListParams::default()).await?.items;
        let left = all.iter().filter(|v| {
            let claim = v.spec.as_ref().and_then(|s| s.claim_ref.as_ref()).and_then(|c| c.namespace.as_ref());
            claim.is_some_and(|n| namespaces.contains(n))
        });
        if left.count() == 0 || started.elapsed() > limit {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Makes every node schedulable again.
async fn uncordon(client: &kube::Client) -> Result<()> {
    let (unready, _) = health::unready_nodes(client).await?;
    if !unready.is_empty() {
        bail!("these nodes are not Ready: {}", unready.join(", "));
    }
    let nodes = Api::<Node>::all(client.clone());
    for node in nodes.list(&ListParams::default()).await?.items {
        if node.spec.as_ref().and_then(|s| s.unschedulable) == Some(true) {
            let name = node.metadata.name.unwrap_or_default();
            nodes.patch(&name, &PatchParams::default(), &Patch::Merge(json!({"spec": {"unschedulable": null}}))).await?;
        }
    }
    Ok(())
}
