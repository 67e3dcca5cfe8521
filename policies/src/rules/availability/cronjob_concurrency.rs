//! Whether two runs of a CronJob may overlap is decided.
//!
//! ## What it does
//! Reports CronJobs without a `concurrencyPolicy`. A stated `Allow` is a decision.
//!
//! ## Why it matters
//! Unset means Allow: when a run takes longer than usual the next one starts beside it, both slow each other down, and
//! the third comes. Two backups write the same file.
//!
//! ## How to mend it
//! Set `concurrencyPolicy: Forbid`, or `Replace` where only the newest run counts.
//!
//! ## Example
//! ```yaml
//! kind: CronJob
//! spec: {schedule: "*/5 * * * *"} # reported: no concurrencyPolicy
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "AVL023", name: "cronjob-concurrency", parameters: &[], source: include_str!("cronjob_concurrency.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for job in context.index.of_kind("CronJob").to_vec() {
        let Some(spec) = Field::root(&job.root).get("spec") else { continue };
        if spec.get("concurrencyPolicy").is_none() {
            context.missing(job, &spec, "concurrencyPolicy", "unset is Allow: runs may overlap");
        }
    }
}
