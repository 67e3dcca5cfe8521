//! What keeps pods apart leaves a place for each of them.
//!
//! ## What it does
//! Reports required pod anti-affinities and spread constraints with `DoNotSchedule` that cannot be fulfilled by all
//! pods: with more replicas (the HPA's maximum counts) than the values of the topology key to which the pod's own
//! `nodeSelector` or required node affinity binds it, or than the `nodes` or `zones` that a policy set states (0: not
//! known). Reports too what the API server refuses: `maxSkew` below 1, `minDomains` with `ScheduleAnyway`.
//!
//! ## Why it matters
//! The last pods stay Pending: the rollout never ends, and the HPA's maximum is never reached.
//!
//! ## How to mend it
//! Prefer instead of requiring, let in more zones, or lower the replicas.
//!
//! ## Example
//! ```yaml
//! nodeSelector: {topology.kubernetes.io/zone: a}
//! affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution:
//!   [{topologyKey: topology.kubernetes.io/zone, labelSelector: {matchLabels: {app: web}}}]}} # reported for 2 replicas
//! ```

use crate::rule::{Context, Rule};
use crate::selector::Selector;
use crate::workload::Workload;
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule = Rule {
    id: "AVL012",
    name: "spread-unsatisfiable",
    parameters: &[("nodes", "0"), ("zones", "0")],
    source: include_str!("spread_unsatisfiable.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    let known = [("kubernetes.io/hostname", context.number("nodes")), ("topology.kubernetes.io/zone", context.number("zones"))];
    for workload in context.index.workloads() {
        for constraint in workload.pod.items_at("topologySpreadConstraints") {
            check_fields(context, workload, &constraint);
        }
        let Some(replicas) = context.index.most_replicas(workload) else { continue };
        for (term, skew) in terms(workload) {
            let selects = |field: Field<'_>| Selector::from_label_selector(&field).matches(&workload.labels);
            let Some(key) = term.get("topologyKey").filter(|_| term.get("labelSelector").is_some_and(selects)) else { continue };
            let text = key.str().unwrap_or_default();
            let stated = known.iter().find(|(known, number)| *known == text && *number > 0).map(|(_, number)| *number);
            let Some(domains) = bound_to(workload, text).into_iter().chain(stated).min() else { continue };
            // Where fewer domains exist than minDomains asks for, the least crowded one counts as empty: a skew's worth each.
            let room = match skew {
                None => domains,
                Some(skew) if term.i64_at("minDomains").is_some_and(|least| least > domains) => domains.saturating_mul(skew),
                Some(_) => continue,
            };
            if replicas > room {
                let message = format!("{replicas} pods cannot be kept apart by {text}: {domains} value(s) are possible, with room for {room} pod(s)");
                context.wrong(workload.object, &key, message);
            }
        }
    }
}

fn check_fields<'a>(context: &mut Context<'_, 'a>, workload: &Workload<'a>, constraint: &Field<'a>) {
    if let Some(skew) = constraint.get("maxSkew").filter(|skew| skew.node.as_i64().is_some_and(|skew| skew < 1)) {
        context.wrong(workload.object, &skew, format!("maxSkew is {}, expected at least 1", skew.node));
    }
    let any = constraint.str_at("whenUnsatisfiable") == Some("ScheduleAnyway");
    if let Some(least) = constraint.get("minDomains").filter(|_| any) {
        context.wrong(workload.object, &least, "minDomains is for DoNotSchedule only");
    }
}

/// Anti-affinities, and spread constraints with their skew: those that must hold.
fn terms<'a>(workload: &Workload<'a>) -> Vec<(Field<'a>, Option<i64>)> {
    let apart = workload.pod.items_at("affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    let spread = workload.pod.items_at("topologySpreadConstraints").into_iter();
    let spread = spread.filter(|constraint| constraint.str_at("whenUnsatisfiable").unwrap_or("DoNotSchedule") == "DoNotSchedule");
    let spread = spread.map(|constraint| (constraint.i64_at("maxSkew").unwrap_or(1), constraint)).map(|(skew, it)| (it, Some(skew)));
    apart.into_iter().map(|term| (term, None)).chain(spread).collect()
}

/// To how many values of a topology key the pod is bound, when it is.
fn bound_to(workload: &Workload<'_>, key: &str) -> Option<i64> {
    if workload.pod.get("nodeSelector").is_some_and(|selector| selector.get(key).is_some()) {
        return Some(1);
    }
    let path = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
    let terms = workload.pod.items_at(path);
    // Terms are alternatives: every one of them must bind the key.
    let bound = terms.iter().map(|term| {
        let expressions = term.items_at("matchExpressions");
        let bound = expressions.iter().find(|it| it.str_at("key") == Some(key) && it.str_at("operator") == Some("In"))?;
        Some(bound.items_at("values").iter().filter_map(Field::str).collect::<Vec<_>>())
    });
    let mut values: Vec<&str> = bound.collect::<Option<Vec<_>>>()?.concat();
    values.sort_unstable();
    values.dedup();
    (!terms.is_empty()).then(|| i64::try_from(values.len()).ok()).flatten()
}
