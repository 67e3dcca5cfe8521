//! Every claim that a pod mounts exists.
//!
//! ## What it does
//! Reports volumes whose PersistentVolumeClaim is not in the manifests of the namespace. Claims made by a
//! StatefulSet's templates (`template-set-0`) count.
//!
//! ## Why it matters
//! The pod stays Pending.
//!
//! ## How to mend it
//! Add the claim, or mend its name.
//!
//! ## Example
//! ```yaml
//! volumes:
//!   - {name: data, persistentVolumeClaim: {claimName: not-there}} # reported
//! ```

use crate::index::Index;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "STO001", name: "missing-pvc-ref", parameters: &[], source: include_str!("missing_pvc_ref.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        for volume in workload.pod.items_at("volumes") {
            let Some(name) = volume.at("persistentVolumeClaim.claimName") else { continue };
            let text = name.str().unwrap_or_default();
            let made = context.index.find("PersistentVolumeClaim", workload.namespace, text).is_some()
                || is_from_template(context.index, workload.namespace, text);
            if !made {
                let message = format!("there is no PersistentVolumeClaim {text} in namespace {}", workload.namespace);
                context.wrong(workload.object, &name, message);
            }
        }
    }
}

/// True: `template-set-number` of a StatefulSet in the namespace.
fn is_from_template(index: &Index<'_>, namespace: &str, claim: &str) -> bool {
    let Some((base, number)) = claim.rsplit_once('-') else { return false };
    // Both names may have dashes: every one may be the one between them.
    let mut splits = base.match_indices('-').map(|(at, _)| (&base[..at], &base[at + 1..]));
    number.parse::<u32>().is_ok()
        && splits.any(|(template, set)| {
            let templates = index.find("StatefulSet", namespace, set).map(|set| Field::root(&set.root).items_at("spec.volumeClaimTemplates"));
            templates.is_some_and(|templates| templates.iter().any(|known| known.str_at("metadata.name") == Some(template)))
        })
}
