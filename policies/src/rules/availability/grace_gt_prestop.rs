//! The grace period is longer than the pause before the stop.
//!
//! ## What it does
//! Reports `preStop` hooks that sleep as long as the pod's `terminationGracePeriodSeconds` (30 when unset) or longer.
//! Sleeps are those of the `sleep` action and of commands such as `sh -c "sleep 20 && nginx -s quit"`.
//!
//! ## Why it matters
//! The grace period starts with the hook. When the hook uses it up, the program is killed two seconds after it is told
//! to stop: requests in flight are lost, and stores are not closed.
//!
//! ## How to mend it
//! Set the grace period to the pause, plus the longest request, plus some air.
//!
//! ## Example
//! ```yaml
//! terminationGracePeriodSeconds: 30
//! containers: [{lifecycle: {preStop: {sleep: {seconds: 30}}}}] # reported
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "AVL019", name: "grace-gt-prestop", parameters: &[], source: include_str!("grace_gt_prestop.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        let grace = workload.pod.i64_at("terminationGracePeriodSeconds").unwrap_or(30);
        for container in workload.running_containers() {
            let Some(hook) = container.field.at("lifecycle.preStop") else { continue };
            let Some((pause, field)) = pause(&hook) else { continue };
            if pause >= grace {
                let message = format!("container {} pauses {pause} s of the pod's {grace} s of grace: it has no time left to stop", container.name);
                context.wrong(workload.object, &field, message);
            }
        }
    }
}

/// How long a hook certainly sleeps.
fn pause<'a>(hook: &Field<'a>) -> Option<(i64, Field<'a>)> {
    if let Some(field) = hook.at("sleep.seconds") {
        return Some((field.node.as_i64()?, field));
    }
    let command = hook.at("exec.command")?;
    let text: Vec<&str> = command.items().iter().filter_map(Field::str).collect();
    // A sleep in a loop or under a condition lasts as long as it does: its own number is the least.
    let between = |c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')');
    let words: Vec<&str> = text.iter().flat_map(|part| part.split(between)).filter(|word| !word.is_empty()).collect();
    let sleeps = words.windows(2).filter(|pair| pair[0] == "sleep" || pair[0].ends_with("/sleep")).filter_map(|pair| seconds(pair[1]));
    let sum = sleeps.fold(0_i64, i64::saturating_add);
    (sum > 0).then_some((sum, command))
}

fn seconds(text: &str) -> Option<i64> {
    let (number, factor) = match text.as_bytes().last()? {
        b's' => (&text[..text.len() - 1], 1),
        b'm' => (&text[..text.len() - 1], 60),
        b'h' => (&text[..text.len() - 1], 3600),
        _ => (text, 1),
    };
    let whole = number.split_once('.').map_or(number, |(whole, _)| whole);
    whole.parse::<i64>().ok()?.checked_mul(factor)
}
