//! Ingress controllers are still maintained.
//!
//! ## What it does
//! Reports what depends on ingress-nginx, which the Kubernetes project retired in March 2026: its images, IngressClasses
//! with its controller, and Ingresses with its annotations. F5's NGINX Ingress Controller (`nginx.org/…`) is another one.
//!
//! ## Why it matters
//! It stands in the way of every request, and its next hole is not mended any more.
//!
//! ## How to mend it
//! Move to the Gateway API or to a controller that is maintained, and translate the annotations.
//!
//! ## Example
//! ```yaml
//! kind: IngressClass
//! spec: {controller: k8s.io/ingress-nginx} # reported
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "ING007", name: "retired-controller", parameters: &[], source: include_str!("retired_controller.rs"), check };

const RETIRED: &str = "ingress-nginx is retired and gets no fixes since March 2026";

fn check(context: &mut Context<'_, '_>) {
    for class in context.index.of_kind("IngressClass").to_vec() {
        if let Some(field) = Field::root(&class.root).at("spec.controller").filter(|field| field.str() == Some("k8s.io/ingress-nginx")) {
            context.wrong(class, &field, RETIRED);
        }
    }
    for ingress in context.index.of_kind("Ingress").to_vec() {
        let notes = Field::root(&ingress.root).at("metadata.annotations").map(|notes| notes.entries()).unwrap_or_default();
        if let Some((key, value)) = notes.into_iter().find(|(key, _)| key.starts_with("nginx.ingress.kubernetes.io/")) {
            context.wrong(ingress, &value, format!("{key} is for ingress-nginx: {RETIRED}"));
        }
    }
    for workload in context.index.workloads() {
        for image in workload.containers().iter().filter_map(|container| container.field.get("image")) {
            let text = image.str().unwrap_or_default();
            if text.contains("ingress-nginx/controller") || text.contains("nginx-ingress-controller/nginx-ingress-controller") {
                context.wrong(workload.object, &image, RETIRED);
            }
        }
    }
}
