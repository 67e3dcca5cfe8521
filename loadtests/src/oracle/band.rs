//! What an observer can know: the decision must lie in a band. When nothing is uncertain the band is one number.

use super::behavior::{Behavior, limited, stabilized};
use std::ops::RangeInclusive;

/// An unstabilized proposal and how long the controller repeated it, in ms on the run's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recommendation {
    /// When it was first seen.
    pub from_ms: u64,
    /// When something else was first seen; the present for the last one.
    pub until_ms: u64,
    /// Lowest and highest that it can have been.
    pub low: i32,
    /// Highest that it can have been.
    pub high: i32,
}

/// Replicas that came (above 0) or went (below 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// When it was seen.
    pub at_ms: u64,
    /// How many.
    pub delta: i32,
}

/// What is known of the past.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// Nothing is known of recommendations before this time.
    pub known_since_ms: u64,
    /// Nothing is known of changes before this time; `None` when it is known that there was none.
    pub unknown_change_ms: Option<u64>,
    /// Recommendations, oldest first.
    pub recommendations: Vec<Recommendation>,
    /// Changes, oldest first.
    pub changes: Vec<Change>,
}

/// Everything that a decision depends on.
pub struct Decision<'a> {
    /// When it was seen, in ms on the run's clock.
    pub now_ms: u64,
    /// How far times may be off, in ms: the sync period and the watch's delay.
    pub slack_ms: u64,
    /// The replicas it went by.
    pub current: i32,
    /// The proposals that the metrics allow.
    pub proposal: RangeInclusive<i32>,
    /// `minReplicas` and `maxReplicas`.
    pub bounds: (i32, i32),
    /// The rules.
    pub behavior: &'a Behavior,
    /// What is known of the past.
    pub past: &'a Past,
}

