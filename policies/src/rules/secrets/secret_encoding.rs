//! Secrets hold what was meant, and nothing behind it.
//!
//! ## What it does
//! Reports values under `data` that are no base64, and credentials of one line with a line break at the end, as
//! `echo password | base64` makes them. Files (keys with a dot) and values of several lines may end in one.
//!
//! ## Why it matters
//! The API server refuses a Secret that is no base64. A line break becomes a part of the password, and every login
//! fails with the right one.
//!
//! ## How to mend it
//! Encode with `printf %s password | base64`, or write the text under `stringData`.
//!
//! ## Example
//! ```yaml
//! kind: Secret
//! data: {password: czNjcjN0Cg==} # reported: the last letter is a line break
//! ```

use crate::credentials::{base64, is_base64, is_reference};
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "KEY007", name: "secret-encoding", parameters: &[], source: include_str!("secret_encoding.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for secret in context.index.of_kinds(&["Secret"]).filter(|secret| secret.group().is_empty()) {
        let root = Field::root(&secret.root);
        if root.get("sops").is_some() {
            continue;
        }
        for (part, encoded) in [("data", true), ("stringData", false)] {
            for (key, field) in root.get(part).map(|part| part.entries()).unwrap_or_default() {
                let Some(text) = field.str().filter(|text| !is_reference(text)) else { continue };
                if encoded && !is_base64(text) {
                    context.wrong(secret, &field, format!("the key {key} is no base64"));
                    continue;
                }
                let value = if encoded { base64(text) } else { Some(text.to_owned()) };
                if value.is_some_and(|value| !key.contains('.') && has_stray_break(&value)) {
                    context.wrong(secret, &field, format!("the value of the key {key} ends with a line break"));
                }
            }
        }
    }
}

/// One line, and a break behind it.
fn has_stray_break(value: &str) -> bool {
    value.trim_end_matches(['\r', '\n']).lines().count() == 1 && value.ends_with('\n')
}
