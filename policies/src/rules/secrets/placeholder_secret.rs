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

fn names_no_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["user", "host", "port", "database", "dbname", "url", "region"].iter().any(|word| key.contains(word)) && !key.contains("pass")
}

fn is_placeholder(value: &str) -> bool {
    let value = value.trim();
    let lower = value.to_ascii_lowercase();
    let is_reference = ["${", "$(", "{{", "ref+", "vault:"].iter().any(|start| lower.starts_with(start));
    if is_reference || value.is_empty() {
        return false;
    }
    const WORDS: [&str; 16] = [
        "password", "passw0rd", "secret", "admin", "root", "changeme", "changeit", "example", "test", "dummy", "todo", "xxx",
        "123456", "12345678", "letmein", "default",
    ];
    const PARTS: [&str; 8] =
        ["changeme", "change-me", "change_me", "replace-me", "replaceme", "replace_me", "placeholder", "your-"];
    WORDS.contains(&lower.as_str())
        || PARTS.iter().any(|part| lower.contains(part))
        || (value.starts_with('<') && value.ends_with('>'))
}

/// Decodes base64 into text; none when it is neither.
fn base64(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let (mut buffer, mut bits) = (0u32, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        buffer = (buffer << 6 | u32::from(value)) & 0xff_ffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits & 0xff) as u8);
        }
    }
    String::from_utf8(bytes).ok()
}
