//! Every container has an image name that can be pulled.
//!
//! ## What it does
//! Reports containers without an image, and names that the container runtime cannot read: capital letters in the
//! repository, spaces, `https://` in front, an empty or impossible tag, an empty part between slashes.
//!
//! ## Why it matters
//! Without an image the API server refuses the pod; with such a name it stays in InvalidImageName.
//!
//! ## How to mend it
//! Write `registry/repository:tag` with the repository in small letters.
//!
//! ## Automatic fix
//! Removes spaces around the name, and a scheme in front of it.
//!
//! ## Example
//! ```yaml
//! image: registry.example.org/Shop/Web:1.0 # reported: capital letters
//! ```

use crate::fix::replace;
use crate::image::Image;
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "IMG007", name: "invalid-image-name", parameters: &[], source: include_str!("invalid_image_name.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        for container in workload.every_container() {
            let who = container.name;
            let Some(field) = container.field.get("image") else {
                context.missing(workload.object, &container.field, "image", format!("container {who} has no image"));
                continue;
            };
            if let Some(complaint) = complaint(field.str().unwrap_or_default()) {
                let bare = field.str().unwrap_or_default().trim();
                let bare = ["https://", "http://", "docker://"].iter().find_map(|scheme| bare.strip_prefix(scheme)).unwrap_or(bare);
                context.wrong(workload.object, &field, format!("the image {} of container {who} {}", field.node, complaint));
                if !bare.is_empty() && self::complaint(bare).is_none() {
                    context.fix("Nothing can be pulled by the name as it stands; the rest of it is one.", [replace(&field, bare)]);
                }
            }
        }
    }
}

/// What is wrong with a name.
fn complaint(name: &str) -> Option<&'static str> {
    if name.trim().is_empty() {
        return Some("is empty");
    }
    if name.contains(char::is_whitespace) {
        return Some("has a space in it");
    }
    if name.contains("://") {
        return Some("begins with a scheme, which belongs to addresses of web pages");
    }
    let image = Image::parse(name);
    let is_part = |part: &str| {
        let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        ends(part.bytes().next()) && ends(part.bytes().last())
    };
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-' | b'/');
    let is_tag = |tag: &str| {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        tag.len() <= 128
            && tag.bytes().next().is_some_and(is_word)
            && tag.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
    };
    match image {
        _ if image.repository.bytes().any(|byte| byte.is_ascii_uppercase()) => Some("has capital letters in its repository"),
        _ if !image.repository.bytes().all(is_inner) || !image.repository.split('/').all(is_part) => Some("is no name of a repository"),
        _ if image.tag.is_some_and(|tag| !is_tag(tag)) => Some("has a tag that cannot be one"),
        _ if image.digest.is_some_and(|digest| !digest.contains(':')) => Some("has a digest that cannot be one"),
        _ => None,
    }
}
