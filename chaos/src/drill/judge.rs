//! From what a drill observed to its assertions. Pure.

use super::content::Differences;
use crate::ledger::check::History;
use crate::store::{Damage, MustShow, Words};
use gauntlet_fixtures::platform::Store;
use gauntlet_reports::run::Assertion;
use gauntlet_reports::verdict::Verdict;
use std::collections::BTreeSet;

/// When the backup ran, on the run's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupTime {
    /// Its start, in ms.
    pub started_ms: u64,
    /// Its end, in ms: the moment from which the source counts as lost.
    pub ended_ms: u64,
}

fn list(items: &[String]) -> String {
    let more = items.len().saturating_sub(5);
    let shown = items.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// It does not apply, and why.
pub fn not_applicable(id: impl Into<String>, expected: impl Into<String>, reason: impl Into<String>) -> Assertion {
    Assertion { verdict: Verdict::NotApplicable, ..Assertion::inconclusive(id, expected, reason) }
}

/// Every collection that the source had through the backup is in the backup (where that can be told) and in the restored
/// store.
pub fn all_collections(words: Words, source: &BTreeSet<String>, dumped: Option<&BTreeSet<String>>, restored: &BTreeSet<String>) -> Assertion {
    let name = words.collection;
    let expected = match dumped {
        Some(_) => format!("{} {name}s in the backup and after the restore", source.len()),
        None => format!("{} {name}s after the restore", source.len()),
    };
    let missing = |there: &BTreeSet<String>| source.difference(there).cloned().collect::<Vec<_>>();
    let (not_dumped, not_restored) = (dumped.map(missing).unwrap_or_default(), missing(restored));
    let in_backup = dumped.map_or(String::new(), |d| format!("{} in the backup, ", d.len()));
    let measured = format!("{in_backup}{} restored", restored.len());
    let reason = if not_dumped.is_empty() {
        format!("the restored store does not hold {}", list(&not_restored))
    } else {
        format!("the backup misses {}", list(&not_dumped))
    };
    Assertion::check("drill.all_collections", not_dumped.is_empty() && not_restored.is_empty(), expected, measured, reason)
}

/// Count and hash.
pub fn content(words: Words, found: &Differences) -> Assertion {
    let as_it_stood = found.expected.describe(words);
    let expected = format!("{as_it_stood}, as they stood through the backup, and no {} that the source never had", words.record);
    Assertion::check("drill.content", found.none(), expected, found.restored.describe(words), found.describe(words))
}

/// A cache promises nothing about writes. Of any other store nothing is known without acknowledged ones.
fn without_ledger(id: &str, expected: String, store: &Store) -> Assertion {
    match store.options.get("role").map(String::as_str) {
        Some("cache") => not_applicable(id, expected, "platform.yaml declares it a cache: no write to it is acknowledged to a client"),
        _ => Assertion::inconclusive(id, expected, "platform.yaml has no ledger for this store"),
    }
}

/// Acknowledged before the start ⊆ restored ⊆ attempted by the end.
pub fn acknowledged(history: Option<&History>, time: BackupTime, restored: &BTreeSet<String>, store: &Store) -> Assertion {
    let id = "drill.acknowledged_restored";
    let expected = "every write acknowledged before the backup began is restored, and none that was sent after it ended";
    let Some(history) = history else {
        return without_ledger(id, expected.to_owned(), store);
    };
    let before = history.acknowledged_by(time.started_ms);
    if before.is_empty() {
        return Assertion::inconclusive(id, expected, "no write was acknowledged before the backup began");
    }
    let attempted = history.attempted_by(time.ended_ms);
    let lost: Vec<String> = before.iter().filter(|k| !restored.contains(**k)).map(|k| (*k).to_owned()).collect();
    let strange: Vec<String> = restored.iter().filter(|k| !attempted.contains(k.as_str())).cloned().collect();
    let measured = format!("{} acknowledged before, {} restored, {} attempted by the end", before.len(), restored.len(), attempted.len());
    let mut reasons = Vec::new();
    if !lost.is_empty() {
        reasons.push(format!("{} acknowledged writes are not restored: {}", lost.len(), list(&lost)));
    }
    if !strange.is_empty() {
        reasons.push(format!("{} writes are restored that were not sent by then: {}", strange.len(), list(&strange)));
    }
    Assertion::check(id, reasons.is_empty(), expected, measured, reasons.join("; "))
}

/// From the newest acknowledged write that was restored to the moment the source is lost.
pub fn rpo(history: Option<&History>, time: BackupTime, restored: &BTreeSet<String>, store: &Store) -> Assertion {
    let id = "drill.rpo";
    let expected = format!("at most {} s of acknowledged writes lost", store.rpo_seconds);
    let newest = history.and_then(|h| h.newest_acknowledged(time.ended_ms, |key| restored.contains(key)));
    match (history, newest) {
        (None, _) => without_ledger(id, expected, store),
        (Some(h), None) if h.acknowledged_by(time.ended_ms).is_empty() => Assertion::inconclusive(id, expected, "no write was acknowledged"),
        (Some(_), None) => Assertion::fail(id, expected, "all of them", "no acknowledged write was restored"),
        (Some(_), Some(at)) => {
            let lost_ms = time.ended_ms - at;
            let holds = lost_ms <= store.rpo_seconds * 1000;
            let measured = format!("{:.1} s", lost_ms as f64 / 1000.0);
            Assertion::check(id, holds, expected, measured, "the newest restored write is older than the objective allows")
        }
    }
}

/// From the start of the restore to the first correct read and write.
pub fn rto(took_ms: Result<u64, String>, store: &Store) -> Assertion {
    let expected = format!("the first correct read and write within {} s of the restore's start", store.rto_seconds);
    match took_ms {
        Ok(ms) => {
            let holds = ms <= store.rto_seconds * 1000;
            Assertion::check("drill.rto", holds, expected, format!("{:.1} s", ms as f64 / 1000.0), "it took longer than the RTO")
        }
        Err(why) => Assertion::fail("drill.rto", expected, "never", why),
    }
}

/// What came of restoring a damaged backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damaged {
    /// The restore command refused it, with this cause.
    Refused(String),
    /// The restore command accepted it; the comparison found this (empty: nothing).
    Accepted(String),
    /// It could not be tried.
    NotTried(String),
}

