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
//! ## Automatic fix
//! Moves a time zone from the schedule into `timeZone` (from Kubernetes 1.25 on), and writes 0 for a day of the week 7.
//!
//! ## Example
//! ```yaml
//! kind: CronJob
//! spec: {schedule: "0 0 31 4 *"} # reported: April has 30 days
//! ```

use crate::fix::{replace, set};
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
                    fix(context, &spec, &field);
                }
            }
        }
        if let Some(field) = spec.get("timeZone") {
            let text = field.str().unwrap_or_default();
            if !is_zone(text) {
                context.wrong(job, &field, format!("time zone {} is not the name of one, such as Europe/Berlin", field.node));
            }
        }
    }
}

fn is_zone(text: &str) -> bool {
    !(text.is_empty() || text.eq_ignore_ascii_case("local") || text.contains(' ') || ABBREVIATIONS.contains(&text))
}

/// What is certainly meant by a schedule that the API server refuses.
fn fix(context: &mut Context<'_, '_>, spec: &Field<'_>, field: &Field<'_>) {
    let text = field.str().unwrap_or_default().trim();
    let zoned = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ=")).and_then(|rest| rest.split_once(' '));
    if let Some((zone, schedule)) = zoned {
        let schedule = schedule.trim();
        if context.kubernetes.is_at_least(25) && is_zone(zone) && fault(schedule).is_none() && spec.node.get("timeZone").is_none() {
            let edits = [replace(field, schedule), set(spec, &["timeZone"], zone)];
            context.fix("The same zone and the same hours, where Kubernetes looks for them.", edits);
        }
    } else if let Some(days) = text.strip_suffix(" 7") {
        let sunday = format!("{days} 0");
        if fault(&sunday).is_none() {
            context.fix("7 is Sunday in other programs; the API server refuses it.", [replace(field, sunday)]);
        }
    }
}
