//! Every StatefulSet has its headless Service.
//!
//! ## What it does
//! Reports StatefulSets whose `serviceName` is not a Service of their namespace with `clusterIP: None` that selects
//! their pods.
//!
//! ## Why it matters
//! Without it the pods have no stable names, and members of a cluster do not find each other.
//!
//! ## How to mend it
//! Add a Service with `clusterIP: None` and the pods' labels, and name it in `serviceName`.
//!
//! ## Example
//! ```yaml
//! kind: StatefulSet
//! spec: {serviceName: db} # reported when Service db has a cluster IP
//! ```

use crate::rule::{Context, Rule};
use crate::selector::Selector;
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "STO002", name: "statefulset-headless-service", parameters: &[], source: include_str!("statefulset_headless_service.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads().iter().filter(|workload| workload.object.kind == "StatefulSet") {
        let root = Field::root(&workload.object.root);
        let Some(field) = root.at("spec.serviceName") else {
            if let Some(spec) = root.get("spec") {
                context.missing(workload.object, &spec, "serviceName", "no serviceName: its pods have no stable names");
            }
            continue;
        };
        let name = field.str().unwrap_or_default();
        let Some(service) = context.index.find("Service", workload.namespace, name) else {
            let message = format!("there is no Service {name} in namespace {}", workload.namespace);
            context.wrong(workload.object, &field, message);
            continue;
        };
        let service = Field::root(&service.root);
        let selects = service.at("spec.selector").is_some_and(|selector| Selector::from_map(&selector).matches(&workload.labels));
        if service.str_at("spec.clusterIP") != Some("None") {
            context.wrong(workload.object, &field, format!("Service {name} is not headless: clusterIP is not None"));
        } else if !selects {
            context.wrong(workload.object, &field, format!("Service {name} does not select its pods"));
        }
    }
}