/// The id of a kind of damage, and what it is, for a person.
pub fn named(damage: Damage, words: Words) -> (&'static str, String) {
    match damage {
        Damage::Flipped => ("drill.corrupt_refused", format!("bits flipped inside a {}", words.record)),
        Damage::Truncated => ("drill.truncated_refused", "its end cut off".to_owned()),
        Damage::Emptied => ("drill.empty_refused", "empty files".to_owned()),
    }
}

/// A damaged backup must not pass for a good one: the restore refuses it or, where nothing in the backup could tell, the
/// comparison notices.
pub fn damaged(damage: Damage, words: Words, must: MustShow, came: &Damaged) -> Assertion {
    let (id, what) = named(damage, words);
    let expected = match must {
        MustShow::Refused => format!("a backup with {what} is refused"),
        MustShow::RefusedOrNoticed => format!("a backup with {what} is refused or noticed"),
    };
    match (came, must) {
        (Damaged::Refused(cause), _) => Assertion::pass(id, expected, format!("the restore refused it: {cause}")),
        (Damaged::Accepted(found), MustShow::RefusedOrNoticed) if !found.is_empty() => {
            Assertion::pass(id, expected, format!("the restore accepted it, and the comparison noticed: {found}"))
        }
        (Damaged::Accepted(found), MustShow::Refused) if !found.is_empty() => {
            Assertion::fail(id, expected, "restored with exit code 0", format!("the checksum of the backup was not heeded; {found}"))
        }
        (Damaged::Accepted(_), _) => Assertion::fail(id, expected, "restored as if it were whole", format!("nothing noticed {what}")),
        (Damaged::NotTried(why), _) => Assertion::inconclusive(id, expected, why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::content::Digest;
    use crate::ledger::{Entry, Outcome};
    use gauntlet_reports::verdict::Verdict::{Fail, Inconclusive, Pass};

    const WORDS: Words = Words { collection: "table", record: "row" };
    const TIME: BackupTime = BackupTime { started_ms: 100, ended_ms: 200 };

    fn set(keys: &[&str]) -> BTreeSet<String> {
        keys.iter().map(|k| (*k).to_owned()).collect()
    }

    /// `old` is acknowledged before the backup, `mid` during it, `new` sent after it.
    fn history() -> History {
        let line = |at_ms, id: &str, outcome| Entry { at_ms, id: id.into(), outcome, detail: String::new() };
        let lines = [("old", 50), ("mid", 150), ("new", 250)];
        let entries: Vec<_> = lines.iter().flat_map(|(k, t)| [line(t - 10, k, Outcome::Invoke), line(*t, k, Outcome::Ok)]).collect();
        History::of(&entries)
    }

    fn store() -> Store {
        let value = serde_json::json!({"name": "db", "engine": "mongodb", "statefulSet": "db", "port": 1, "secret": "s", "usernameKey": "u",
            "passwordKey": "p", "database": "d", "rpoSeconds": 0, "rtoSeconds": 60, "backup": [], "restore": []});
        serde_json::from_value(value).expect("store")
    }

    #[test]
    fn a_collection_that_is_missed_is_named() {
        let (source, less) = (set(&["audit", "orders"]), set(&["orders"]));
        assert_eq!(all_collections(WORDS, &source, Some(&source), &source).verdict, Pass);
        assert_eq!(all_collections(WORDS, &source, Some(&less), &less).reason, "the backup misses audit");
        assert_eq!(all_collections(WORDS, &source, Some(&source), &less).reason, "the restored store does not hold audit");
        assert_eq!(all_collections(WORDS, &source, None, &less).verdict, Fail);
    }

    #[test]
    fn the_sandwich_of_acknowledged_and_attempted() {
        let judge = |keys: &[&str]| acknowledged(Some(&history()), TIME, &set(keys), &store()).verdict;
        assert_eq!((judge(&["old"]), judge(&["old", "mid"])), (Pass, Pass));
        assert_eq!((judge(&["mid"]), judge(&["old", "new"])), (Fail, Fail));
        assert_eq!(acknowledged(None, TIME, &set(&[]), &store()).verdict, Inconclusive);
        assert_eq!(acknowledged(Some(&History::default()), TIME, &set(&[]), &store()).verdict, Inconclusive);
        let cache = Store { options: [("role".to_owned(), "cache".to_owned())].into(), ..store() };
        assert_eq!(acknowledged(None, TIME, &set(&[]), &cache).verdict, Verdict::NotApplicable);
        assert_eq!(rpo(None, TIME, &set(&[]), &cache).verdict, Verdict::NotApplicable);
    }

    #[test]
    fn rpo_is_from_the_newest_restored_write_to_the_loss() {
        let judge = |keys: &[&str], seconds| rpo(Some(&history()), TIME, &set(keys), &Store { rpo_seconds: seconds, ..store() });
        assert_eq!(judge(&["old", "mid"], 1).measured, "0.1 s");
        assert_eq!(judge(&["old"], 0).verdict, Fail);
        assert_eq!(judge(&[], 60).verdict, Fail);
        assert_eq!(rpo(None, TIME, &set(&[]), &store()).verdict, Inconclusive);
    }

    #[test]
    fn rto_and_content() {
        assert_eq!(rto(Ok(60_000), &store()).verdict, Pass);
        assert_eq!(rto(Ok(60_001), &store()).verdict, Fail);
        assert_eq!(rto(Err("no read".into()), &store()).verdict, Fail);
        assert_eq!(content(WORDS, &Differences::default()).verdict, Pass);
        let off = Differences { restored: Digest { count: 1, hash: [0; 32] }, ..Default::default() };
        assert_eq!(content(WORDS, &off).verdict, Fail);
    }

    #[test]
    fn damage_that_nobody_notices_fails() {
        let judge = |must, came| damaged(Damage::Flipped, WORDS, must, &came).verdict;
        let lenient = MustShow::RefusedOrNoticed;
        assert_eq!(judge(lenient, Damaged::Refused("exit code 1".into())), Pass);
        assert_eq!(judge(lenient, Damaged::Accepted("1 row altered".into())), Pass);
        assert_eq!(judge(lenient, Damaged::Accepted(String::new())), Fail);
        assert_eq!(judge(lenient, Damaged::NotTried("no row".into())), Inconclusive);
        assert_eq!(judge(MustShow::Refused, Damaged::Refused("exit code 1".into())), Pass);
        assert_eq!(judge(MustShow::Refused, Damaged::Accepted("1 row altered".into())), Fail);
    }
}
