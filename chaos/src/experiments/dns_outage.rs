//! # What it does
//! Takes name resolution away from the pods of one workload, and nothing else: for `holdSeconds` they may send nothing to
//! port 53. NetworkPolicies only add, so every policy that lets these pods send is changed to leave them out, and a copy of
//! it for them alone lets out all that it let out, but for port 53. Where no policy limits what they send, one is made that
//! allows every other port.
//!
//! # Why it matters
//! Half of all outages begin with DNS. What holds its connections open and keeps its last good answers goes on; what
//! resolves a name for each request stands still, and may take its neighbours' threads with it.
//!
//! # Blast radius
//! The pods of one workload of the platform's namespace. They are told apart from all others by one of their labels; where
//! no label does, the fault is refused.
//!
//! # Recovery
//! The policies are put back as the journal holds them, and the copies are deleted. Read back: the policies are as before,
//! and the namespace's workloads are full.

use crate::cluster_view::ClusterView;
use crate::error::ChaosError;
use crate::experiment::{Effect, Experiment, FaultContext, Plan};
use crate::journal::{OriginalPolicy, Recovery};
use crate::network_policy::{applies_to, for_pods_alone, instead_of_none, without_pods};
use crate::recover::MANAGED_BY;
use crate::resolver::{Resolved, resolve};
use crate::targets::{self, BlastRadius, FaultTarget, PlanError};
use futures::future::BoxFuture;
use gauntlet_fixtures::platform::Experiment as Spec;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// The experiment.
pub struct DnsOutage;

