//! What one client saw of each channel: every number once and in order, or else what was wrong. Pure.

use serde::Serialize;
use std::collections::BTreeMap;

/// Gaps of a channel that are kept apart, and anomalies of a client that are told in full. Beyond them only counts are kept.
const KEPT: usize = 100;

/// What the number of an event was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The next one, or the first of its channel.
    InOrder,
    /// Numbers before it are missing.
    Gap,
    /// One that was missing: it came late.
    Late,
    /// One that had come before.
    Repeated,
}

/// Numbers that are missing, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// First.
    pub from: u64,
    /// Last.
    pub to: u64,
    /// When it was noticed, on the run's clock in ms.
    pub at_ms: u64,
    /// True: it was there when the client had just come back, so a resume should have closed it.
    pub at_resume: bool,
}

/// An event that came twice or late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Oddity {
    /// Its channel.
    pub channel: String,
    /// Its number.
    pub seq: u64,
    /// When it came, on the run's clock in ms.
    pub at_ms: u64,
    /// The highest number that had come before.
    pub after: u64,
}

#[derive(Debug, Default)]
struct Channel {
    last: u64,
    /// True: no event of it came on this connection yet.
    fresh: bool,
    gaps: Vec<Gap>,
}

/// The channels of one client, over all its connections.
#[derive(Debug, Default)]
pub struct Ledger {
    channels: BTreeMap<String, Channel>,
    /// Events.
    pub events: u64,
    /// Events that came twice.
    pub repeated: u64,
    /// The first of them.
    pub repeats: Vec<Oddity>,
    /// Events that came late.
    pub late: u64,
    /// Of them, those that closed a gap which was there when the client came back: replayed after live ones.
    pub late_after_resume: u64,
    /// The first that came late otherwise.
    pub lates: Vec<Oddity>,
    /// Missing numbers of gaps that were too many to keep apart.
    forgotten: u64,
}

impl Ledger {
    /// A new connection begins.
    pub fn connected(&mut self) {
        self.channels.values_mut().for_each(|c| c.fresh = true);
    }

    /// Takes an event that came at `at_ms` on the run's clock.
    pub fn take(&mut self, channel: &str, seq: u64, at_ms: u64) -> Seen {
        self.events += 1;
        let Some(known) = self.channels.get_mut(channel) else {
            self.channels.insert(channel.to_owned(), Channel { last: seq, ..Channel::default() });
            return Seen::InOrder;
        };
        let at_resume = std::mem::take(&mut known.fresh);
        let after = known.last;
        if seq > after {
            known.last = seq;
            if seq == after + 1 {
                return Seen::InOrder;
            }
            let gap = Gap { from: after + 1, to: seq - 1, at_ms, at_resume };
            if known.gaps.len() < KEPT { known.gaps.push(gap) } else { self.forgotten += gap.to - gap.from + 1 }
            return Seen::Gap;
        }
        let odd = || Oddity { channel: channel.to_owned(), seq, at_ms, after };
        let Some(index) = known.gaps.iter().position(|g| (g.from..=g.to).contains(&seq)) else {
            self.repeated += 1;
            if self.repeats.len() < KEPT {
                self.repeats.push(odd());
            }
            return Seen::Repeated;
        };
        self.late += 1;
        let gap = known.gaps.swap_remove(index);
        if gap.at_resume {
            self.late_after_resume += 1;
        } else if self.lates.len() < KEPT {
            self.lates.push(odd());
        }
        let (before, behind) = (Gap { to: seq - 1, ..gap.clone() }, Gap { from: seq + 1, ..gap });
        known.gaps.extend([before, behind].into_iter().filter(|g| g.from <= g.to));
        Seen::Late
    }

    /// The last number of each channel: what a resume tells.
    pub fn positions(&self) -> BTreeMap<String, u64> {
        self.channels.iter().map(|(name, channel)| (name.clone(), channel.last)).collect()
    }

    /// Numbers that never came.
    pub fn lost(&self) -> u64 {
        self.gaps().map(|(_, g)| g.to - g.from + 1).sum::<u64>() + self.forgotten
    }

    /// Gaps that were never closed, by channel.
    pub fn gaps(&self) -> impl Iterator<Item = (&str, &Gap)> {
        self.channels.iter().flat_map(|(name, channel)| channel.gaps.iter().map(move |g| (name.as_str(), g)))
    }
}

#[cfg(test)]
mod tests {
    use super::Seen::*;
    use super::*;

    fn takes(ledger: &mut Ledger, channel: &str, numbers: &[u64]) -> Vec<Seen> {
        numbers.iter().map(|seq| ledger.take(channel, *seq, *seq * 10)).collect()
    }

    #[test]
    fn channels_begin_anywhere_and_count_by_one() {
        let mut ledger = Ledger::default();
        assert_eq!(takes(&mut ledger, "a", &[41, 42, 43]), [InOrder; 3]);
        assert_eq!(takes(&mut ledger, "b", &[1, 2]), [InOrder; 2]);
        assert_eq!((ledger.lost(), ledger.repeated, ledger.late, ledger.events), (0, 0, 0, 5));
        assert_eq!(ledger.positions(), BTreeMap::from([("a".to_owned(), 43), ("b".to_owned(), 2)]));
    }

    #[test]
    fn loss_repetition_and_reordering_are_told_apart() {
        let mut ledger = Ledger::default();
        assert_eq!(takes(&mut ledger, "a", &[1, 2, 6, 2, 4, 4, 7]), [InOrder, InOrder, Gap, Repeated, Late, Repeated, InOrder]);
        assert_eq!((ledger.lost(), ledger.repeated, ledger.late, ledger.late_after_resume), (2, 2, 1, 0));
        let gaps: Vec<_> = ledger.gaps().map(|(_, g)| (g.from, g.to, g.at_ms)).collect();
        assert_eq!(gaps, [(3, 3, 60), (5, 5, 60)]);
        assert_eq!(ledger.lates, [Oddity { channel: "a".into(), seq: 4, at_ms: 40, after: 6 }]);
        takes(&mut ledger, "a", &[3, 5]);
        assert_eq!((ledger.lost(), ledger.late), (0, 3));
    }

    #[test]
    fn a_resume_closes_a_gap_in_order_or_after_a_live_event() {
        let mut ledger = Ledger::default();
        takes(&mut ledger, "a", &[1, 2]);
        ledger.connected();
        assert_eq!(takes(&mut ledger, "a", &[3, 4, 5]), [InOrder; 3]);
        ledger.connected();
        takes(&mut ledger, "a", &[9, 6, 7]);
        assert_eq!((ledger.lost(), ledger.late, ledger.late_after_resume, ledger.lates.len()), (1, 2, 2, 0));
        assert!(ledger.gaps().all(|(_, g)| g.at_resume && g.from == 8));
    }

    #[test]
    fn memory_is_bounded_and_nothing_is_uncounted() {
        let mut ledger = Ledger::default();
        let every_third: Vec<u64> = (0..1000).map(|i| i * 3).collect();
        takes(&mut ledger, "a", &every_third);
        assert_eq!((ledger.lost(), ledger.gaps().count()), (999 * 2, KEPT));
        takes(&mut ledger, "a", &[2997; 500]);
        assert_eq!((ledger.repeated, ledger.repeats.len()), (500, KEPT));
    }
}
