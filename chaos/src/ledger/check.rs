//! The judgement over a ledger and the final read. Pure.

use super::{Entry, Outcome};
use std::collections::{BTreeMap, BTreeSet};

/// All that is known of one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// When it was sent, in ms.
    pub invoked_ms: u64,
    /// What came of it; Invoke while nothing came.
    pub outcome: Outcome,
    /// When that was known, in ms.
    pub known_ms: u64,
}

/// Writes by key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The writes.
    pub writes: BTreeMap<String, Write>,
}

impl History {
    /// Reads entries in their order. A second outcome of a write is a fault of the ledger and changes nothing.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut writes: BTreeMap<String, Write> = BTreeMap::new();
        for entry in entries {
            let fresh = Write { invoked_ms: entry.at_ms, outcome: Outcome::Invoke, known_ms: entry.at_ms };
            let write = writes.entry(entry.id.clone()).or_insert(fresh);
            if entry.outcome != Outcome::Invoke && write.outcome == Outcome::Invoke {
                (write.outcome, write.known_ms) = (entry.outcome, entry.at_ms);
            }
        }
        History { writes }
    }

    /// Keys that were acknowledged no later than `ms`.
    pub fn acknowledged_by(&self, ms: u64) -> BTreeSet<&str> {
        let acked = self.writes.iter().filter(|(_, w)| w.outcome == Outcome::Ok && w.known_ms <= ms);
        acked.map(|(id, _)| id.as_str()).collect()
    }

    /// Keys that were sent no later than `ms`.
    pub fn attempted_by(&self, ms: u64) -> BTreeSet<&str> {
        self.writes.iter().filter(|(_, w)| w.invoked_ms <= ms).map(|(id, _)| id.as_str()).collect()
    }

    /// How many writes have an outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.writes.values().filter(|w| w.outcome == outcome).count()
    }

    /// The longest time without an acknowledgement, in ms, from the last one before `from_ms` to the end of the writing. None
    /// when nothing was acknowledged at all.
    pub fn longest_gap(&self, from_ms: u64) -> Option<u64> {
        let mut acked: Vec<u64> = self.writes.values().filter(|w| w.outcome == Outcome::Ok).map(|w| w.known_ms).collect();
        acked.sort_unstable();
        let start = acked.iter().rev().find(|ms| **ms <= from_ms).or(acked.first()).copied()?;
        let end = self.writes.values().map(|w| w.invoked_ms).max().unwrap_or(start);
        let points: Vec<u64> = std::iter::once(start).chain(acked.into_iter().filter(|ms| *ms > start)).chain([end]).collect();
        points.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max()
    }

    /// When the newest acknowledged write that `holds` accepts was acknowledged, in ms, no later than `by_ms`.
    pub fn newest_acknowledged(&self, by_ms: u64, holds: impl Fn(&str) -> bool) -> Option<u64> {
        let acked = self.writes.iter().filter(|(id, w)| w.outcome == Outcome::Ok && w.known_ms <= by_ms && holds(id));
        acked.map(|(_, w)| w.known_ms).max()
    }
}

/// Where a history and the final read differ. Keys, sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// Acknowledged, and not there: data loss.
    pub lost: Vec<String>,
    /// There, and never sent.
    pub unexpected: Vec<String>,
    /// There, though refused: the refusal was wrong.
    pub refused_but_there: Vec<String>,
    /// There, though not acknowledged. Allowed.
    pub recovered: Vec<String>,
}

impl Findings {
    /// Nothing is lost, and nothing is there that must not be.
    pub fn holds(&self) -> bool {
        self.lost.is_empty() && self.unexpected.is_empty() && self.refused_but_there.is_empty()
    }
}

