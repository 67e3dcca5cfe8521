//! No container switches AppArmor off.
//!
//! ## What it does
//! Reports `appArmorProfile` of a type other than `RuntimeDefault` and `Localhost`, and annotations
//! `container.apparmor.security.beta.kubernetes.io/…` other than `runtime/default` and `localhost/…`, as the baseline
//! Pod Security Standard does. The field exists from Kubernetes 1.30; admission still reads the annotations.
//!
//! ## Why it matters
//! On nodes with AppArmor the runtime's profile keeps a container from mounting, tracing and writing to /proc and /sys.
//!
//! ## How to mend it
//! Remove the profile, or set `appArmorProfile: {type: RuntimeDefault}`.
//!
//! ## Example
//! ```yaml
//! securityContext: {appArmorProfile: {type: Unconfined}} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC012", name: "apparmor", parameters: &[], source: include_str!("apparmor.rs"), check };

const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        for (who, security) in workload.security_contexts() {
            let Some(profile) = security.get("appArmorProfile") else { continue };
            let field = profile.get("type").unwrap_or(profile);
            if !matches!(field.str(), Some("RuntimeDefault" | "Localhost")) {
                let message = format!("{who} has the AppArmor profile {}, not RuntimeDefault or Localhost", field.node);
                context.wrong(workload.object, &field, message);
            }
        }
        for (key, field) in workload.annotations() {
            let Some(container) = key.strip_prefix(ANNOTATION) else { continue };
            let profile = field.str().unwrap_or_default();
            if !(profile.is_empty() || profile == "runtime/default" || profile.starts_with("localhost/")) {
                let message = format!("container {container} has the AppArmor profile {profile}, not runtime/default or localhost/…");
                context.wrong(workload.object, &field, message);
            }
        }
    }
}
