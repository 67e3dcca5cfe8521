//! Scaling by hand. A workload that an HPA scales is scaled through the HPA's minimum: `kubectl scale` alone would be taken
//! back at the HPA's next sync.

use crate::deploy::apply::{ApplyOptions, apply};
use crate::deploy::object::ObjectRef;
use anyhow::{Context as _, Result, bail};
use gauntlet_reports::recorder::Recorder;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler as Hpa;
use kube::Client;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

/// What was changed, with the number from before: enough to change it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scaled {
    /// The minimum of an HPA.
    Minimum {
        /// The HPA.
        hpa: String,
        /// Its minimum before.
        before: i32,
        /// Its minimum now.
        now: i32,
    },
    /// The replicas of a workload without an HPA.
    Replicas {
        /// `Deployment` or `StatefulSet`.
        kind: String,
        /// The workload.
        name: String,
        /// Its replicas before.
        before: i32,
        /// Its replicas now.
        now: i32,
    },
}

impl std::fmt::Display for Scaled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scaled::Minimum { hpa, before, now } => write!(f, "minimum of HPA {hpa}: {before} -> {now}"),
            Scaled::Replicas { kind, name, before, now } => write!(f, "{kind} {name}: {before} -> {now} replicas"),
        }
    }
}

/// The HPA of a workload among `hpas`.
fn hpa_of<'a>(hpas: &'a [Hpa], kind: &str, name: &str) -> Option<&'a Hpa> {
    hpas.iter().find(|h| h.spec.as_ref().is_some_and(|s| s.scale_target_ref.kind == kind && s.scale_target_ref.name == name))
}

/// The HPA's bounds as far as they allow `replicas`.
fn within(hpa: &Hpa, replicas: i32) -> Result<(String, i32)> {
    let name = hpa.metadata.name.clone().unwrap_or_default();
    let spec = hpa.spec.as_ref().with_context(|| format!("HPA {name} has no spec"))?;
    if replicas > spec.max_replicas {
        bail!("{replicas} replicas are more than the maximum {} of HPA {name}", spec.max_replicas);
    }
    Ok((name, spec.min_replicas.unwrap_or(1)))
}

async fn kind_of(client: &Client, namespace: &str, name: &str) -> Result<&'static str> {
    if Api::<Deployment>::namespaced(client.clone(), namespace).get_opt(name).await?.is_some() {
        return Ok("Deployment");
    }
    if Api::<StatefulSet>::namespaced(client.clone(), namespace).get_opt(name).await?.is_some() {
        return Ok("StatefulSet");
    }
    bail!("there is neither a Deployment nor a StatefulSet {name} in namespace {namespace}")
}

/// Scales a workload, by `name` or `Kind/name`.
///
/// # Errors
/// When it is not there, or its HPA does not allow so many.
pub async fn scale(client: &Client, namespace: &str, workload: &str, replicas: i32) -> Result<Scaled> {
    let (kind, name) = match workload.split_once('/') {
        Some((kind, name)) => (kind, name),
        None => (kind_of(client, namespace, workload).await?, workload),
    };
    let hpas = Api::<Hpa>::namespaced(client.clone(), namespace).list(&ListParams::default()).await?.items;
    if let Some(hpa) = hpa_of(&hpas, kind, name) {
        let (hpa, before) = within(hpa, replicas)?;
        let scaled = Scaled::Minimum { hpa, before, now: replicas };
        return set(client, namespace, scaled).await;
    }
    let before = match kind {
        "Deployment" => Api::<Deployment>::namespaced(client.clone(), namespace).get_scale(name).await,
        "StatefulSet" => Api::<StatefulSet>::namespaced(client.clone(), namespace).get_scale(name).await,
        other => bail!("{workload}: {other} cannot be scaled, only a Deployment or a StatefulSet"),
    };
    let before = before.with_context(|| format!("failed to read {kind} {name}"))?.spec.and_then(|s| s.replicas).unwrap_or(1);
    set(client, namespace, Scaled::Replicas { kind: kind.to_owned(), name: name.to_owned(), before, now: replicas }).await
}

/// Makes it so.
async fn set(client: &Client, namespace: &str, scaled: Scaled) -> Result<Scaled> {
    let params = PatchParams::default();
    match &scaled {
        Scaled::Minimum { hpa, now, .. } => {
            let patch = Patch::Merge(json!({"spec": {"minReplicas": now}}));
            Api::<Hpa>::namespaced(client.clone(), namespace).patch(hpa, &params, &patch).await.with_context(|| format!("failed to change HPA {hpa}"))?;
        }
        Scaled::Replicas { kind, name, now, .. } => {
            let patch = Patch::Merge(json!({"spec": {"replicas": now}}));
            let done = if kind == "Deployment" {
                Api::<Deployment>::namespaced(client.clone(), namespace).patch_scale(name, &params, &patch).await
            } else {
                Api::<StatefulSet>::namespaced(client.clone(), namespace).patch_scale(name, &params, &patch).await
            };
            done.with_context(|| format!("failed to scale {kind} {name}"))?;
        }
    }
    Ok(scaled)
}

/// Changes it back.
///
/// # Errors
/// When the API server refuses.
pub async fn back(client: &Client, namespace: &str, scaled: Scaled) -> Result<()> {
    let reverse = match scaled {
        Scaled::Minimum { hpa, before, now } => Scaled::Minimum { hpa, before: now, now: before },
        Scaled::Replicas { kind, name, before, now } => Scaled::Replicas { kind, name, before: now, now: before },
    };
    set(client, namespace, reverse).await.map(drop)
}

/// Applies the HPAs among a platform's objects again: minimum, maximum, targets. Gives those that were applied.
///
/// # Errors
/// When there is none, or the API server refuses one.
pub async fn configure(client: &Client, namespace: &str, objects: &[Value], options: ApplyOptions, recorder: &Recorder) -> Result<Vec<ObjectRef>> {
    let hpas: Vec<Value> = objects.iter().filter(|o| o["kind"] == "HorizontalPodAutoscaler").cloned().collect();
    if hpas.is_empty() {
        bail!("the manifests hold no HorizontalPodAutoscaler");
    }
    Ok(apply(client, &hpas, namespace, &options, recorder).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hpa(min: i32, max: i32) -> Hpa {
        serde_json::from_value(json!({"metadata": {"name": "a-hpa"}, "spec": {"minReplicas": min, "maxReplicas": max,
            "scaleTargetRef": {"kind": "Deployment", "name": "a"}}}))
        .expect("hpa")
    }

    #[test]
    fn the_hpa_of_a_workload_is_found_by_kind_and_name() {
        let all = [hpa(3, 10)];
        assert!(hpa_of(&all, "Deployment", "a").is_some());
        assert!(hpa_of(&all, "StatefulSet", "a").is_none());
    }

    #[test]
    fn more_than_the_maximum_is_refused() {
        assert_eq!(within(&hpa(3, 10), 10).expect("allowed"), ("a-hpa".to_owned(), 3));
        let refused = within(&hpa(3, 10), 11).expect_err("too many").to_string();
        assert!(refused.contains("maximum 10 of HPA a-hpa"), "{refused}");
    }
}
