//! What `spec.behavior` makes of a proposal: stabilization windows, policies, bounds.

use serde::{Deserialize, Serialize};

/// How much may change in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Pods or percent.
    pub amount: Amount,
    /// Length of the period, in ms.
    pub period_ms: u64,
}

/// The amount of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// So many pods.
    Pods(i32),
    /// So many percent of the replicas at the start of the period.
    Percent(i32),
}

/// Which policy wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Select {
    /// The one that allows the greatest change.
    Max,
    /// The one that allows the smallest change.
    Min,
    /// None: no change in this direction.
    Disabled,
}

/// The rules of one direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// `stabilizationWindowSeconds`, in ms.
    pub window_ms: u64,
    /// `policies`.
    pub policies: Vec<Policy>,
    /// `selectPolicy`.
    pub select: Select,
    /// `tolerance`.
    pub tolerance: f64,
}

/// The rules of both directions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Behavior {
    /// Upwards.
    pub up: Rules,
    /// Downwards.
    pub down: Rules,
    /// True when the HPA has no `behavior` at all: the old limit of upward steps then holds, twice the replicas or 4.
    pub absent: bool,
}

impl Behavior {
    /// The documented defaults.
    pub fn standard(downscale_stabilization_ms: u64, tolerance: f64) -> Self {
        let policy = |amount| Policy { amount, period_ms: 15_000 };
        let rules = |window_ms, policies| Rules { window_ms, policies, select: Select::Max, tolerance };
        Behavior {
            up: rules(0, vec![policy(Amount::Pods(4)), policy(Amount::Percent(100))]),
            down: rules(downscale_stabilization_ms, vec![policy(Amount::Percent(100))]),
            absent: false,
        }
    }

    /// The most replicas that the policies allow now. `added` and `removed` give the replicas that came and went within
    /// the last milliseconds.
    pub fn up_limit(&self, current: i32, added: impl Fn(u64) -> i32, removed: impl Fn(u64) -> i32) -> i32 {
        if self.absent {
            return current.saturating_mul(2).max(4);
        }
        let allowed = self.up.policies.iter().map(|policy| {
            let start = current - added(policy.period_ms) + removed(policy.period_ms);
            match policy.amount {
                Amount::Pods(pods) => start.saturating_add(pods),
                // The percentage is rounded up.
                Amount::Percent(percent) => (f64::from(start) * (1.0 + f64::from(percent) / 100.0)).ceil() as i32,
            }
        });
        let limit = match self.up.select {
            Select::Disabled => Some(current),
            Select::Max => allowed.max(),
            Select::Min => allowed.min(),
        };
        limit.unwrap_or(current).max(current)
    }

    /// The fewest replicas that the policies allow now.
    pub fn down_limit(&self, current: i32, added: impl Fn(u64) -> i32, removed: impl Fn(u64) -> i32) -> i32 {
        if self.absent {
            return 0;
        }
        let allowed = self.down.policies.iter().map(|policy| {
            let start = current - added(policy.period_ms) + removed(policy.period_ms);
            match policy.amount {
                Amount::Pods(pods) => start.saturating_sub(pods),
                // What is left is cut off, so that 10 % of 5 replicas lets one go.
                Amount::Percent(percent) => (f64::from(start) * (1.0 - f64::from(percent) / 100.0)) as i32,
            }
        });
        let limit = match self.down.select {
            Select::Disabled => Some(current),
            Select::Max => allowed.min(),
            Select::Min => allowed.max(),
        };
        limit.unwrap_or(current).min(current)
    }
}

/// Stabilization: no higher than the highest of the scale-down window, no lower than the lowest of the scale-up window,
/// and else where it is. Both include the proposal itself.
pub fn stabilized(current: i32, lowest_of_up_window: i32, highest_of_down_window: i32) -> i32 {
    current.max(lowest_of_up_window).min(highest_of_down_window)
}

/// The policies' limits and the HPA's bounds on a stabilized proposal.
pub fn limited(current: i32, wanted: i32, up_limit: i32, down_limit: i32, bounds: (i32, i32)) -> i32 {
    let (min, max) = bounds;
    match wanted {
        more if more > current => more.min(max.min(up_limit)),
        fewer if fewer < current => fewer.max(min.max(down_limit)),
        same => same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn behavior(up: &[Amount], down: &[Amount], select: Select) -> Behavior {
        let rules = |amounts: &[Amount]| Rules {
            window_ms: 0,
            policies: amounts.iter().map(|&amount| Policy { amount, period_ms: 60_000 }).collect(),
            select,
            tolerance: 0.1,
        };
        Behavior { up: rules(up), down: rules(down), absent: false }
    }

    /// The documentation's example: with 4 pods and 10 percent a minute, 80 replicas may lose 8, then 72 lose 8 (7.2
    /// rounded), and below 40 the 4 pods allow more.
    #[rstest]
    #[case(80, 72)]
    #[case(72, 64)]
    #[case(30, 26)]
    #[case(10, 6)]
    fn the_documented_scale_down_example(#[case] current: i32, #[case] expected: i32) {
        let behavior = behavior(&[], &[Amount::Pods(4), Amount::Percent(10)], Select::Max);
        assert_eq!(behavior.down_limit(current, |_| 0, |_| 0), expected);
    }

    #[rstest]
    #[case(Select::Max, 3, 7)]
    #[case(Select::Min, 3, 6)]
    #[case(Select::Max, 10, 20)]
    #[case(Select::Min, 10, 14)]
    #[case(Select::Disabled, 10, 10)]
    fn upward_policies(#[case] select: Select, #[case] current: i32, #[case] expected: i32) {
        let behavior = behavior(&[Amount::Pods(4), Amount::Percent(100)], &[], select);
        assert_eq!(behavior.up_limit(current, |_| 0, |_| 0), expected);
    }

    #[test]
    fn what_changed_in_the_period_counts() {
        let behavior = behavior(&[Amount::Pods(4)], &[Amount::Pods(2)], Select::Max);
        // 3 were added in this period: the period started at 3, so 7 is the limit, and nothing may be undone below it.
        assert_eq!(behavior.up_limit(6, |_| 3, |_| 0), 7);
        assert_eq!(behavior.up_limit(9, |_| 6, |_| 0), 9);
        assert_eq!(behavior.down_limit(6, |_| 0, |_| 2), 6);
    }

    #[test]
    fn without_a_behavior_steps_double_or_reach_four() {
        let behavior = Behavior { absent: true, ..Behavior::standard(300_000, 0.1) };
        assert_eq!((behavior.up_limit(1, |_| 0, |_| 0), behavior.up_limit(5, |_| 0, |_| 0)), (4, 10));
        assert_eq!(behavior.down_limit(9, |_| 0, |_| 0), 0);
    }

    #[test]
    fn windows_hold_back() {
        assert_eq!(stabilized(6, 2, 5), 5, "down to the highest of the window");
        assert_eq!(stabilized(6, 2, 8), 6, "the window asked for more: stay");
        assert_eq!(stabilized(3, 4, 9), 4, "up to the lowest of the window");
    }

    #[test]
    fn bounds_and_limits_cut() {
        assert_eq!(limited(3, 30, 40, 0, (3, 20)), 20);
        assert_eq!(limited(3, 30, 7, 0, (3, 20)), 7);
        assert_eq!(limited(9, 1, 40, 0, (3, 20)), 3);
        assert_eq!(limited(9, 1, 40, 5, (3, 20)), 5);
        assert_eq!(limited(9, 9, 40, 0, (3, 20)), 9);
    }
}
