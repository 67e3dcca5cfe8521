//! Waivers: findings that a person accepted, with a reason, an owner and a last day.

use crate::registry;
use crate::set::PolicySet;
use gauntlet_fixtures::platform::Waiver;
use gauntlet_reports::finding::{Finding, Location, Severity};

/// The id of findings about waivers themselves. They cannot be waived.
const ID: &str = "WAV001";

/// Marks what valid waivers cover and adds a finding for every waiver that is of no use.
pub(crate) fn apply(waivers: &[Waiver], set: &PolicySet, today: &str, findings: &mut Vec<Finding>) {
    let mut complaints = Vec::new();
    for (at, waiver) in waivers.iter().enumerate() {
        let complaint = |severity, message| complaint(at, waiver, severity, message);
        let Some((id, asked)) = known(&waiver.rule, set) else {
            complaints.push(complaint(Severity::Error, format!("there is no rule {}", waiver.rule)));
            continue;
        };
        // Dates of this form compare as text.
        let expired = waiver.expires.as_str() < today;
        let mut covered = 0;
        for finding in findings.iter_mut().filter(|finding| finding.rule == id && covers(waiver, finding)) {
            covered += 1;
            if !expired {
                finding.waived = Some(format!("{} ({}, until {})", waiver.reason, waiver.owner, waiver.expires));
            }
        }
        let name = format!("the waiver of {id} for {}", waiver.resource);
        if expired {
            let message = format!("{name} expired on {}; it covered {covered} finding(s)", waiver.expires);
            complaints.push(complaint(Severity::Error, message));
        } else if covered == 0 && asked {
            complaints.push(complaint(Severity::Warning, format!("{name} covers no finding: remove it")));
        }
    }
    findings.extend(complaints);
}

/// The id of a rule that a waiver names, and whether the set asks it. The sets that ship know each other's rules: a platform's
/// waivers also stand where another set is asked.
fn known(name: &str, set: &PolicySet) -> Option<(String, bool)> {
    if let Some(rule) = registry::find(name) {
        return Some((rule.id.to_owned(), set.severity(rule).is_some()));
    }
    if let Some(custom) = set.find_custom(name) {
        return Some((custom.id.clone(), true));
    }
    let shipped = PolicySet::names().filter_map(PolicySet::named).find_map(|other| other.find_custom(name).map(|custom| custom.id.clone()));
    shipped.map(|id| (id, false))
}

/// The resource of a finding is `Kind namespace/name`; a waiver names `Kind/name`.
fn covers(waiver: &Waiver, finding: &Finding) -> bool {
    let Some((kind, name)) = waiver.resource.split_once('/') else { return false };
    let Some((found_kind, found)) = finding.resource.split_once(' ') else { return false };
    let found_name = found.rsplit('/').next().unwrap_or(found);
    kind == found_kind && (name == "*" || name == found_name)
}

fn complaint(at: usize, waiver: &Waiver, severity: Severity, message: String) -> Finding {
    Finding {
        rule: ID.to_owned(),
        name: "waiver".to_owned(),
        severity,
        // The caller that read platform.yaml knows the exact place of the field.
        location: Location { file: gauntlet_fixtures::platform::load::FILE_NAME.to_owned(), line: 1, column: 1 },
        field: format!("waivers[{at}]"),
        resource: waiver.resource.clone(),
        message,
        why: "A waiver that nobody needs or renews hides the next finding.".to_owned(),
        fix: "Mend what it covered, renew it with a reason, or remove it.".to_owned(),
        waived: None,
        automatic: None,
    }
}
