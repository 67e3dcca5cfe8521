//! No Secret ships with a placeholder or an example password.
//!
//! ## What it does
//! Reports values of Secrets that are well-known placeholders, such as `changeme`, `password` or `<your-key>`.
//! Values that refer to something else (`${NAME}`, `{{ name }}`, `ref+…`) and keys for user names, hosts and
//! databases are left out.
//!
//! ## Why it matters
//! Placeholders are the first passwords that an intruder tries, and they do reach production.
//!
//! ## How to mend it
//! Create the Secret outside of the manifests (an external secret store or a sealed secret), or generate the value
//! at deploy time.
//!
//! ## Example
//! ```yaml
//! kind: Secret
//! stringData: {password: changeme} # reported
//! ```

use crate::credentials::{base64, is_placeholder, names_no_secret};
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "KEY002", name: "placeholder-secret", parameters: &[], source: include_str!("placeholder_secret.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for secret in context.index.of_kind("Secret").to_vec() {
        for (part, encoded) in [("stringData", false), ("data", true)] {
            for (key, field) in Field::root(&secret.root).get(part).map(|field| field.entries()).unwrap_or_default() {
                let Some(text) = field.str() else { continue };
                let decoded = if encoded { base64(text) } else { Some(text.to_owned()) };
                if decoded.is_some_and(|value| !names_no_secret(key) && is_placeholder(&value)) {
                    context.wrong(secret, &field, format!("the key {key} holds a placeholder"));
                }
            }
        }
    }
}
