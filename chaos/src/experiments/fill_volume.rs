//! # What it does
//! Writes one file into a volume of the target's pod until the volume is full, and keeps it for `holdSeconds`: a persistent
//! volume, or an `emptyDir` in memory that has a `sizeLimit`. Never more than the capacity that it was given.
//!
//! # Why it matters
//! A store whose volume is full stops taking writes, or stops altogether; some lose what they acknowledged. Whether it says
//! so, and whether it goes on by itself when there is room again, shows only here.
//!
//! # Blast radius
//! One volume of one pod. A volume that shares the disk of its node (as those of the local-path provisioner do) is left
//! alone: filling it would take away the node and everything on it. The experiment is then inconclusive, and says so.
//!
//! # Recovery
//! The file is removed. Read back: it is gone, and the namespace's workloads are full.

use crate::cluster_view::ClusterView;
use crate::error::ChaosError;
use crate::experiment::{Effect, Experiment, FaultContext, Plan};
use crate::journal::Recovery;
use crate::pod_exec::{Container, words};
use crate::targets::{self, BlastRadius, FaultTarget, PlanError};
use crate::volume::{Disk, Size, mib, parse_df, shared, writable_mount};
use futures::future::BoxFuture;
use gauntlet_fixtures::platform::Experiment as Spec;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::{Api, Client};
use std::time::Duration;

/// The experiment.
pub struct FillVolume;

const SOON: Duration = Duration::from_secs(20);
const FILLED_WITHIN: Duration = Duration::from_secs(300);
/// The file's name.
const FILE: &str = "gauntlet-fill";
/// What may be left on a full volume, in MiB.
const LEFT_MIB: u64 = 1;

fn container(client: &Client, namespace: &str, pod: &str, container: &str) -> Container {
    Container { pods: Api::namespaced(client.clone(), namespace), pod: pod.to_owned(), container: container.to_owned() }
}

/// What a claim was given.
async fn capacity_of(client: &Client, namespace: &str, claim: &str) -> Result<Option<String>, ChaosError> {
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let found = claims.get(claim).await.map_err(ChaosError::kubernetes(format!("read claim {claim}")))?;
    Ok(found.status.and_then(|s| s.capacity).and_then(|c| c.get("storage").map(|q| q.0.clone())))
}

/// Removes the file. True when it is seen to be gone.
///
/// # Errors
/// When the container cannot be reached.
pub async fn remove(client: &Client, namespace: &str, pod: &str, name: &str, path: &str) -> Result<bool, ChaosError> {
    let container = container(client, namespace, pod, name);
    container.must_run(&words(&["rm", "-f", path]), None, SOON).await?;
    Ok(!container.run(&words(&["ls", path]), None, SOON).await?.ok())
}

/// The disks behind some paths.
async fn disks(container: &Container, paths: &[&str]) -> Result<Vec<Disk>, ChaosError> {
    let output = container.must_run(&[words(&["df", "-Pk"]), words(paths)].concat(), None, SOON).await?;
    parse_df(&String::from_utf8_lossy(&output.stdout)).map_err(|cause| ChaosError::Exec { pod: container.pod.clone(), command: "df".into(), cause })
}

impl Experiment for FillVolume {
    fn selection(&self, spec: &Spec) -> String {
        format!("the first volume of one ready pod of {} with a file system of its own, drawn from the pods sorted by node and name", targets::described(&spec.target))
    }

    fn plan(&self, view: &ClusterView, spec: &Spec, seed: u64) -> Result<Plan, PlanError> {
        let pod = targets::draw_pod(view, &spec.target, seed, &spec.name)?;
        let namespace = view.namespace.clone();
        Ok(Plan {
            target: FaultTarget::Pod { namespace: namespace.clone(), name: pod.name.clone(), uid: pod.uid.clone(), node: pod.node.clone() },
            blast_radius: BlastRadius { namespace: namespace.clone(), pods: vec![pod.name.clone()], ..Default::default() },
            expected_effect: format!("the volume of {} is full for {} s", pod.name, spec.hold_seconds),
            // Filled in by `prepare`, which looks into the pod.
            recovery: Recovery::RemoveFile { namespace, pod: pod.name.clone(), container: String::new(), path: String::new() },
        })
    }

