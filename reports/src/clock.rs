//! One monotonic clock for a run, shared with child processes.

use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The run's clock. It counts from the run's start on `CLOCK_MONOTONIC`, which is the same in every process of the
/// machine: a child made with [`Clock::from_origin`] stamps its events on the same axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    origin_ns: u64,
}

fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Clock { origin_ns: monotonic_ns() }
    }

    /// The clock of another process of the same machine, by its [`Clock::origin_ns`].
    pub fn from_origin(origin_ns: u64) -> Self {
        Clock { origin_ns }
    }

    /// The origin on `CLOCK_MONOTONIC`, in nanoseconds.
    pub fn origin_ns(self) -> u64 {
        self.origin_ns
    }

    /// Milliseconds since the run's start.
    pub fn now_ms(self) -> u64 {
        monotonic_ns().saturating_sub(self.origin_ns) / 1_000_000
    }

    /// Where a wall-clock time (a Kubernetes timestamp, say) lies on this clock, in milliseconds. Negative is before the
    /// run. Wall clocks can be set; use it only for what has no monotonic stamp.
    pub fn at_wall(self, at: SystemTime) -> i64 {
        let ms = |t: SystemTime| t.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
        self.now_ms() as i64 + ms(at) - ms(SystemTime::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_share_the_axis() {
        let clock = Clock::start();
        let other = Clock::from_origin(clock.origin_ns());
        assert!(other.now_ms().abs_diff(clock.now_ms()) < 50);
    }

    #[test]
    fn wall_times_land_on_the_axis() {
        let clock = Clock::start();
        let at = clock.at_wall(SystemTime::now() + Duration::from_secs(10));
        assert!((9_900..=10_100).contains(&at), "{at}");
    }
}
