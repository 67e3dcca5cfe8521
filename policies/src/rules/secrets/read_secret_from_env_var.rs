//! Containers read Secrets from files, not from their environment.
//!
//! ## What it does
//! Reports environment variables with `secretKeyRef` and `envFrom` with `secretRef`.
//!
//! ## Why it matters
//! The environment goes to every child process, into crash reports and debug pages, and keeps the old value until the
//! pod is made anew. A mounted file does none of this.
//!
//! ## How to mend it
//! Mount the Secret as a volume, and give the program the file's path.
//!
//! ## Example
//! ```yaml
//! env:
//!   - name: DB_PASSWORD
//!     valueFrom: {secretKeyRef: {name: db, key: password}} # reported
//! ```
//!
//! ## Off by default
//! Many programs read nothing else.

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "KEY005", name: "read-secret-from-env-var", parameters: &[], source: include_str!("read_secret_from_env_var.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        for container in workload.every_container() {
            for variable in container.field.items_at("env") {
                if let Some(reference) = variable.at("valueFrom.secretKeyRef") {
                    let name = variable.str_at("name").unwrap_or("?");
                    let message = format!("container {} has a Secret in its environment: {name}", container.name);
                    context.wrong(workload.object, &reference, message);
                }
            }
            for source in container.field.items_at("envFrom") {
                if let Some(reference) = source.get("secretRef") {
                    let name = reference.str_at("name").unwrap_or("?");
                    let message = format!("container {} has the whole Secret {name} in its environment", container.name);
                    context.wrong(workload.object, &reference, message);
                }
            }
        }
    }
}