    fn prepare<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a mut Plan) -> BoxFuture<'a, Result<(), ChaosError>> {
        Box::pin(async move {
            let FaultTarget::Pod { namespace, name, .. } = &plan.target else {
                return Err(ChaosError::Platform("fill-volume takes a pod".into()));
            };
            let pods: Api<Pod> = Api::namespaced(ctx.client.clone(), namespace);
            let live = pods.get(name).await.map_err(ChaosError::kubernetes(format!("read pod {name}")))?;
            let mount = writable_mount(&live).ok_or_else(|| ChaosError::Unsound(format!("pod {name} mounts no volume of its own that it may write to")))?;
            let given = match &mount.size {
                Size::Claim(claim) => capacity_of(ctx.client, namespace, claim).await?,
                Size::Memory(limit) => Some(limit.clone()),
            };
            let capacity = given.and_then(|q| mib(&q)).ok_or_else(|| ChaosError::Unsound(format!("{} states no capacity", mount.volume)))?;
            let container = container(ctx.client, namespace, name, &mount.container);
            // The kubelet keeps this file of every pod on the node's own disk.
            let found = disks(&container, &[&mount.path, "/etc/hosts"]).await?;
            let [volume, node] = &found[..] else { return Err(ChaosError::Unsound("df does not show the volume".into())) };
            if let Some(why) = shared(volume, node, capacity) {
                return Err(ChaosError::Unsound(format!("{}: {why}; filling it would fill the node", mount.volume)));
            }
            let path = format!("{}/{FILE}", mount.path.trim_end_matches('/'));
            plan.recovery = Recovery::RemoveFile { namespace: namespace.clone(), pod: name.clone(), container: mount.container, path };
            Ok(())
        })
    }

    fn apply<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan) -> BoxFuture<'a, Result<Effect, ChaosError>> {
        Box::pin(async move {
            let Recovery::RemoveFile { namespace, pod, container: name, path } = &plan.recovery else {
                return Err(ChaosError::Platform("fill-volume removes a file".into()));
            };
            let container = container(ctx.client, namespace, pod, name);
            let free = disks(&container, &[folder(path)]).await?.first().map_or(0, |d| d.free_kib / 1024);
            // One more than there is room for: it ends with "No space left on device".
            let (out, count) = (format!("of={path}"), format!("count={}", free + 1));
            container.run(&words(&["dd", "if=/dev/zero", &out, "bs=1M", &count]), None, FILLED_WITHIN).await?;
            Ok(Effect { detail: format!("{free} MiB written to {path} in pod {pod}"), ..Default::default() })
        })
    }

    fn prove<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan, _effect: &'a Effect) -> BoxFuture<'a, Result<String, ChaosError>> {
        Box::pin(async move {
            let Recovery::RemoveFile { namespace, pod, container: name, path } = &plan.recovery else {
                return Err(ChaosError::Platform("fill-volume removes a file".into()));
            };
            let found = disks(&container(ctx.client, namespace, pod, name), &[folder(path)]).await?;
            let free = found.first().map_or(u64::MAX, |d| d.free_kib / 1024);
            if free > LEFT_MIB {
                return Err(ChaosError::TimedOut { what: "the volume to be full".into(), last_seen: format!("{free} MiB are free") });
            }
            Ok(format!("{free} MiB are free on the volume of {pod}"))
        })
    }
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_view::sample::{self, STORE, cluster};

    #[test]
    fn the_plan_is_one_pod_and_names_its_file_only_after_a_look_into_it() {
        let plan = FillVolume.plan(&cluster(), &sample::spec("fill-volume", STORE), 1).expect("plan");
        assert_eq!(plan.blast_radius.pods, ["db-0"]);
        assert!(matches!(plan.recovery, Recovery::RemoveFile { path, .. } if path.is_empty()));
        assert_eq!((folder("/data/gauntlet-fill"), folder("/gauntlet-fill")), ("/data", "/"));
    }
}
