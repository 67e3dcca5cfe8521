//! No Ingress writes into its controller's configuration.
//!
//! ## What it does
//! Reports annotations of nginx controllers that put raw configuration into theirs: `configuration-snippet`,
//! `server-snippet`, `auth-snippet` and the like.
//!
//! ## Why it matters
//! Whoever may write an Ingress runs code in the controller and reads every Secret that it can read (CVE-2021-25742).
//! Current controllers refuse such an Ingress.
//!
//! ## How to mend it
//! Use the controller's own annotation for the setting, or its ConfigMap.
//!
//! ## Example
//! ```yaml
//! annotations:
//!   nginx.ingress.kubernetes.io/configuration-snippet: "more_set_headers 'X-Y: z';" # reported
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "ING005", name: "nginx-snippet-annotations", parameters: &[], source: include_str!("nginx_snippet_annotations.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for ingress in context.index.of_kind("Ingress").to_vec() {
        let notes = Field::root(&ingress.root).at("metadata.annotations").map(|notes| notes.entries()).unwrap_or_default();
        for (key, value) in notes {
            let Some((domain, name)) = key.split_once('/') else { continue };
            let snippet = match domain {
                "nginx.ingress.kubernetes.io" => name.ends_with("-snippet"),
                "nginx.org" => name.ends_with("-snippets"),
                _ => false,
            };
            if snippet {
                context.wrong(ingress, &value, format!("{key} puts raw text into the controller's configuration"));
            }
        }
    }
}
