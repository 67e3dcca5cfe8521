//! Asks the rules of a set and puts their answers into the words of the report.

use crate::custom::Judge;
use crate::index::Index;
use crate::parallel;
use crate::registry;
use crate::rule::{Context, Hit, Rule};
use crate::set::PolicySet;
use crate::waiver;
use gauntlet_fixtures::manifest::Object;
use gauntlet_fixtures::platform::Waiver;
use gauntlet_reports::finding::{Finding, Severity};
use std::sync::OnceLock;

/// More objects than these are worth a thread: below, all rules take a few milliseconds.
const MANY: usize = 300;

/// Judges objects that are deployed together. Findings come in the order of files, lines and columns.
///
/// A waiver that is valid on `today` (`YYYY-MM-DD`) marks what it covers; an expired one, one that covers nothing and
/// one for a rule that does not exist are findings themselves.
pub fn check(objects: &[Object], set: &PolicySet, waivers: &[Waiver], today: &str) -> Vec<Finding> {
    let index = Index::new(objects);
    let mut findings = Vec::new();
    for (rule, severity, hits) in hits(&index, set) {
        // The manual page is read once for all findings of a rule.
        let (why, fix) = (rule.section("Why it matters"), rule.section("How to mend it"));
        let told = Told { id: rule.id, name: rule.name, severity, why: &why, fix: &fix };
        findings.extend(hits.into_iter().map(|hit| told.of(hit)));
    }
    if !set.custom().is_empty() {
        let judge = Judge::new();
        for custom in set.custom() {
            let told = Told { id: &custom.id, name: &custom.name, severity: custom.severity, why: &custom.why, fix: &custom.fix };
            findings.extend(judge.hits(custom, &index).into_iter().map(|hit| told.of(hit)));
        }
    }
    waiver::apply(waivers, set, today, &mut findings);
    findings.sort_by(|a, b| (&a.location, &a.rule, &a.field).cmp(&(&b.location, &b.rule, &b.field)));
    findings
}

/// Every breach of a set's rules, by rule.
pub(crate) fn hits<'a>(index: &Index<'a>, set: &PolicySet) -> Vec<(&'static Rule, Severity, Vec<Hit<'a>>)> {
    let schema = OnceLock::new();
    let asked: Vec<_> = registry::RULES.iter().filter_map(|rule| Some((*rule, set.setting(rule)?))).collect();
    let answers = parallel::map(&asked, index.objects().len() > MANY, |(rule, setting)| {
        let (kubernetes, definitions, parameters) = (set.kubernetes, set.definitions.as_slice(), &setting.parameters);
        let mut context = Context { index, kubernetes, definitions, schema: &schema, rule, parameters, hits: Vec::new() };
        (rule.check)(&mut context);
        (*rule, setting.severity, context.hits)
    });
    answers.into_iter().filter(|(_, _, hits)| !hits.is_empty()).collect()
}

/// What all findings of a rule tell.
struct Told<'r> {
    id: &'r str,
    name: &'r str,
    severity: Severity,
    why: &'r str,
    fix: &'r str,
}

impl Told<'_> {
    fn of(&self, hit: Hit<'_>) -> Finding {
        Finding {
            rule: self.id.to_owned(),
            name: self.name.to_owned(),
            severity: self.severity,
            location: hit.source.location(),
            field: hit.field,
            resource: hit.object.display_name(),
            message: hit.message,
            why: self.why.to_owned(),
            fix: self.fix.to_owned(),
            waived: None,
            automatic: hit.automatic,
        }
    }
}
