//! What a backup must bring back beside records: indexes, roles, sequences, TTLs, retention policies. And its comparison.

use gauntlet_reports::run::Assertion;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// How a restored item may differ from the source's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Not at all: it is as before or as after the backup.
    Equal,
    /// A number that may lie anywhere between before and after: a sequence goes on while it is backed up.
    Between,
    /// A number, give or take so much. Items that are gone or new are judged by the content.
    Near {
        /// How much.
        tolerance: u64,
    },
}

/// One kind of extra.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extra {
    /// The last part of the assertion's id, such as `indexes`.
    pub kind: Cow<'static, str>,
    /// What is expected, for a person.
    pub expected: Cow<'static, str>,
    /// How items compare.
    pub rule: Rule,
    /// Item to definition.
    pub items: BTreeMap<String, String>,
}

fn number(text: &str) -> Option<i128> {
    text.parse().ok()
}

/// One restored item against the source's before and after. None: it holds.
fn wrong(rule: Rule, before: Option<&String>, after: Option<&String>, now: &String) -> Option<String> {
    let known: Vec<&String> = before.into_iter().chain(after).collect();
    let numbers: Vec<i128> = known.iter().filter_map(|k| number(k)).collect();
    let holds = match (rule, number(now), numbers.iter().min(), numbers.iter().max()) {
        (Rule::Between, Some(n), Some(low), Some(high)) => (*low..=*high).contains(&n),
        (Rule::Near { tolerance }, Some(n), Some(low), Some(high)) => (*low - i128::from(tolerance)..=*high + i128::from(tolerance)).contains(&n),
        _ => known.contains(&now),
    };
    (!holds).then(|| format!("{} became {now}", known.first().map_or("nothing", |k| k.as_str())))
}

/// What is different, for a person. Empty: equal.
pub fn differences(before: &Extra, after: &Extra, restored: &Extra) -> Vec<String> {
    let mut all = Vec::new();
    let names: BTreeSet<&String> = before.items.keys().chain(after.items.keys()).chain(restored.items.keys()).collect();
    let by_content = matches!(before.rule, Rule::Near { .. });
    for name in names {
        let (was, is, now) = (before.items.get(name), after.items.get(name), restored.items.get(name));
        match (was, is, now) {
            (Some(_), Some(_), None) if !by_content => all.push(format!("{name} is missing")),
            (None, None, Some(_)) if !by_content => all.push(format!("{name} is new")),
            (None, None, _) | (_, _, None) => {}
            (was, is, Some(now)) => all.extend(wrong(before.rule, was, is, now).map(|what| format!("{name}: {what}"))),
        }
    }
    all
}

/// The verdict over one kind. `restored` is None when the restored store could not be asked for it.
pub fn judge(before: &Extra, after: &Extra, restored: Option<&Extra>) -> Assertion {
    let id = format!("drill.{}", before.kind);
    let Some(restored) = restored else {
        return Assertion::inconclusive(id, before.expected.as_ref(), "the restored store does not list them");
    };
    if before.items.is_empty() && after.items.is_empty() && restored.items.is_empty() {
        return super::judge::not_applicable(id, before.expected.as_ref(), "the source has none");
    }
    let different = differences(before, after, restored);
    let measured = format!("{} {} compared", before.items.len(), before.kind.replace('_', " "));
    let shown: Vec<_> = different.iter().take(5).cloned().collect();
    let more = different.len() - shown.len();
    let reason = if more == 0 { shown.join("; ") } else { format!("{}; and {more} more", shown.join("; ")) };
    Assertion::check(id, different.is_empty(), before.expected.as_ref(), measured, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gauntlet_reports::verdict::Verdict::{Fail, Inconclusive, NotApplicable, Pass};

    fn extra(rule: Rule, items: &[(&str, &str)]) -> Extra {
        let items = items.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Extra { kind: "things".into(), expected: "they return".into(), rule, items }
    }

    fn found(rule: Rule, before: &[(&str, &str)], after: &[(&str, &str)], restored: &[(&str, &str)]) -> Vec<String> {
        differences(&extra(rule, before), &extra(rule, after), &extra(rule, restored))
    }

    #[test]
    fn definitions_are_equal_or_named() {
        let was = [("a", "1"), ("b", "1")];
        assert_eq!(found(Rule::Equal, &was, &was, &was), [] as [String; 0]);
        assert_eq!(found(Rule::Equal, &was, &was, &[("a", "2"), ("c", "1")]), ["a: 1 became 2", "b is missing", "c is new"]);
        assert_eq!(found(Rule::Equal, &was, &[("a", "2"), ("b", "1")], &[("a", "2"), ("b", "1")]), [] as [String; 0]);
        assert_eq!(found(Rule::Equal, &was, &was[..1], &was[..1]), [] as [String; 0], "what went meanwhile may be gone");
    }

    #[test]
    fn a_sequence_is_between_its_two_ends() {
        let judge = |now| found(Rule::Between, &[("s", "10")], &[("s", "15")], &[("s", now)]).is_empty();
        assert_eq!((judge("10"), judge("12"), judge("15"), judge("9"), judge("16")), (true, true, true, false, false));
    }

    #[test]
    fn a_ttl_is_near_and_a_lost_one_is_not() {
        let near = Rule::Near { tolerance: 100 };
        let judge = |now: &[(&str, &str)]| found(near, &[("k", "5000")], &[("k", "5000")], now).is_empty();
        assert!(judge(&[("k", "5100")]) && !judge(&[("k", "5101")]));
        assert!(!judge(&[("k", "none")]), "a key that lost its TTL");
        assert!(judge(&[]), "a missing key is the content's business");
    }

    #[test]
    fn verdicts() {
        let (some, none) = (extra(Rule::Equal, &[("a", "1")]), extra(Rule::Equal, &[]));
        assert_eq!(judge(&some, &some, Some(&some)).verdict, Pass);
        assert_eq!(judge(&some, &some, Some(&none)).reason, "a is missing");
        assert_eq!(judge(&none, &none, Some(&some)).verdict, Fail);
        assert_eq!(judge(&none, &none, Some(&none)).verdict, NotApplicable);
        assert_eq!(judge(&some, &some, None).verdict, Inconclusive);
    }
}
