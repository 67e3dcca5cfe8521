//! No object stands in the manifests twice.
//!
//! ## What it does
//! Reports objects of the same group, kind, namespace and name. No namespace means `default`; two versions of one
//! group are the same object.
//!
//! ## Why it matters
//! The last one applied wins, and which one that is depends on the order of files.
//!
//! ## How to mend it
//! Remove one of them.
//!
//! ## Example
//! ```yaml
//! {kind: Service, metadata: {name: web}}
//! {kind: Service, metadata: {name: web, namespace: default}} # reported
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Object;
use std::collections::HashMap;

/// The rule.
pub const RULE: Rule =
    Rule { id: "SCH002", name: "duplicate-object", parameters: &[], source: include_str!("duplicate_object.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let mut seen: HashMap<_, &Object> = HashMap::new();
    for object in context.index.objects() {
        let id = (object.group(), object.kind.as_str(), object.effective_namespace(), object.name.as_str());
        match seen.get(&id) {
            Some(first) => {
                let message = format!("{} stands here a second time; first at {}", object.display_name(), first.source());
                context.whole(object, message);
            }
            None => drop(seen.insert(id, object)),
        }
    }
}
