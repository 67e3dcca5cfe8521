//! Every node runs the image that the manifest means.
//!
//! ## What it does
//! Reports `imagePullPolicy: Never`, and a policy other than `Always` for images without a tag or with one of `tags`.
//! Without a policy the API server sets `Always` for `latest` and for no tag, `IfNotPresent` for the rest and for
//! digests.
//!
//! ## Why it matters
//! With `Never` the pod starts only where somebody put the image. With a moving tag and `IfNotPresent` every node
//! keeps the program that the tag meant when it came there first.
//!
//! ## How to mend it
//! Name a fixed version and leave `imagePullPolicy` away.
//!
//! ## Example
//! ```yaml
//! image: app:latest
//! imagePullPolicy: IfNotPresent # reported
//! ```

use crate::image::{Image, MOVING_TAGS};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "IMG005",
    name: "image-pull-policy",
    parameters: &[("tags", MOVING_TAGS)],
    source: include_str!("image_pull_policy.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    let moving = context.parameter("tags");
    let is_moving = |tag: &str| moving.as_array().is_some_and(|tags| tags.iter().any(|known| known == tag));
    for workload in context.index.pods() {
        for container in workload.every_container() {
            let Some(field) = container.field.get("image") else { continue };
            let name = field.str().unwrap_or_default();
            let image = Image::parse(name);
            let moves = image.digest.is_none() && image.tag.is_none_or(is_moving);
            let who = format!("container {}", container.name);
            match container.field.get("imagePullPolicy") {
                Some(policy) if policy.str() == Some("Never") => {
                    context.wrong(workload.object, &policy, format!("{who} starts only on nodes where {name} already is"));
                }
                Some(policy) if moves && policy.str() != Some("Always") => {
                    let message = format!("{who} keeps what {name} meant when a node pulled it first: {} with a moving tag", policy.node);
                    context.wrong(workload.object, &policy, message);
                }
                None if moves && !matches!(image.tag, None | Some("latest")) => {
                    let message = format!("{who} keeps what {name} meant when a node pulled it first: IfNotPresent is the default here");
                    context.missing(workload.object, &container.field, "imagePullPolicy", message);
                }
                _ => {}
            }
        }
    }
}
