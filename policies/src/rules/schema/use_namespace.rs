//! Nothing lives in the namespace default.
//!
//! ## What it does
//! Reports workloads, Services, ConfigMaps, Secrets, ServiceAccounts, claims and Ingresses in the namespace `default`,
//! stated or not.
//!
//! ## Why it matters
//! Everything of everybody meets there: policies, quotas and rights for it are for nobody in particular, and one
//! `kubectl delete` without `-n` hits it.
//!
//! ## How to mend it
//! Give the platform a namespace of its own.
//!
//! ## Example
//! ```yaml
//! kind: Deployment
//! metadata: {name: web} # reported: no namespace
//! ```
//!
//! ## Off by default
//! Charts and bases leave the namespace to whoever deploys them.

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule = Rule { id: "SCH008", name: "use-namespace", parameters: &[], source: include_str!("use_namespace.rs"), check };

const KINDS: [&str; 6] = ["Service", "ConfigMap", "Secret", "ServiceAccount", "PersistentVolumeClaim", "Ingress"];

fn check(context: &mut Context<'_, '_>) {
    for object in context.index.objects() {
        let built_in = matches!(object.group(), "" | "networking.k8s.io") && KINDS.contains(&object.kind.as_str());
        // The Service of the API server itself.
        let own = object.kind == "Service" && object.name == "kubernetes";
        if own || !(built_in || context.index.workload(object).is_some()) {
            continue;
        }
        match (&object.namespace, Field::root(&object.root).at("metadata.namespace")) {
            (None, _) => context.whole(object, "it states no namespace, and lands in default"),
            (Some(namespace), Some(field)) if namespace == "default" => context.wrong(object, &field, "it lives in namespace default"),
            _ => {}
        }
    }
}
