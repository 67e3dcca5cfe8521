//! Every claim asks for a size that makes sense.
//!
//! ## What it does
//! Reports PersistentVolumeClaims and claim templates without `resources.requests.storage`, with one that is no
//! quantity, and with one below `minimum` bytes (1 MiB).
//!
//! ## Why it matters
//! `storage: 10` is ten bytes and `10m` a hundredth of one: most provisioners round that up to their smallest disk, and
//! the store is full on the first day. Many disks cannot be enlarged, and none can be made smaller.
//!
//! ## How to mend it
//! Write the unit: `10Gi`.
//!
//! ## Example
//! ```yaml
//! resources: {requests: {storage: 10}} # reported: ten bytes
//! ```

use super::pvc_storageclass::claims;
use crate::amount::Amount;
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "STO004", name: "pvc-size", parameters: &[("minimum", "1048576")], source: include_str!("pvc_size.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let minimum = Amount::whole(context.number("minimum"));
    for (object, spec) in claims(context.index) {
        let Some(field) = spec.at("resources.requests.storage") else {
            context.missing(object, &spec, "resources.requests.storage", "the claim asks for no size");
            continue;
        };
        match Amount::of(&field) {
            None => context.wrong(object, &field, format!("{} is no quantity", field.node)),
            Some(size) if size < minimum => {
                context.wrong(object, &field, format!("the claim asks for {size} bytes ({}): is the unit missing?", field.node));
            }
            Some(_) => {}
        }
    }
}
