//! Images come from registries that are trusted.
//!
//! ## What it does
//! Reports images from elsewhere than `registries`: registries or folders of them, such as `registry.k8s.io` or
//! `ghcr.io/team`; Docker Hub is `docker.io`. Without a list it reports images that do not name their registry.
//!
//! ## Why it matters
//! An image from an unknown place is a program from an unknown author; a name without a registry is whatever the
//! node's configuration makes of it.
//!
//! ## How to mend it
//! Copy the image into a registry of the list, or add its registry to the list.
//!
//! ## Example
//! ```yaml
//! image: nginx:1.27 # reported: the registry is not named
//! ```
//!
//! ## Off by default
//! Which registries are trusted is the user's to say.

use crate::image::Image;
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "IMG003",
    name: "trusted-registry",
    parameters: &[("registries", "[]")],
    source: include_str!("trusted_registry.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    let registries = context.parameter("registries");
    let trusted: Vec<&str> = registries.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).collect();
    for workload in context.index.pods() {
        for container in workload.every_container() {
            let Some(field) = container.field.get("image") else { continue };
            let name = field.str().unwrap_or_default();
            let image = Image::parse(name);
            let message = match (trusted.is_empty(), image.registry) {
                (true, Some(_)) => continue,
                (true, None) => format!("image {name} of container {} does not name its registry", container.name),
                (false, _) if trusted.iter().any(|place| image.is_from(place)) => continue,
                (false, _) => format!("image {name} of container {} is from none of {}", container.name, trusted.join(", ")),
            };
            context.wrong(workload.object, &field, message);
        }
    }
}
