//! Somebody checks the signature of every image.
//!
//! ## What it does
//! Reports images that no policy in the manifests verifies: no `ClusterImagePolicy` (sigstore) or
//! `ImageValidatingPolicy` (Kyverno) whose `glob` fits, and no `verifyImages` rule whose `imageReferences` fit.
//!
//! ## Why it matters
//! Without a check at admission the cluster runs whatever the registry delivers, also after somebody broke into it.
//!
//! ## How to mend it
//! Sign images when they are built, and add a policy that names their registry and the key or identity.
//!
//! ## Example
//! ```yaml
//! image: registry.example.org/app:1.4.2 # reported when no policy covers registry.example.org
//! ```
//!
//! ## Off by default
//! The check at admission is often installed by another team.

use crate::image::Image;
use crate::index::Index;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "IMG006", name: "image-signature", parameters: &[], source: include_str!("image_signature.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let patterns = patterns(context.index);
    for workload in context.index.pods() {
        for container in workload.every_container() {
            let Some(field) = container.field.get("image") else { continue };
            let name = field.str().unwrap_or_default();
            let full = Image::parse(name).full_repository();
            // A pattern may speak of the name as it is written, of the whole one, or of one with a tag. Some call Docker
            // Hub by its older name.
            let names = [name.to_owned(), format!("{full}:"), full.replacen("docker.io/", "index.docker.io/", 1), full];
            if !patterns.iter().any(|pattern| names.iter().any(|name| fits(pattern, name))) {
                let message = format!("no policy verifies the signature of image {name} of container {}", container.name);
                context.wrong(workload.object, &field, message);
            }
        }
    }
}

/// The names that policies verify, with `*` for any text.
fn patterns<'a>(index: &Index<'a>) -> Vec<&'a str> {
    let mut patterns = Vec::new();
    for policy in index.of_kinds(&["ClusterImagePolicy"]) {
        patterns.extend(Field::root(&policy.root).items_at("spec.images").iter().filter_map(|image| image.str_at("glob")));
    }
    for policy in index.of_kinds(&["ImageValidatingPolicy"]) {
        let references = Field::root(&policy.root).items_at("spec.matchImageReferences");
        patterns.extend(references.iter().filter_map(|reference| reference.str_at("glob")));
    }
    for policy in index.of_kinds(&["ClusterPolicy", "Policy"]) {
        for rule in Field::root(&policy.root).items_at("spec.rules") {
            for verified in rule.items_at("verifyImages") {
                patterns.extend(verified.items_at("imageReferences").iter().filter_map(Field::str));
            }
        }
    }
    patterns
}

/// True: the text is the pattern with something for every `*`.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}
