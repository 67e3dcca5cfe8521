//! Every pod is admitted by the Pod Security Standard that its namespace enforces.
//!
//! ## What it does
//! Asks the rules of `pss-baseline` or `pss-restricted` for the workloads of every namespace with the label
//! `pod-security.kubernetes.io/enforce`, in the version of `enforce-version`, and reports what they find.
//!
//! ## Why it matters
//! The API server refuses such pods. It only warns about the Deployment: that is there, its pods never are.
//!
//! ## How to mend it
//! Change the pod as the finding says, or move it to a namespace that enforces less.
//!
//! ## Example
//! ```yaml
//! kind: Namespace
//! metadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: restricted}} # its root pods are reported
//! ```
//!
//! ## Off by default
//! All controls of the restricted standard are asked one by one.

use crate::engine::hits;
use crate::index::namespace_of;
use crate::kubernetes::Kubernetes;
use crate::rule::{Context, Rule};
use crate::set::PolicySet;
use gauntlet_fixtures::manifest::Field;
use std::collections::{BTreeMap, HashSet};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC026", name: "psa-admission", parameters: &[], source: include_str!("psa_admission.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let mut enforced: BTreeMap<(&str, Kubernetes), HashSet<&str>> = BTreeMap::new();
    for namespace in context.index.of_kinds(&["Namespace"]) {
        let Some(labels) = Field::root(&namespace.root).at("metadata.labels") else { continue };
        let label = |key: &str| labels.get(key).and_then(|label| label.str());
        let level = label("pod-security.kubernetes.io/enforce");
        let version = label("pod-security.kubernetes.io/enforce-version").and_then(|version| version.parse::<Kubernetes>().ok());
        // The cluster knows no standard that is newer than itself.
        let version = version.unwrap_or(context.kubernetes).min(context.kubernetes);
        if let Some(level @ ("baseline" | "restricted")) = level {
            enforced.entry((level, version)).or_default().insert(&namespace.name);
        }
    }
    for ((level, version), namespaces) in enforced {
        let Some(set) = PolicySet::named(&format!("pss-{level}")) else { continue };
        for hit in hits(context.index, &set.for_kubernetes(version)).into_iter().flat_map(|(_, _, hits)| hits) {
            // Nobody makes pods from a PodTemplate alone.
            let namespace = namespace_of(hit.object);
            if namespaces.contains(namespace) && hit.object.kind != "PodTemplate" {
                let message = format!("namespace {namespace} enforces {level}, and refuses the pod: {}", hit.message);
                context.take_over(hit, message);
            }
        }
    }
}
