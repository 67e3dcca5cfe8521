//! A CronJob that missed its time starts late, and not too late.
//!
//! ## What it does
//! Reports CronJobs without `startingDeadlineSeconds`, and with one below 10 seconds.
//!
//! ## Why it matters
//! Without a deadline Kubernetes counts every missed start since the last one, and above 100 it gives up: after a long
//! pause the CronJob never runs again by itself. It looks for CronJobs every 10 seconds, so that with a shorter
//! deadline runs are skipped at random.
//!
//! ## How to mend it
//! Set `startingDeadlineSeconds` to how late a run still makes sense.
//!
//! ## Example
//! ```yaml
//! kind: CronJob
//! spec: {schedule: "*/5 * * * *"} # reported: no startingDeadlineSeconds
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "AVL022", name: "cronjob-deadline", parameters: &[], source: include_str!("cronjob_deadline.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for job in context.index.of_kind("CronJob").to_vec() {
        let Some(spec) = Field::root(&job.root).get("spec") else { continue };
        match spec.get("startingDeadlineSeconds") {
            None => context.missing(job, &spec, "startingDeadlineSeconds", "no startingDeadlineSeconds: after 100 missed starts it stops for good"),
            Some(field) if field.node.as_i64().is_some_and(|seconds| seconds < 10) => {
                context.wrong(job, &field, format!("a deadline of {} s, expected at least 10 s: starts are looked for every 10 s", field.node));
            }
            Some(_) => {}
        }
    }
}
