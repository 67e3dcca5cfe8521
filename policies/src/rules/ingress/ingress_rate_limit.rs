//! One client cannot use up a service.
//!
//! ## What it does
//! Reports Ingresses for an nginx controller without a limit of requests or connections for each client: none of the
//! annotations `limit-rps`, `limit-rpm`, `limit-connections`, `limit-req-…`. Other controllers keep their limits
//! elsewhere, and are left out.
//!
//! ## Why it matters
//! One faulty or hostile client takes all the capacity, and the HPA pays for it.
//!
//! ## How to mend it
//! Set `nginx.ingress.kubernetes.io/limit-rps` to what one client may need.
//!
//! ## Example
//! ```yaml
//! kind: Ingress # reported: no limit-rps
//! spec: {ingressClassName: nginx}
//! ```
//!
//! ## Off by default
//! Limits may stand in the controller's own configuration, in a firewall or in the application.

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "ING006", name: "ingress-rate-limit", parameters: &[], source: include_str!("ingress_rate_limit.rs"), check };

const LIMITS: [&str; 6] = [
    "nginx.ingress.kubernetes.io/limit-rps",
    "nginx.ingress.kubernetes.io/limit-rpm",
    "nginx.ingress.kubernetes.io/limit-connections",
    "nginx.ingress.kubernetes.io/global-rate-limit",
    "nginx.org/limit-req-rate",
    "nginx.org/policies",
];

fn check(context: &mut Context<'_, '_>) {
    for ingress in context.index.of_kind("Ingress").to_vec() {
        let root = Field::root(&ingress.root);
        let notes = root.at("metadata.annotations");
        let note = |key: &str| notes.as_ref().and_then(|notes| notes.get(key));
        let class = root.str_at("spec.ingressClassName").or_else(|| note("kubernetes.io/ingress.class")?.str()).unwrap_or_default();
        if class.contains("nginx") && !LIMITS.iter().any(|key| note(key).is_some()) {
            context.whole(ingress, "one client may send as much as it likes: no limit-rps, limit-rpm or limit-connections");
        }
    }
}
