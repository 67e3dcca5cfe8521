//! # What it does
//! Runs a script of platform.yaml in the target's pod, in its first container, by `sh`, and keeps what it did for
//! `holdSeconds`: connections that nobody gives back, a table that is locked, data that is old. `script.apply` makes it,
//! `script.proof` ends with exit code 0 as soon as it stands and says so in its last line, `script.undo` takes it back.
//!
//! # Why it matters
//! Much that an alert is for does not come from a machine or a pod that is gone. An alert that was never seen to fire may
//! ask for a metric that nobody has.
//!
//! # Blast radius
//! What the script says. It runs with the rights of the container, which no fault may widen.
//!
//! # Recovery
//! `script.undo`, in the same pod; it must do no harm when there is nothing to take back. Read back: it ended with exit
//! code 0, and the namespace's workloads are full.

use crate::cluster_view::ClusterView;
use crate::error::ChaosError;
use crate::experiment::{Effect, Experiment, FaultContext, Plan};
use crate::journal::Recovery;
use crate::pod_exec::{Container, words};
use crate::targets::{self, BlastRadius, FaultTarget, PlanError};
use futures::future::BoxFuture;
use gauntlet_fixtures::platform::{Experiment as Spec, Script};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use std::time::Duration;
use tokio::time::Instant;

/// The experiment.
pub struct RunScript;

const ENDS_WITHIN: Duration = Duration::from_secs(60);
const PROVEN_WITHIN: Duration = Duration::from_secs(60);

/// Runs a script in a container. The last line of its output.
///
/// # Errors
/// When it does not end with exit code 0, or not in time.
pub async fn run(client: &Client, namespace: &str, pod: &str, container: &str, script: &str) -> Result<String, ChaosError> {
    let container = Container { pods: Api::namespaced(client.clone(), namespace), pod: pod.to_owned(), container: container.to_owned() };
    let output = container.must_run(&words(&["sh", "-euc", script]), None, ENDS_WITHIN).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it ended with exit code 0").to_owned())
}

fn script(spec: &Spec) -> Result<&Script, ChaosError> {
    spec.script.as_ref().ok_or_else(|| ChaosError::Platform(format!("experiment {}: run-script needs the key script", spec.name)))
}

/// Namespace, pod and container.
fn place(plan: &Plan) -> Result<(&str, &str, &str), ChaosError> {
    match &plan.recovery {
        Recovery::RunScript { namespace, pod, container, .. } => Ok((namespace, pod, container)),
        _ => Err(ChaosError::Platform("run-script is taken back by a script".into())),
    }
}

impl Experiment for RunScript {
    fn selection(&self, spec: &Spec) -> String {
        format!("one ready pod of {}, drawn from the pods sorted by node and name", targets::described(&spec.target))
    }

    fn plan(&self, view: &ClusterView, spec: &Spec, seed: u64) -> Result<Plan, PlanError> {
        let pod = targets::draw_pod(view, &spec.target, seed, &spec.name)?;
        let unfit = || PlanError::Unfit { workload: spec.target.workload.clone(), reason: "run-script needs the key script".into() };
        let undo = spec.script.as_ref().ok_or_else(unfit)?.undo.clone();
        let namespace = view.namespace.clone();
        Ok(Plan {
            target: FaultTarget::Pod { namespace: namespace.clone(), name: pod.name.clone(), uid: pod.uid.clone(), node: pod.node.clone() },
            blast_radius: BlastRadius { namespace: namespace.clone(), pods: vec![pod.name.clone()], ..Default::default() },
            expected_effect: format!("what the script does in {} stands for {} s", pod.name, spec.hold_seconds),
            // The container is filled in by `prepare`, which reads the pod.
            recovery: Recovery::RunScript { namespace, pod: pod.name.clone(), container: String::new(), script: undo },
        })
    }

    fn prepare<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a mut Plan) -> BoxFuture<'a, Result<(), ChaosError>> {
        Box::pin(async move {
            let Recovery::RunScript { namespace, pod, container, .. } = &mut plan.recovery else {
                return Err(ChaosError::Platform("run-script is taken back by a script".into()));
            };
            let pods: Api<Pod> = Api::namespaced(ctx.client.clone(), namespace);
            let live = pods.get(pod).await.map_err(ChaosError::kubernetes(format!("read pod {pod}")))?;
            *container = live.spec.and_then(|s| s.containers.into_iter().next()).map(|c| c.name).unwrap_or_default();
            Ok(())
        })
    }

    fn apply<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan) -> BoxFuture<'a, Result<Effect, ChaosError>> {
        Box::pin(async move {
            let (namespace, pod, container) = place(plan)?;
            run(ctx.client, namespace, pod, container, &script(ctx.spec)?.apply).await?;
            Ok(Effect { detail: format!("the script ran in pod {pod}"), ..Default::default() })
        })
    }

    fn prove<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan, _effect: &'a Effect) -> BoxFuture<'a, Result<String, ChaosError>> {
        Box::pin(async move {
            let (namespace, pod, container) = place(plan)?;
            let deadline = Instant::now() + PROVEN_WITHIN;
            // There is nothing to watch: only the script knows what it looks for.
            loop {
                match run(ctx.client, namespace, pod, container, &script(ctx.spec)?.proof).await {
                    Ok(seen) => return Ok(seen),
                    Err(error) if Instant::now() >= deadline => {
                        return Err(ChaosError::TimedOut { what: "the script's proof".into(), last_seen: error.to_string() });
                    }
                    Err(_) => {}
                }
                tokio::select! {
                    () = ctx.stop.cancelled() => return Err(ChaosError::Stopped),
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_view::sample::{self, STORE, cluster};

    #[test]
    fn the_plan_keeps_the_way_back_and_nothing_goes_without_a_script() {
        let spec = sample::spec("run-script", STORE);
        assert!(RunScript.plan(&cluster(), &spec, 1).expect_err("no script").to_string().contains("needs the key script"));
        let of = |text: &str| text.to_owned();
        let spec = Spec { script: Some(Script { apply: of("a"), proof: of("p"), undo: of("u") }), ..spec };
        let plan = RunScript.plan(&cluster(), &spec, 1).expect("plan");
        assert_eq!(plan.blast_radius.pods, ["db-0"]);
        assert!(matches!(plan.recovery, Recovery::RunScript { pod, script, .. } if pod == "db-0" && script == "u"));
    }
}
