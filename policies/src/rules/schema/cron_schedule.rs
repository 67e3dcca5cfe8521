//! Every schedule is one that Kubernetes can keep.
//!
//! ## What it does
//! Reports schedules of CronJobs that the API server refuses or that never come: a wrong number of fields, values out
//! of range (Sunday is 0, not 7), unknown names, a time zone inside the schedule, 31 April. Reports time zones that are
//! abbreviations (`CEST`), `Local` or empty.
//!
//! ## Why it matters
//! The API server refuses most of them. A day that never comes is accepted, and the backup of that name never runs.
//!
//! ## How to mend it
//! Write minute, hour, day of month, month, day of week; put the zone's name (`Europe/Berlin`) into `timeZone`.
//!
//! ## Example
//! ```yaml
//! kind: CronJob
//! spec: {schedule: "0 0 31 4 *"} # reported: April has 30 days
//! ```

use super::cron::fault;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule = Rule { id: "SCH010", name: "cron-schedule", parameters: &[], source: include_str!("cron_schedule.rs"), check };

/// Abbreviations that are no names of zones.
const ABBREVIATIONS: [&str; 14] = ["CEST", "BST", "IST", "JST", "KST", "PST", "PDT", "MDT", "CST", "CDT", "EDT", "AEST", "AEDT", "MSK"];

fn check(context: &mut Context<'_, '_>) {
    for job in context.index.of_kind("CronJob").to_vec() {
        let root = Field::root(&job.root);
        let Some(spec) = root.get("spec") else { continue };
        match spec.get("schedule") {
            None => context.missing(job, &spec, "schedule", "no schedule"),
            Some(field) => {
                if let Some(fault) = field.str().map_or_else(|| Some("it is no text".to_owned()), fault) {
                    context.wrong(job, &field, format!("schedule {}: {fault}", field.node));
                }
            }
        }
        if let Some(field) = spec.get("timeZone") {
            let text = field.str().unwrap_or_default();
            if text.is_empty() || text.eq_ignore_ascii_case("local") || text.contains(' ') || ABBREVIATIONS.contains(&text) {
                context.wrong(job, &field, format!("time zone {} is not the name of one, such as Europe/Berlin", field.node));
            }
        }
    }
}
