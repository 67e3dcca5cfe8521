//! How many replicas one metric asks for: the documented ratio with its tolerance, and what pods without a usable sample
//! count for.

use serde::{Deserialize, Serialize};

/// The pods of a scale target as the autoscaler sorts them. Deleted and failed pods are in none of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Census {
    /// Pods whose sample counts.
    pub ready: i32,
    /// Pods that are not ready yet, or were not when the sample was taken.
    pub unready: i32,
    /// Running pods without a sample.
    pub missing: i32,
}

impl Census {
    /// All pods.
    pub fn total(self) -> i32 {
        self.ready + self.unready + self.missing
    }
}

/// How far the ratio of measured to wanted may be from 1 without a change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Above 1.
    pub up: f64,
    /// Below 1.
    pub down: f64,
}

impl Tolerance {
    /// The same in both directions.
    pub fn both(tolerance: f64) -> Self {
        Tolerance { up: tolerance, down: tolerance }
    }

    fn covers(self, ratio: f64) -> bool {
        1.0 - self.down <= ratio && ratio <= 1.0 + self.up
    }
}

/// A metric's value beside its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Average utilization of a resource, in percent of the request.
    Utilization {
        /// Measured.
        current: i64,
        /// Wanted.
        target: i64,
    },
    /// Average of a resource or of a pods metric, in thousandths.
    Average {
        /// Measured.
        current: i64,
        /// Wanted.
        target: i64,
    },
    /// Value of an object or external metric, in thousandths.
    Value {
        /// Measured.
        current: i64,
        /// Wanted.
        target: i64,
    },
    /// Value of an object or external metric divided by the replicas, in thousandths.
    Share {
        /// Measured.
        current: i64,
        /// Wanted.
        target: i64,
    },
}

impl Reading {
    /// Measured and wanted.
    pub fn pair(self) -> (i64, i64) {
        match self {
            Reading::Utilization { current, target }
            | Reading::Average { current, target }
            | Reading::Value { current, target }
            | Reading::Share { current, target } => (current, target),
        }
    }

    /// Replicas that the metric asks for, before bounds, windows and policies.
    ///
    /// `fraction`, 0 to 1, is what integer rounding cut off the measured value. It matters only where pods without a
    /// sample change the average: the controller then goes on from the unrounded sum.
    pub fn proposal(self, current_replicas: i32, census: Census, tolerance: Tolerance, fraction: f64) -> i32 {
        let (current, target) = self.pair();
        if target <= 0 {
            return current_replicas;
        }
        let ratio = current as f64 / target as f64;
        match self {
            Reading::Utilization { .. } => {
                let full = target.max(100) as f64;
                per_pod(current, target, full, current_replicas, census, tolerance, fraction)
            }
            Reading::Average { .. } => per_pod(current, target, target as f64, current_replicas, census, tolerance, fraction),
            Reading::Value { .. } if tolerance.covers(ratio) => current_replicas,
            Reading::Value { .. } if current_replicas == 0 => ceil(ratio),
            Reading::Value { .. } => ceil(ratio * f64::from(census.ready)),
            Reading::Share { .. } if tolerance.covers(ratio) => current_replicas,
            // The share shown was rounded up, so the sum lies below share x replicas by less than one each.
            Reading::Share { .. } => ceil((current as f64 - fraction) * f64::from(current_replicas) / target as f64),
        }
    }
}

/// The documented algorithm over pods. `full` is what a pod without a sample counts for when the rest would scale down.
fn per_pod(current: i64, target: i64, full: f64, replicas: i32, census: Census, tolerance: Tolerance, fraction: f64) -> i32 {
    let ratio = current as f64 / target as f64;
    let unready_counts = census.unready > 0 && ratio > 1.0;
    if !unready_counts && census.missing == 0 {
        return if tolerance.covers(ratio) { replicas } else { ceil(ratio * f64::from(census.ready)) };
    }
    let mut sum = (current as f64 + fraction) * f64::from(census.ready);
    let mut pods = census.ready;
    if census.missing > 0 && ratio < 1.0 {
        sum += full * f64::from(census.missing);
        pods += census.missing;
    } else if census.missing > 0 && ratio > 1.0 {
        pods += census.missing; // they count as idle
    }
    if unready_counts {
        pods += census.unready; // they count as idle
    }
    if pods == 0 {
        return replicas;
    }
    let again = (sum / f64::from(pods)).floor() / target as f64;
    let turned = (ratio < 1.0 && again > 1.0) || (ratio > 1.0 && again < 1.0);
    if tolerance.covers(again) || turned {
        return replicas;
    }
    let proposal = ceil(again * f64::from(pods));
    let backwards = (again < 1.0 && proposal > replicas) || (again > 1.0 && proposal < replicas);
    if backwards { replicas } else { proposal }
}

