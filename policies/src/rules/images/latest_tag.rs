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

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "IMG001", name: "latest-tag", parameters: &[("tags", r#"["latest", "main", "master", "dev", "edge", "nightly"]"#)], source: include_str!("latest_tag.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let moving = context.parameter("tags");
    let is_moving = |tag: &str| moving.as_array().is_some_and(|tags| tags.iter().any(|known| known == tag));
    for workload in context.index.workloads() {
        for container in workload.containers() {
            let Some(field) = container.field.get("image") else { continue };
            let image = field.str().unwrap_or_default();
            let message = match tag(image) {
                Tag::Digest => continue,
                Tag::Name(tag) if !is_moving(tag) => continue,
                Tag::Name(tag) => format!("image {image} of container {} has the moving tag {tag}", container.name),
                Tag::None => format!("image {image} of container {} has no tag, which means latest", container.name),
            };
            context.wrong(workload.object, &field, message);
        }
    }
}

/// What fixes an image's version.
#[derive(Debug, PartialEq)]
enum Tag<'a> {
    None,
    Name(&'a str),
    Digest,
}

fn tag(image: &str) -> Tag<'_> {
    if image.contains('@') {
        return Tag::Digest;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once(':').map_or(Tag::None, |(_, tag)| Tag::Name(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(tag("registry:5000/app"), Tag::None);
        assert_eq!(tag("registry:5000/app:1"), Tag::Name("1"));
        assert_eq!(tag("app"), Tag::None);
        assert_eq!(tag("app:latest@sha256:0"), Tag::Digest);
    }
}
