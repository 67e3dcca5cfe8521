//! The plan of the chaos stage, for `--dry-run` and for the stage itself.

use crate::cluster_view::ClusterView;
use crate::error::ChaosError;
use crate::experiment::Plan;
use crate::journal::Recovery;
use crate::registry;
use gauntlet_fixtures::platform::{Experiment as Spec, Platform};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;
use kube::{Api, Client};
use serde::Serialize;

/// One experiment as it is planned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedExperiment {
    /// Its name in platform.yaml.
    pub name: String,
    /// Its fault.
    pub fault: String,
    /// The seed that the target is drawn with.
    pub seed: u64,
    /// The rule by which the target is drawn.
    pub selection: String,
    /// The target, blast radius and expected effect; None without a cluster.
    pub plan: Option<Plan>,
    /// Why there is no target, when a cluster was asked.
    pub refused: Option<String>,
    /// How long the fault stays, in seconds.
    pub hold_seconds: u64,
    /// Recovery time objective, in seconds.
    pub rto_seconds: u64,
}

impl std::fmt::Display for PlannedExperiment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let PlannedExperiment { name, fault, seed, selection, hold_seconds, rto_seconds, .. } = self;
        writeln!(f, "{name} ({fault}): held {hold_seconds} s, recovery expected within {rto_seconds} s, seed {seed}")?;
        writeln!(f, "  selects   {selection}")?;
        match (&self.plan, &self.refused) {
            (Some(plan), _) => {
                writeln!(f, "  target    {}", plan.target)?;
                let radius = &plan.blast_radius;
                writeln!(f, "  radius    namespace {}; pods {}; nodes {}", radius.namespace, list(&radius.pods), list(&radius.nodes))?;
                if !radius.bystanders.is_empty() {
                    writeln!(f, "  beside it {}", list(&radius.bystanders))?;
                }
                writeln!(f, "  effect    {}", plan.expected_effect)
            }
            (None, Some(why)) => writeln!(f, "  no target {why}"),
            (None, None) => writeln!(f, "  target    drawn from the cluster when it stands"),
        }
    }
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

/// Plans one experiment on a view of the cluster. Pure.
///
/// # Errors
/// When the fault is unknown or nothing qualifies as its target.
pub fn plan_one(view: &ClusterView, spec: &Spec, seed: u64) -> Result<Plan, ChaosError> {
    Ok(entry(spec)?.experiment.plan(view, spec, seed)?)
}

/// The registry's row of an experiment.
///
/// # Errors
/// When platform.yaml names a fault that does not exist; says which do.
pub fn entry(spec: &Spec) -> Result<&'static registry::Entry, ChaosError> {
    registry::find(&spec.fault).ok_or_else(|| {
        let known: Vec<_> = registry::faults().collect();
        ChaosError::Platform(format!("experiment {}: unknown fault {:?}; the faults are {}", spec.name, spec.fault, known.join(", ")))
    })
}

/// Plans every experiment of a platform. Nothing is touched. Without a client the rules are given instead of names.
///
/// # Errors
/// When a fault is unknown, or the cluster was to be asked and did not answer.
pub async fn plan(client: Option<&Client>, platform: &Platform, seed: u64) -> Result<Vec<PlannedExperiment>, ChaosError> {
    let view = match client {
        Some(client) => Some(list_view(client, &platform.namespace).await?),
        None => None,
    };
    let mut all = Vec::new();
    for spec in &platform.experiments {
        let selection = entry(spec)?.experiment.selection(spec);
        let (mut plan, mut refused) = (None, None);
        if let Some(view) = &view {
            match plan_one(view, spec, seed) {
                Ok(drawn) => plan = Some(drawn),
                Err(why) => refused = Some(why.to_string()),
            }
        }
        if let (Some(client), Some(plan)) = (client, plan.as_mut()) {
            name_bystanders(client, plan).await?;
        }
        let (name, fault) = (spec.name.clone(), spec.fault.clone());
        let (hold_seconds, rto_seconds) = (spec.hold_seconds, spec.rto_seconds);
        all.push(PlannedExperiment { name, fault, seed, selection, plan, refused, hold_seconds, rto_seconds });
    }
    Ok(all)
}

/// The nodes whose machines a fault stops.
pub fn stopped_nodes(recovery: &Recovery) -> &[String] {
    match recovery {
        Recovery::StartNode { node, .. } => std::slice::from_ref(node),
        Recovery::StartNodes { nodes, .. } => nodes,
        _ => &[],
    }
}

