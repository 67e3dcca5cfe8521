//! No credential stands in a container's environment as text.
//!
//! ## What it does
//! Reports environment variables whose name says that they hold a credential and whose value is written out, and
//! values that are URLs with a password in them. References (`$(NAME)`, `valueFrom`), file paths and flags are left
//! out.
//!
//! ## Why it matters
//! Whoever may read the workload reads the credential, and so does everyone with access to the repository.
//!
//! ## How to mend it
//! Put it into a Secret and refer to it with `valueFrom.secretKeyRef`.
//!
//! ## Example
//! ```yaml
//! env:
//!   - {name: DB_PASSWORD, value: s3cr3t} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "KEY001", name: "env-var-secret", parameters: &[], source: include_str!("env_var_secret.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        for container in workload.containers() {
            for variable in container.field.items_at("env") {
                let (Some(name), Some(field)) = (variable.str_at("name"), variable.get("value")) else { continue };
                let value = field.str().unwrap_or_default();
                let by_name = names_a_credential(name) && !is_harmless(value);
                if by_name || has_password_in_url(value) {
                    // The value itself is not repeated: reports are passed around.
                    let message = format!("{name} of container {} holds a credential as plain text", container.name);
                    context.wrong(workload.object, &field, message);
                }
            }
        }
    }
}

fn names_a_credential(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let is_place = ["_FILE", "_PATH", "_NAME", "_TTL", "_URL", "_EXPIRY", "_EXPIRATION", "_SECONDS", "_LENGTH", "_HEADER", "_ALGORITHM"];
    let words = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY", "ACCESS_KEY", "CREDENTIAL"];
    words.iter().any(|word| name.contains(word)) && !is_place.iter().any(|end| name.ends_with(end))
}

/// References, paths, numbers and flags are no credentials.
fn is_harmless(value: &str) -> bool {
    value.is_empty()
        || (value.starts_with("$(") && value.ends_with(')'))
        || value.starts_with('/')
        || matches!(value.to_ascii_lowercase().as_str(), "true" | "false" | "yes" | "no" | "none")
}

/// `scheme://user:password@host`, where the password is no reference.
fn has_password_in_url(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else { return false };
    user.split_once(':').is_some_and(|(_, password)| !password.is_empty() && !password.starts_with("$("))
}