/// Every node must have the new rules within this time.
const FELT_WITHIN: Duration = Duration::from_secs(60);
/// Labels that tell single pods or revisions apart, not workloads.
const OF_PODS: [&str; 4] = ["pod-template-hash", "controller-revision-hash", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"];

/// A label that all pods of a workload have, and no other pod of the namespace. `app` is asked first.
fn label_of(view: &ClusterView, workload: &str) -> Option<(String, String)> {
    let mut ours = view.pods_of(workload).filter(|p| !p.finished);
    let mut labels: Vec<(&String, &String)> = ours.next()?.labels.iter().filter(|(key, _)| !OF_PODS.contains(&key.as_str())).collect();
    labels.sort_by_key(|(key, _)| (*key != "app", *key != "app.kubernetes.io/name", *key));
    let only_ours = |key: &str, value: &str| {
        view.pods.iter().filter(|p| !p.finished).all(|p| (p.workload.as_deref() == Some(workload)) == (p.labels.get(key).map(String::as_str) == Some(value)))
    };
    labels.into_iter().find(|(key, value)| only_ours(key, value)).map(|(key, value)| (key.clone(), value.clone()))
}

/// The name of the policy that stands in for another one.
fn stand_in(original: &str) -> String {
    format!("gauntlet-dns-{original}")
}

/// The policy for pods that no policy limits.
const FOR_THE_UNLIMITED: &str = "gauntlet-dns-outage";

fn made_policy(name: &str, namespace: &str, spec: Value) -> Result<NetworkPolicy, ChaosError> {
    let object = json!({"metadata": {"name": name, "namespace": namespace, "labels": {MANAGED_BY.0: MANAGED_BY.1}}, "spec": spec});
    serde_json::from_value(object).map_err(|e| ChaosError::Platform(format!("NetworkPolicy {name}: {e}")))
}

/// Puts a policy's spec, whatever it is now.
async fn put(api: &Api<NetworkPolicy>, name: &str, spec: &Value) -> Result<(), ChaosError> {
    let action = || format!("change NetworkPolicy {name}");
    let Some(mut live) = api.get_opt(name).await.map_err(ChaosError::kubernetes(action()))? else {
        return Err(ChaosError::Platform(format!("NetworkPolicy {name} is gone")));
    };
    live.spec = serde_json::from_value(spec.clone()).map_err(|e| ChaosError::Platform(format!("NetworkPolicy {name}: {e}")))?;
    api.replace(name, &PostParams::default(), &live).await.map_err(ChaosError::kubernetes(action()))?;
    Ok(())
}

/// Puts policies back and deletes the ones that the fault made.
///
/// # Errors
/// When the API server refuses.
pub async fn put_back(client: &Client, namespace: &str, originals: &[OriginalPolicy], made: &[String]) -> Result<(), ChaosError> {
    let api: Api<NetworkPolicy> = Api::namespaced(client.clone(), namespace);
    // First the way out, then away with the fault's own.
    for original in originals {
        put(&api, &original.name, &original.spec).await?;
    }
    for name in made {
        match api.delete(name, &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(ChaosError::kubernetes(format!("delete NetworkPolicy {name}"))(error)),
        }
    }
    Ok(())
}

impl Experiment for DnsOutage {
    fn selection(&self, spec: &Spec) -> String {
        format!("all pods of {}", spec.target.workload)
    }

    fn plan(&self, view: &ClusterView, spec: &Spec, _seed: u64) -> Result<Plan, PlanError> {
        let (id, namespace) = (spec.target.workload.clone(), view.namespace.clone());
        targets::whole_workload(view, &spec.target)?;
        let unfit = || PlanError::Unfit { workload: id.clone(), reason: "no label tells its pods apart from all others".into() };
        let (key, value) = label_of(view, &id).ok_or_else(unfit)?;
        Ok(Plan {
            blast_radius: BlastRadius { namespace: namespace.clone(), pods: view.pods_of(&id).map(|p| p.name.clone()).collect(), ..Default::default() },
            expected_effect: format!("pods with {key}={value} resolve no name for {} s; all else goes on", spec.hold_seconds),
            recovery: Recovery::PutPoliciesBack { namespace: namespace.clone(), originals: Vec::new(), made: Vec::new() },
            target: FaultTarget::Workload { namespace, id },
        })
    }

    fn prepare<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a mut Plan) -> BoxFuture<'a, Result<(), ChaosError>> {
        Box::pin(async move {
            let namespace = plan.blast_radius.namespace.clone();
            let (pod, labels) = subject(ctx)?;
            match resolve(ctx.client, &namespace, &pod).await? {
                Resolved::Yes(_) => {}
                Resolved::No(why) => return Err(ChaosError::Unsound(format!("pod {pod} resolves no name before the fault: {why}"))),
                Resolved::CannotTell(why) => return Err(ChaosError::Unsound(format!("nobody could tell whether it took effect: {why}"))),
            }
            let api: Api<NetworkPolicy> = Api::namespaced(ctx.client.clone(), &namespace);
            let listed = api.list(&ListParams::default()).await.map_err(ChaosError::kubernetes("list NetworkPolicies"))?;
            let ours = listed.items.into_iter().filter(|p| applies_to(p, &labels));
            let originals: Vec<OriginalPolicy> = ours
                .map(|p| OriginalPolicy {
                    name: p.metadata.name.clone().unwrap_or_default(),
                    spec: serde_json::to_value(p.spec.unwrap_or_default()).unwrap_or_default(),
                })
                .collect();
            let made = if originals.is_empty() { vec![FOR_THE_UNLIMITED.to_owned()] } else { originals.iter().map(|o| stand_in(&o.name)).collect() };
            plan.recovery = Recovery::PutPoliciesBack { namespace, originals, made };
            Ok(())
        })
    }

    fn apply<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan) -> BoxFuture<'a, Result<Effect, ChaosError>> {
        Box::pin(async move {
            let (FaultTarget::Workload { id, .. }, Recovery::PutPoliciesBack { namespace, originals, .. }) = (&plan.target, &plan.recovery) else {
                return Err(ChaosError::Platform("dns-outage takes a workload".into()));
            };
            let label = label_of(&ctx.watch.view(), id).ok_or_else(|| ChaosError::Unsound(format!("the pods of {id} have no label of their own any more")))?;
            let api: Api<NetworkPolicy> = Api::namespaced(ctx.client.clone(), namespace);
            let create = async |name: &str, spec: Value| {
                let policy = made_policy(name, namespace, spec)?;
                api.create(&PostParams::default(), &policy).await.map_err(ChaosError::kubernetes(format!("create NetworkPolicy {name}")))?;
                Ok::<_, ChaosError>(())
            };
            if originals.is_empty() {
                create(FOR_THE_UNLIMITED, instead_of_none(&label)).await?;
            }
            // First every stand-in, so that at no moment anything else is cut off.
            for original in originals {
                create(&stand_in(&original.name), for_pods_alone(&original.spec, &label)).await?;
            }
            for original in originals {
                put(&api, &original.name, &without_pods(&original.spec, &label)).await?;
            }
            let changed = if originals.is_empty() { "a policy of their own".to_owned() } else { format!("{} policies changed", originals.len()) };
            Ok(Effect { detail: format!("the pods of {id} may not send to port 53: {changed}"), ..Default::default() })
        })
    }

    fn prove<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan, _effect: &'a Effect) -> BoxFuture<'a, Result<String, ChaosError>> {
        Box::pin(async move {
            let deadline = Instant::now() + FELT_WITHIN;
            loop {
                let (pod, _) = subject(ctx)?;
                let last_seen = match resolve(ctx.client, &plan.blast_radius.namespace, &pod).await? {
                    Resolved::No(why) => return Ok(format!("pod {pod} resolved names before, and does not now: {why}")),
                    Resolved::Yes(how) => format!("pod {pod} still resolves names ({how})"),
                    Resolved::CannotTell(why) => why,
                };
                if Instant::now() >= deadline || ctx.stop.is_cancelled() {
                    return Err(ChaosError::TimedOut { what: "name resolution to fail".into(), last_seen });
                }
                // Nodes program their rules in their own time, and only a question tells when they have.
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        })
    }
}