fn ceil(value: f64) -> i32 {
    value.ceil().clamp(0.0, f64::from(i32::MAX)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn ready(ready: i32) -> Census {
        Census { ready, ..Census::default() }
    }

    fn utilization(current: i64, target: i64, replicas: i32, census: Census) -> i32 {
        Reading::Utilization { current, target }.proposal(replicas, census, Tolerance::both(0.1), 0.0)
    }

    /// The documentation: "if the current metric value is 200m, and the desired value is 100m, the number of replicas will
    /// be doubled"; "if the current value is instead 50m, you will halve the number of replicas".
    #[rstest]
    #[case(200, 100, 4, 8)]
    #[case(50, 100, 4, 2)]
    #[case(109, 100, 4, 4)]
    #[case(91, 100, 4, 4)]
    #[case(112, 100, 10, 12)]
    #[case(1, 100, 4, 1)]
    fn the_ratio_with_its_tolerance(#[case] current: i64, #[case] target: i64, #[case] replicas: i32, #[case] expected: i32) {
        let reading = Reading::Average { current, target };
        assert_eq!(reading.proposal(replicas, ready(replicas), Tolerance::both(0.1), 0.0), expected);
    }

    #[rstest]
    #[case::up(140, 70, 3, 6)]
    #[case::ceiling(100, 70, 3, 5)]
    #[case::edge_of_the_tolerance(77, 70, 3, 3)]
    #[case::just_outside(78, 70, 3, 4)]
    #[case::down(20, 70, 6, 2)]
    fn utilization_of_requests(#[case] current: i64, #[case] target: i64, #[case] replicas: i32, #[case] expected: i32) {
        assert_eq!(utilization(current, target, replicas, ready(replicas)), expected);
    }

    #[test]
    fn unready_pods_dampen_a_scale_up() {
        let census = Census { ready: 3, unready: 3, missing: 0 };
        // 3 pods at 200 % and 3 that count as idle: 100 % over 6 pods, target 70: ceil(100/70 x 6) = 9, not 18.
        assert_eq!(utilization(200, 70, 6, census), 9);
        // The same sum over the pods that are there is inside the tolerance: no change.
        assert_eq!(utilization(140, 70, 6, census), 6);
        // On the way down they do not count at all.
        assert_eq!(utilization(35, 70, 6, census), 2);
    }

    #[test]
    fn a_missing_sample_never_scales_down_and_dampens_a_scale_up() {
        let census = Census { ready: 2, unready: 0, missing: 2 };
        // 2 at 20 % and 2 taken for 100 %: 60 %, target 70: ceil(60/70 x 4) = 4.
        assert_eq!(utilization(20, 70, 4, census), 4);
        // 2 at 180 % and 2 taken for idle: 90 %: ceil(90/70 x 4) = 6.
        assert_eq!(utilization(180, 70, 4, census), 6);
        // Taken for 100 % they would turn the direction: no change.
        assert_eq!(utilization(65, 70, 4, census), 4);
    }

    #[test]
    fn object_and_external_metrics() {
        let value = Reading::Value { current: 30_000, target: 10_000 };
        assert_eq!(value.proposal(2, ready(2), Tolerance::both(0.1), 0.0), 6);
        assert_eq!(value.proposal(0, ready(0), Tolerance::both(0.1), 0.0), 3);
        let share = Reading::Share { current: 15_000, target: 10_000 };
        assert_eq!(share.proposal(4, ready(4), Tolerance::both(0.1), 0.0), 6);
    }
}
