//! No role changes what stands between requests and the cluster.
//!
//! ## What it does
//! Reports roles that write webhook configurations or admission policies and their bindings, without naming them in
//! `resourceNames`.
//!
//! ## Why it matters
//! Who writes a webhook sees every object that passes, Secrets too, and may change it; who deletes one switches its
//! checks off.
//!
//! ## How to mend it
//! Name the configuration that the program keeps up to date, and allow `update` or `patch` of it alone.
//!
//! ## Example
//! ```yaml
//! rules:
//!   - apiGroups: [admissionregistration.k8s.io]
//!     resources: [mutatingwebhookconfigurations] # reported
//!     verbs: [create, patch]
//! ```

use crate::privilege::{Privilege, grants};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "RBA008", name: "webhook-config-write", parameters: &[], source: include_str!("webhook_config_write.rs"), check };

const WRITE: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

static PRIVILEGES: [Privilege; 6] = [
    Privilege { group: "admissionregistration.k8s.io", resource: "validatingwebhookconfigurations", verbs: &WRITE },
    Privilege { group: "admissionregistration.k8s.io", resource: "mutatingwebhookconfigurations", verbs: &WRITE },
    Privilege { group: "admissionregistration.k8s.io", resource: "validatingadmissionpolicies", verbs: &WRITE },
    Privilege { group: "admissionregistration.k8s.io", resource: "validatingadmissionpolicybindings", verbs: &WRITE },
    Privilege { group: "admissionregistration.k8s.io", resource: "mutatingadmissionpolicies", verbs: &WRITE },
    Privilege { group: "admissionregistration.k8s.io", resource: "mutatingadmissionpolicybindings", verbs: &WRITE },
];

fn check(context: &mut Context<'_, '_>) {
    for grant in grants(context.index, &PRIVILEGES).into_iter().filter(|grant| !grant.is_for_named) {
        context.wrong(grant.role, &grant.resource, grant.message());
    }
}