/// A ready pod of the target, with its labels.
fn subject(ctx: &FaultContext<'_>) -> Result<(String, std::collections::BTreeMap<String, String>), ChaosError> {
    let view = ctx.watch.view();
    let pod = targets::draw_pod(&view, &ctx.spec.target, 0, "subject")?;
    Ok((pod.name.clone(), pod.labels.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_view::sample::{self, SERVICE, cluster};

    #[test]
    fn the_plan_needs_a_label_of_the_workloads_own() {
        let spec = sample::spec("dns-outage", SERVICE);
        let plan = DnsOutage.plan(&cluster(), &spec, 1).expect("plan");
        assert_eq!((plan.target.to_string(), plan.blast_radius.pods.len()), (format!("shop/{SERVICE}"), 3));
        assert!(plan.expected_effect.contains("app=Deployment/order"), "{}", plan.expected_effect);
        let mut shared = cluster();
        shared.pods[3].labels = shared.pods[0].labels.clone();
        assert!(DnsOutage.plan(&shared, &spec, 1).expect_err("shared").to_string().contains("no label tells its pods apart"));
        shared.pods[3].finished = true;
        assert!(DnsOutage.plan(&shared, &spec, 1).is_ok(), "a pod that has ended sends nothing");
    }

    #[test]
    fn labels_of_revisions_are_no_labels_of_workloads() {
        let mut view = cluster();
        for pod in &mut view.pods {
            let app = pod.labels.remove("app").unwrap_or_default();
            pod.labels = [("pod-template-hash".to_owned(), app.clone()), ("app.kubernetes.io/name".to_owned(), app), ("tier".to_owned(), "x".to_owned())].into();
        }
        assert_eq!(label_of(&view, SERVICE), Some(("app.kubernetes.io/name".to_owned(), SERVICE.to_owned())));
    }
}