/// Names the pods of other namespaces that share the fate of a node that will be stopped. A cordoned node keeps them.
///
/// # Errors
/// When the API server does not list pods.
pub async fn name_bystanders(client: &Client, plan: &mut Plan) -> Result<(), ChaosError> {
    let nodes = stopped_nodes(&plan.recovery).to_vec();
    let pods: Api<Pod> = Api::all(client.clone());
    let mut others = Vec::new();
    for name in nodes {
        let on_node = ListParams::default().fields(&format!("spec.nodeName={name}"));
        let found = pods.list(&on_node).await.map_err(ChaosError::kubernetes(format!("list pods on node {name}")))?;
        let named = found.items.into_iter().map(|p| (p.metadata.namespace.unwrap_or_default(), p.metadata.name.unwrap_or_default()));
        others.extend(named.filter(|(ns, _)| *ns != plan.blast_radius.namespace).map(|(ns, n)| format!("{ns}/{n}")));
    }
    others.sort();
    plan.blast_radius.bystanders = others;
    Ok(())
}

/// One listing of the namespace and the nodes.
async fn list_view(client: &Client, namespace: &str) -> Result<ClusterView, ChaosError> {
    let all = ListParams::default();
    let ns = |what: &str| ChaosError::kubernetes(format!("list {what} in namespace {namespace}"));
    let pods = Api::<Pod>::namespaced(client.clone(), namespace).list(&all).await.map_err(ns("pods"))?;
    let nodes = Api::<Node>::all(client.clone()).list(&all).await.map_err(ns("nodes"))?;
    let deployments = Api::<Deployment>::namespaced(client.clone(), namespace).list(&all).await.map_err(ns("deployments"))?;
    let sets = Api::<StatefulSet>::namespaced(client.clone(), namespace).list(&all).await.map_err(ns("stateful sets"))?;
    let budgets = Api::<PodDisruptionBudget>::namespaced(client.clone(), namespace).list(&all).await.map_err(ns("budgets"))?;
    Ok(ClusterView::of(namespace, &pods.items, &nodes.items, &deployments.items, &sets.items, &budgets.items))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_view::sample::{self, SERVICE, STORE, cluster};
    use gauntlet_fixtures::platform::Script;

    fn spec(fault: &str) -> Spec {
        Spec {
            name: format!("{fault} under load"),
            target: sample::target(SERVICE, &[STORE]),
            hold_seconds: 20,
            ..sample::spec(fault, SERVICE)
        }
    }

    fn platform(experiments: Vec<Spec>) -> Platform {
        let value = serde_json::json!({"name": "shop", "namespace": "shop", "manifests": {"production": "a", "kind": "b"}});
        Platform { experiments, ..serde_json::from_value(value).expect("platform") }
    }

    #[tokio::test]
    async fn without_a_cluster_the_rule_and_the_seed_are_the_plan() {
        let planned = plan(None, &platform(vec![spec("drain-node"), spec("delete-pod")]), 42).await.expect("plan");
        let text: String = planned.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(text, @"
        drain-node under load (drain-node): held 20 s, recovery expected within 60 s, seed 42
          selects   one worker node that runs a ready pod of Deployment/order and no pod of StatefulSet/db, drawn from the nodes sorted by name
          target    drawn from the cluster when it stands
        delete-pod under load (delete-pod): held 20 s, recovery expected within 60 s, seed 42
          selects   one ready pod of Deployment/order, drawn from the pods sorted by node and name
          target    drawn from the cluster when it stands
        ");
    }

    #[tokio::test]
    async fn an_unknown_fault_names_the_known_ones() {
        let error = plan(None, &platform(vec![spec("unplug")]), 1).await.expect_err("unknown");
        assert!(error.to_string().contains("delete-pod, dns-outage, drain-node, fill-volume, run-script, scale-to-zero, stop-node, zone-outage"), "{error}");
    }

    /// The sample cluster over three zones.
    fn zoned() -> ClusterView {
        let mut view = cluster();
        view.nodes.push(sample::node("worker-3"));
        for (node, zone) in view.nodes.iter_mut().skip(1).zip(["a", "b", "c"]) {
            node.zone = zone.into();
        }
        view
    }

    #[test]
    fn the_same_seed_gives_the_same_plan_for_every_experiment() {
        let script = Script { apply: "a".into(), proof: "p".into(), undo: "u".into() };
        for fault in registry::faults() {
            let spec = Spec { script: Some(script.clone()), ..spec(fault) };
            for seed in 0..20 {
                let drawn = || plan_one(&zoned(), &spec, seed).expect("plan");
                assert_eq!(drawn(), drawn());
                assert_eq!(drawn().blast_radius.namespace, "shop");
            }
        }
    }
}