/// Compares a history with the keys that the store holds at the end.
pub fn compare(history: &History, found: &BTreeSet<String>) -> Findings {
    let mut findings = Findings::default();
    for (id, write) in &history.writes {
        match (write.outcome, found.contains(id)) {
            (Outcome::Ok, false) => findings.lost.push(id.clone()),
            (Outcome::Fail, true) => findings.refused_but_there.push(id.clone()),
            (Outcome::Info | Outcome::Invoke, true) => findings.recovered.push(id.clone()),
            _ => {}
        }
    }
    findings.unexpected = found.iter().filter(|id| !history.writes.contains_key(*id)).cloned().collect();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(at_ms: u64, id: &str, outcome: Outcome) -> Entry {
        Entry { at_ms, id: id.into(), outcome, detail: String::new() }
    }

    fn found(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|s| (*s).to_owned()).collect()
    }

    fn history() -> History {
        use Outcome::{Fail, Info, Invoke, Ok};
        let lines = [("a", Ok), ("b", Fail), ("c", Info)];
        let entries: Vec<_> = lines.iter().flat_map(|(id, o)| [entry(1, id, Invoke), entry(5, id, *o)]).collect();
        History::of(entries.iter().chain([&entry(7, "d", Invoke)]))
    }

    #[test]
    fn each_set_has_its_case() {
        assert!(compare(&history(), &found(&["a"])).holds());
        assert_eq!(compare(&history(), &found(&[])).lost, ["a"]);
        assert_eq!(compare(&history(), &found(&["a", "b"])).refused_but_there, ["b"]);
        assert_eq!(compare(&history(), &found(&["a", "x"])).unexpected, ["x"]);
        let late = compare(&history(), &found(&["a", "c", "d"]));
        assert_eq!((late.recovered.clone(), late.holds()), (vec!["c".to_owned(), "d".to_owned()], true));
    }

    #[test]
    fn time_bounds_are_kept() {
        let h = history();
        assert_eq!(h.acknowledged_by(4), BTreeSet::new());
        assert_eq!(h.acknowledged_by(5), BTreeSet::from(["a"]));
        assert_eq!(h.attempted_by(6).len(), 3);
        assert_eq!(h.newest_acknowledged(9, |_| true), Some(5));
        assert_eq!(h.newest_acknowledged(9, |id| id != "a"), None);
    }

    #[test]
    fn the_longest_gap_is_from_the_last_write_before_to_the_end_of_writing() {
        let acked = |times: &[u64], tried: u64| {
            let lines = times.iter().flat_map(|t| [entry(t - 1, &format!("k{t}"), Outcome::Invoke), entry(*t, &format!("k{t}"), Outcome::Ok)]);
            History::of(&lines.chain([entry(tried, "last", Outcome::Invoke)]).collect::<Vec<_>>())
        };
        let history = acked(&[100, 5_000, 6_000, 9_000], 9_500);
        assert_eq!(history.longest_gap(5_500), Some(3_000), "what was before the fault does not count");
        assert_eq!(history.longest_gap(7_000), Some(3_000), "the gap that the fault falls into counts whole");
        assert_eq!(history.longest_gap(0), Some(4_900));
        assert_eq!(acked(&[100], 60_000).longest_gap(200), Some(59_900), "writes that never came back are a gap");
        assert_eq!(History::default().longest_gap(0), None);
    }

    #[test]
    fn the_first_outcome_stays() {
        let lines = [entry(1, "a", Outcome::Invoke), entry(2, "a", Outcome::Info), entry(3, "a", Outcome::Ok)];
        assert_eq!(History::of(&lines).writes["a"].outcome, Outcome::Info);
    }

    fn outcome() -> impl Strategy<Value = Outcome> {
        prop_oneof![Just(Outcome::Invoke), Just(Outcome::Ok), Just(Outcome::Fail), Just(Outcome::Info)]
    }

    proptest! {
        /// Against the definitions, written as set algebra.
        #[test]
        fn findings_are_the_set_algebra(outcomes in prop::collection::vec((outcome(), any::<bool>()), 0..40), strangers in 0usize..3) {
            let mut entries = Vec::new();
            let mut there = BTreeSet::new();
            let of = |o: Outcome| outcomes.iter().enumerate().filter(|(_, (x, _))| *x == o).map(|(i, _)| format!("k{i:03}")).collect::<BTreeSet<_>>();
            let (ok, fail) = (of(Outcome::Ok), of(Outcome::Fail));
            for (i, (outcome, present)) in outcomes.iter().enumerate() {
                entries.push(entry(i as u64, &format!("k{i:03}"), Outcome::Invoke));
                entries.push(entry(i as u64 + 1, &format!("k{i:03}"), *outcome));
                if *present { there.insert(format!("k{i:03}")); }
            }
            for i in 0..strangers { there.insert(format!("s{i}")); }
            let findings = compare(&History::of(&entries), &there);
            prop_assert_eq!(&findings.lost, &ok.difference(&there).cloned().collect::<Vec<_>>());
            prop_assert_eq!(&findings.refused_but_there, &fail.intersection(&there).cloned().collect::<Vec<_>>());
            prop_assert_eq!(findings.unexpected.len(), strangers);
            let known: BTreeSet<_> = ok.union(&fail).cloned().collect();
            let open = there.iter().filter(|k| k.starts_with('k') && !known.contains(*k)).count();
            prop_assert_eq!(findings.recovered.len(), open);
        }
    }
}
