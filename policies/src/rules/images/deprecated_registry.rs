//! No image comes from a registry that is given up.
//!
//! ## What it does
//! Reports images from places that are closed or get no new versions, such as `k8s.gcr.io`.
//!
//! ## Why it matters
//! Such an image gets no security fix, and on the day its registry is switched off no new node can start the pod.
//!
//! ## How to mend it
//! Take the image from the place that the finding names.
//!
//! ## Automatic fix
//! Writes `registry.k8s.io` for `k8s.gcr.io`.
//!
//! ## Example
//! ```yaml
//! image: k8s.gcr.io/pause:3.9 # reported
//! ```

use crate::fix::replace;
use crate::image::Image;
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "IMG004", name: "deprecated-registry", parameters: &[], source: include_str!("deprecated_registry.rs"), check };

/// Places that are given up, and what to do instead.
const GIVEN_UP: [(&str, &str); 6] = [
    ("k8s.gcr.io", "it is frozen since April 2023: use registry.k8s.io"),
    ("gcr.io/google-containers", "it is frozen: use registry.k8s.io"),
    ("gcr.io/google_containers", "it is frozen: use registry.k8s.io"),
    ("quay.io/kubernetes-ingress-controller", "it is no longer filled: use registry.k8s.io/ingress-nginx"),
    ("docker.pkg.github.com", "it was replaced: use ghcr.io"),
    ("docker.io/bitnamilegacy", "it is an archive without updates: use a maintained image"),
];

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        for container in workload.every_container() {
            let Some(field) = container.field.get("image") else { continue };
            let name = field.str().unwrap_or_default();
            let image = Image::parse(name);
            if let Some((place, advice)) = GIVEN_UP.iter().find(|(place, _)| image.is_from(place)) {
                let message = format!("image {name} of container {} is from {place}; {advice}", container.name);
                context.wrong(workload.object, &field, message);
                if let Some(rest) = name.strip_prefix("k8s.gcr.io/") {
                    let edit = replace(&field, format!("registry.k8s.io/{rest}"));
                    context.fix("registry.k8s.io has every image of the old place under the same name and digest.", [edit]);
                }
            }
        }
    }
}
