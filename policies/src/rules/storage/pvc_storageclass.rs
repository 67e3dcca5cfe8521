//! Every claim says what kind of storage it wants.
//!
//! ## What it does
//! Reports PersistentVolumeClaims and claim templates of StatefulSets without `storageClassName`. An empty one (`""`)
//! is an answer: no dynamic volume. Nothing is said where a StorageClass of the manifests is the default.
//!
//! ## Why it matters
//! The claim gets the cluster's default class, whatever that is: slow disks in one cluster, ones that are deleted with
//! the claim in the next. The class of a bound claim cannot be changed.
//!
//! ## How to mend it
//! Set `storageClassName`.
//!
//! ## Example
//! ```yaml
//! kind: PersistentVolumeClaim
//! spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Gi}}} # reported
//! ```
//!
//! ## Off by default
//! Manifests for many clusters leave the choice to each cluster's default.

use crate::index::Index;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::{Field, Object};

/// The rule.
pub const RULE: Rule =
    Rule { id: "STO003", name: "pvc-storageclass", parameters: &[], source: include_str!("pvc_storageclass.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let default = |class: &&Object| {
        let notes = Field::root(&class.root).at("metadata.annotations");
        notes.and_then(|notes| notes.get("storageclass.kubernetes.io/is-default-class")?.str()) == Some("true")
    };
    if context.index.of_kind("StorageClass").iter().any(default) {
        return;
    }
    for (object, spec) in claims(context.index) {
        if spec.get("storageClassName").is_none() {
            context.missing(object, &spec, "storageClassName", "no storageClassName: the cluster's default decides");
        }
    }
}

/// Every claim, and every claim template: its object and its `spec`.
pub fn claims<'a>(index: &Index<'a>) -> Vec<(&'a Object, Field<'a>)> {
    let alone = index.of_kind("PersistentVolumeClaim").iter().filter_map(|claim| Some((*claim, Field::root(&claim.root).get("spec")?)));
    let templates = index.of_kind("StatefulSet").iter().flat_map(|set| {
        let templates = Field::root(&set.root).items_at("spec.volumeClaimTemplates").into_iter();
        templates.filter_map(move |template| Some((*set, template.get("spec")?)))
    });
    alone.chain(templates).collect()
}
