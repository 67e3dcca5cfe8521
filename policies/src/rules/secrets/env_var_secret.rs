//! No credential stands in a container's environment as text.
//!
//! ## What it does
//! Reports environment variables whose name says that they hold a credential and whose value is written out, and
//! values that are URLs with a password in them, private keys, or tokens of a well-known form. References (`$(NAME)`,
//! `valueFrom`), file paths and flags are left out.
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

use crate::credentials::{has_known_form, has_password_in_url, is_harmless, names_a_credential};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "KEY001", name: "env-var-secret", parameters: &[], source: include_str!("env_var_secret.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        for container in workload.every_container() {
            for variable in container.field.items_at("env") {
                let (Some(name), Some(field)) = (variable.str_at("name"), variable.get("value")) else { continue };
                let value = field.str().unwrap_or_default();
                let by_name = names_a_credential(name) && !is_harmless(value);
                if by_name || has_password_in_url(value) || has_known_form(value) {
                    // The value itself is not repeated: reports are passed around.
                    let message = format!("{name} of container {} holds a credential as plain text", container.name);
                    context.wrong(workload.object, &field, message);
                }
            }
        }
    }
}
