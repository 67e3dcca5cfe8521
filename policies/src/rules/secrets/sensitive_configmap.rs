//! No credential stands in a ConfigMap.
//!
//! ## What it does
//! Reports keys of ConfigMaps whose name says that they hold a credential and whose value is written out, and values
//! with a private key, a well-known token or a URL with a password. In files of settings (`.env`, `.properties`,
//! `.ini`, `.conf`, `.toml`, `.yaml`, `.json`) every line is read in this way. References, paths and flags are left out.
//!
//! ## Why it matters
//! ConfigMaps are not encrypted, and everybody who may look at the namespace may read them: `view` allows it.
//!
//! ## How to mend it
//! Put the credential into a Secret, and let the program read it from a variable or a file.
//!
//! ## Example
//! ```yaml
//! kind: ConfigMap
//! data: {DB_PASSWORD: s3cr3t} # reported
//! ```

use crate::credentials::{has_known_form, has_password_in_url, is_harmless, names_a_credential};
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "KEY004", name: "sensitive-configmap", parameters: &[], source: include_str!("sensitive_configmap.rs"), check };

const SETTINGS: [&str; 9] = [".env", ".properties", ".ini", ".conf", ".cfg", ".toml", ".yaml", ".yml", ".json"];

fn check(context: &mut Context<'_, '_>) {
    for config in context.index.of_kinds(&["ConfigMap"]).filter(|object| object.group().is_empty()) {
        for (key, field) in Field::root(&config.root).get("data").map(|data| data.entries()).unwrap_or_default() {
            // The value itself is not repeated: reports are passed around.
            if let Some(what) = field.str().and_then(|value| credential(key, value)) {
                context.wrong(config, &field, format!("the key {key} holds a credential as plain text: {what}"));
            }
        }
    }
}

/// What gives a value away.
fn credential(key: &str, value: &str) -> Option<String> {
    if has_known_form(value) {
        return Some("a private key or a token".to_owned());
    }
    let lines = || value.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']) && !line.starts_with("//"));
    if lines().any(has_password_in_url) {
        return Some("a URL with a password".to_owned());
    }
    if !value.trim().contains('\n') && !key.contains('.') {
        return (names_a_credential(key) && !is_harmless(value)).then(|| "its name says so".to_owned());
    }
    if !SETTINGS.iter().any(|end| key.ends_with(end)) && key != "env" {
        return None;
    }
    let name = lines().find_map(setting)?;
    Some(format!("its setting {name} says so"))
}

/// The name of a setting that is written out and holds a credential: `name = value` or `name: value`.
fn setting(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(['=', ':'])?;
    let quotes = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';');
    let (name, value) = (name.trim_start_matches("export ").trim_matches(quotes), value.trim_matches(quotes));
    let is_one_word = !value.contains(|c: char| c.is_whitespace() || matches!(c, '$' | '(' | '{' | '<' | '[' | '*' | '%'));
    let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
    (is_name && is_one_word && names_a_credential(name) && !is_harmless(value)).then_some(name)
}
