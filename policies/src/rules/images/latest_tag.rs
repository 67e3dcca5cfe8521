//! Every image names a fixed version.
//!
//! ## What it does
//! Reports images without a tag or a digest, and with a tag from the list `tags`. A colon in the registry's name is
//! its port and no tag: `registry:5000/app` has none.
//!
//! ## Why it matters
//! With a moving tag two pods of one Deployment may run different programs, and a rollback brings nothing back.
//!
//! ## How to mend it
//! Name a version, best with its digest: `app:1.4.2@sha256:…`.
//!
//! ## Example
//! ```yaml
//! image: registry.example.org:5000/app # reported: no tag
//! ```

use crate::image::{Image, MOVING_TAGS};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "IMG001", name: "latest-tag", parameters: &[("tags", MOVING_TAGS)], source: include_str!("latest_tag.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let moving = context.parameter("tags");
    let is_moving = |tag: &str| moving.as_array().is_some_and(|tags| tags.iter().any(|known| known == tag));
    for workload in context.index.pods() {
        for container in workload.every_container() {
            let Some(field) = container.field.get("image") else { continue };
            let name = field.str().unwrap_or_default();
            let image = Image::parse(name);
            let message = match image.tag {
                _ if image.digest.is_some() => continue,
                Some(tag) if !is_moving(tag) => continue,
                Some(tag) => format!("image {name} of container {} has the moving tag {tag}", container.name),
                None => format!("image {name} of container {} has no tag, which means latest", container.name),
            };
            context.wrong(workload.object, &field, message);
        }
    }
}
