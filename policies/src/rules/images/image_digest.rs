//! Every image is named by its digest.
//!
//! ## What it does
//! Reports images without a digest, and digests that cannot be one: `sha256:` and 64 lower-case hexadecimal digits.
//!
//! ## Why it matters
//! A tag can be moved to another program at any time; a digest is the program.
//!
//! ## How to mend it
//! Write the digest behind the tag: `app:1.4.2@sha256:…`. The tag then only tells people the version.
//!
//! ## Example
//! ```yaml
//! image: registry.example.org/app:1.4.2 # reported
//! ```
//!
//! ## Off by default
//! A fixed tag is enough for many, and digests are for tools to write.

use crate::image::Image;
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "IMG002", name: "image-digest", parameters: &[], source: include_str!("image_digest.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        for container in workload.every_container() {
            let Some(field) = container.field.get("image") else { continue };
            let name = field.str().unwrap_or_default();
            match Image::parse(name).digest {
                Some(digest) if is_digest(digest) => {}
                Some(digest) => {
                    context.wrong(workload.object, &field, format!("{digest} of container {} is no digest", container.name));
                }
                None => context.wrong(workload.object, &field, format!("image {name} of container {} has no digest", container.name)),
            }
        }
    }
}

fn is_digest(text: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let has = |prefix: &str, length| text.strip_prefix(prefix).is_some_and(|rest| rest.len() == length && rest.bytes().all(hex));
    has("sha256:", 64) || has("sha512:", 128)
}