impl Decision<'_> {
    /// The decisions that are right. Every rule is monotone, so the ends of the inputs give the ends of the band.
    pub fn band(&self) -> RangeInclusive<i32> {
        let (min, max) = self.bounds;
        if self.current > max {
            return max..=max;
        }
        if self.current < min {
            return min..=min;
        }
        let (up, down) = (self.lowest_of_up_window(), self.highest_of_down_window());
        let (up_limit, down_limit) = (self.up_limits(), self.down_limits());
        let decide = |up, down, up_limit, down_limit| {
            limited(self.current, stabilized(self.current, up, down), up_limit, down_limit, self.bounds)
        };
        let low = decide(*up.start(), *down.start(), *up_limit.start(), *down_limit.start());
        let mut high = decide(*up.end(), *down.end(), *up_limit.end(), *down_limit.end());
        if self.behavior.absent {
            // The old rule takes the highest of the window, even where that is above the present replicas.
            high = high.max(limited(self.current, *down.end(), *up_limit.end(), *down_limit.end(), self.bounds));
        }
        low..=high.max(low)
    }

    /// Recommendations that may lie in a window, each with whether it certainly does.
    fn in_window(&self, window_ms: u64) -> impl Iterator<Item = (&Recommendation, bool)> {
        let cutoff = self.now_ms.saturating_sub(window_ms);
        let maybe = move |r: &&Recommendation| r.until_ms + self.slack_ms > cutoff && window_ms > 0;
        let certain = move |r: &Recommendation| r.until_ms > cutoff + 2 * self.slack_ms;
        self.past.recommendations.iter().filter(maybe).map(move |r| (r, certain(r)))
    }

    fn blind(&self, window_ms: u64) -> bool {
        window_ms > 0 && self.now_ms.saturating_sub(window_ms) < self.past.known_since_ms
    }

    fn lowest_of_up_window(&self) -> RangeInclusive<i32> {
        let window = self.behavior.up.window_ms;
        let (mut low, mut high) = (*self.proposal.start(), *self.proposal.end());
        for (r, certain) in self.in_window(window) {
            low = low.min(r.low);
            high = if certain { high.min(r.high) } else { high };
        }
        (if self.blind(window) { 0 } else { low })..=high
    }

    fn highest_of_down_window(&self) -> RangeInclusive<i32> {
        let window = self.behavior.down.window_ms;
        let (mut low, mut high) = (*self.proposal.start(), *self.proposal.end());
        for (r, certain) in self.in_window(window) {
            low = if certain { low.max(r.low) } else { low };
            high = high.max(r.high);
        }
        low..=(if self.blind(window) { i32::MAX } else { high })
    }

    /// Replicas that came or went within a period: fewest and most.
    fn changed(&self, period_ms: u64, up: bool) -> (i32, i32) {
        let cutoff = self.now_ms.saturating_sub(period_ms);
        let (mut fewest, mut most) = (0, 0);
        for change in self.past.changes.iter().filter(|c| (c.delta > 0) == up) {
            let amount = change.delta.abs();
            fewest += if change.at_ms > cutoff + self.slack_ms { amount } else { 0 };
            most += if change.at_ms + self.slack_ms > cutoff { amount } else { 0 };
        }
        let unknown = self.past.unknown_change_ms.is_some_and(|at| at + self.slack_ms > cutoff);
        (fewest, if unknown { most + self.bounds.1 } else { most })
    }

    fn up_limits(&self) -> RangeInclusive<i32> {
        let added = |p| self.changed(p, true);
        let removed = |p| self.changed(p, false);
        let low = self.behavior.up_limit(self.current, |p| added(p).1, |p| removed(p).0);
        let high = self.behavior.up_limit(self.current, |p| added(p).0, |p| removed(p).1);
        low..=high
    }

    fn down_limits(&self) -> RangeInclusive<i32> {
        let added = |p| self.changed(p, true);
        let removed = |p| self.changed(p, false);
        let low = self.behavior.down_limit(self.current, |p| added(p).1, |p| removed(p).0);
        let high = self.behavior.down_limit(self.current, |p| added(p).0, |p| removed(p).1);
        low..=high
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn behavior(up_window_ms: u64, down_window_ms: u64) -> Behavior {
        let mut behavior = Behavior::standard(down_window_ms, 0.1);
        behavior.up.window_ms = up_window_ms;
        behavior
    }

    fn band(behavior: &Behavior, past: &Past, current: i32, proposal: RangeInclusive<i32>) -> RangeInclusive<i32> {
        Decision { now_ms: 600_000, slack_ms: 5_000, current, proposal, bounds: (3, 20), behavior, past }.band()
    }

    fn recommended(from_ms: u64, until_ms: u64, replicas: i32) -> Recommendation {
        Recommendation { from_ms, until_ms, low: replicas, high: replicas }
    }

    #[rstest]
    #[case::up(3, 6, 6..=6)]
    #[case::limited_by_four_pods(3, 15, 7..=7)]
    #[case::limited_by_doubling(8, 19, 16..=16)]
    #[case::clamped_at_max(15, 40, 20..=20)]
    #[case::clamped_at_min(8, 1, 3..=3)]
    #[case::no_change(5, 5, 5..=5)]
    fn without_uncertainty_the_band_is_one_number(#[case] current: i32, #[case] proposal: i32, #[case] expected: RangeInclusive<i32>) {
        assert_eq!(band(&behavior(0, 0), &Past::default(), current, proposal..=proposal), expected);
    }

    #[test]
    fn the_scale_down_window_holds_its_highest() {
        let past = Past { recommendations: vec![recommended(300_000, 560_000, 9), recommended(560_000, 600_000, 4)], ..Past::default() };
        // 60 s ago it was still 9: a window of two minutes keeps 9, one of 20 s lets go to 4.
        assert_eq!(band(&behavior(0, 120_000), &past, 10, 2..=2), 9..=9);
        assert_eq!(band(&behavior(0, 20_000), &past, 10, 2..=2), 4..=4);
        // At the edge either is right.
        assert_eq!(band(&behavior(0, 42_000), &past, 10, 2..=2), 4..=9);
    }

    #[test]
    fn the_scale_up_window_holds_its_lowest() {
        let past = Past { recommendations: vec![recommended(560_000, 600_000, 4)], ..Past::default() };
        assert_eq!(band(&behavior(30_000, 0), &past, 3, 8..=8), 4..=4);
    }

    #[test]
    fn an_unknown_past_widens_the_band_but_never_beyond_reason() {
        let past = Past { known_since_ms: 590_000, ..Past::default() };
        // It may have to stay because of what was before, but it may not go up.
        assert_eq!(band(&behavior(0, 300_000), &past, 10, 2..=2), 3..=10);
    }

    #[test]
    fn changes_in_the_period_use_up_the_policy() {
        let past = Past { changes: vec![Change { at_ms: 598_000, delta: 4 }], ..Past::default() };
        assert_eq!(band(&behavior(0, 0), &past, 7, 20..=20), 7..=7, "3 + max(4, 100 %) = 7");
        let edge = Past { changes: vec![Change { at_ms: 585_000, delta: 4 }], ..Past::default() };
        assert_eq!(band(&behavior(0, 0), &edge, 7, 20..=20), 7..=14, "the period may just be over");
    }

    #[test]
    fn outside_of_its_bounds_it_comes_back_first() {
        assert_eq!(band(&behavior(0, 0), &Past::default(), 30, 30..=30), 20..=20);
        assert_eq!(band(&behavior(0, 0), &Past::default(), 1, 1..=1), 3..=3);
    }
}
