//! No credential is committed with the manifests.
//!
//! ## What it does
//! Reports values of Secrets that are written out: base64 is an alphabet and no encryption. Left out are references
//! that another program fills (`${NAME}`, `{{ name }}`, `ref+…`, `<path:…>`), values and files that SOPS encrypted,
//! certificates and public keys, keys for user names, hosts and databases, and placeholders, which
//! `placeholder-secret` reports.
//!
//! ## Why it matters
//! A repository is copied to every developer, every runner and every backup, and never forgets.
//!
//! ## How to mend it
//! Change the credential, which is known now. Keep the new one in a secret store (ExternalSecret), or encrypt it for
//! the cluster (SealedSecret, SOPS).
//!
//! ## Example
//! ```yaml
//! kind: Secret
//! data: {password: czNjcjN0} # reported
//! ```
//!
//! ## Off by default
//! Manifests for test clusters carry the credentials of their own stores.

use crate::credentials::{base64, is_placeholder, is_reference, names_no_secret};
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule = Rule {
    id: "KEY006",
    name: "plaintext-secret-committed",
    parameters: &[],
    source: include_str!("plaintext_secret_committed.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    for secret in context.index.of_kinds(&["Secret"]).filter(|secret| secret.group().is_empty()) {
        let root = Field::root(&secret.root);
        if root.get("sops").is_some() {
            continue;
        }
        for (part, encoded) in [("stringData", false), ("data", true)] {
            for (key, field) in root.get(part).map(|part| part.entries()).unwrap_or_default() {
                let Some(text) = field.str() else { continue };
                // What is no base64 stands for something, or is binary; binary values are credentials too.
                let decoded = if encoded { base64(text) } else { Some(text.to_owned()) };
                let value = decoded.as_deref().unwrap_or(text);
                if !names_no_secret(key) && is_written_out(key, value) && !is_reference(text.trim()) {
                    let message = format!("the key {key} is written out{}", if encoded { " in base64" } else { "" });
                    context.wrong(secret, &field, message);
                }
            }
        }
    }
}

fn is_written_out(key: &str, value: &str) -> bool {
    let value = value.trim();
    let is_public = [".crt", ".pub", ".cer"].iter().any(|end| key.ends_with(end))
        || ((value.contains("BEGIN CERTIFICATE-----") || value.contains("PUBLIC KEY-----")) && !value.contains("PRIVATE KEY-----"));
    !(value.is_empty() || is_public || is_reference(value) || is_placeholder(value))
}
