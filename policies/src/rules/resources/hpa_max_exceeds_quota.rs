//! An HPA can reach its maximum within the namespace's quota.
//!
//! ## What it does
//! Reports HPAs whose `maxReplicas` asks for more pods, CPU, memory or ephemeral storage than a ResourceQuota leaves.
//! What a pod asks for is counted as the quota counts it: init containers, sidecars, overhead, and the defaults of
//! LimitRanges. The other workloads count with their own maximum (`together: true`), or with the fewest replicas
//! that they run with. Quotas with scopes are left out.
//!
//! ## Why it matters
//! Under load the HPA asks for pods that the quota refuses: it stops growing just when it must.
//!
//! ## How to mend it
//! Raise the quota, lower `maxReplicas`, or ask for less per pod.
//!
//! ## Example
//! ```yaml
//! kind: HorizontalPodAutoscaler
//! spec: {maxReplicas: 20} # reported: 20 pods of 500m each, and a quota of 8 CPUs
//! ```

use crate::demand::{Kind, Ranges};
use crate::index::{Index, namespace_of};
use crate::amount::Amount;
use crate::rule::{Context, Rule};
use crate::workload::Workload;
use gauntlet_fixtures::manifest::Field;
use std::collections::{HashMap, HashSet};

/// The rule.
pub const RULE: Rule = Rule {
    id: "RES010",
    name: "hpa-max-exceeds-quota",
    parameters: &[("together", "true")],
    source: include_str!("hpa_max_exceeds_quota.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    let (index, ranges) = (context.index, Ranges::new(context.index));
    let together = context.parameter("together") == serde_json::Value::Bool(true);
    let mut by_namespace: HashMap<&str, Vec<&Workload<'_>>> = HashMap::new();
    for workload in index.workloads() {
        by_namespace.entry(workload.namespace).or_default().push(workload);
    }
    let mut reported = HashSet::new();
    for quota in index.of_kinds(&["ResourceQuota"]) {
        let root = Field::root(&quota.root);
        let has_scope = !root.items_at("spec.scopes").is_empty() || root.at("spec.scopeSelector").is_some();
        let workloads = by_namespace.get(namespace_of(quota)).map(Vec::as_slice).unwrap_or_default();
        let hard = root.at("spec.hard").map(|hard| hard.entries()).unwrap_or_default();
        for (key, allowed) in hard.into_iter().filter(|_| !has_scope) {
            let Some(allowed) = Amount::of(&allowed) else { continue };
            let demands: Option<Vec<_>> = workloads.iter().map(|workload| Demand::of(index, &ranges, workload, key)).collect();
            let Some(demands) = demands else { continue };
            let fewest: Amount = demands.iter().map(|demand| demand.fewest).sum();
            let most: Amount = demands.iter().map(|demand| demand.most).sum();
            for demand in &demands {
                // Alone at its maximum, or together with the others at theirs.
                let alone = fewest - demand.fewest + demand.most;
                let wanted = if together { most } else { alone };
                let grows_too_far = wanted > allowed && demand.most > demand.fewest;
                let Some((max, scaler)) = demand.scaler.as_ref().filter(|_| grows_too_far) else { continue };
                if reported.insert((max.path(), scaler.name.as_str(), namespace_of(scaler), key)) {
                    let name = &quota.name;
                    let when = if alone > allowed { "at its maximum" } else { "when all HPAs are at their maximum" };
                    let wants = format!("{when} the namespace asks for {wanted} of {key} ({fewest} at rest)");
                    context.wrong(scaler, max, format!("{wants}, and quota {name} allows {allowed}"));
                }
            }
        }
    }
}

/// What a workload asks for of one resource.
struct Demand<'i, 'a> {
    fewest: Amount,
    most: Amount,
    /// Its HPA with the field that sets the maximum.
    scaler: Option<(Field<'a>, &'i gauntlet_fixtures::manifest::Object)>,
}

impl<'i, 'a: 'i> Demand<'i, 'a> {
    /// None when the quota counts something that pods do not ask for.
    fn of(index: &Index<'a>, ranges: &Ranges<'a>, workload: &Workload<'a>, key: &str) -> Option<Self> {
        let each = match key {
            "pods" | "count/pods" => Amount::parse("1")?,
            "cpu" | "memory" | "ephemeral-storage" => ranges.of_pod(workload, Kind::Requests, key),
            _ => match key.split_once('.')? {
                ("requests", resource @ ("cpu" | "memory" | "ephemeral-storage")) => ranges.of_pod(workload, Kind::Requests, resource),
                ("limits", resource @ ("cpu" | "memory" | "ephemeral-storage")) => ranges.of_pod(workload, Kind::Limits, resource),
                _ => return None,
            },
        };
        let fewest = index.fewest_replicas(workload).unwrap_or(match workload.object.kind.as_str() {
            // A Job's pods come and go; a DaemonSet has one at least.
            "Job" | "CronJob" => 0,
            _ => 1,
        });
        let scaler = index.scaler(workload);
        let max = scaler.and_then(|scaler| Some((Field::root(&scaler.root).at("spec.maxReplicas")?, scaler)));
        let most = max.as_ref().and_then(|(max, _)| max.node.as_i64()).unwrap_or(fewest).max(fewest);
        Some(Self { fewest: each.times(fewest), most: each.times(most), scaler: max })
    }
}
