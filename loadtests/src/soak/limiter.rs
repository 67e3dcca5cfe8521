//! A bounded rate of connects, shared by all clients: a crowd that comes back at once would be a fault of its own.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Gives turns one after the other.
#[derive(Debug)]
pub struct Limiter {
    spacing: Duration,
    next: Mutex<Option<Instant>>,
}

impl Limiter {
    /// So many turns in a second.
    pub fn new(per_second: f64) -> Self {
        Limiter { spacing: Duration::from_secs_f64(1.0 / per_second), next: Mutex::new(None) }
    }

    /// Waits for a turn. `jitter`, 0 to 1, moves the next turn by up to a fifth of the spacing in either direction.
    pub async fn turn(&self, jitter: f64) {
        sleep_until(self.slot(Instant::now(), jitter)).await;
    }

    /// The next turn for who comes now.
    fn slot(&self, now: Instant, jitter: f64) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = next.map_or(now, |next| next.max(now));
        *next = Some(at + self.spacing.mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0)));
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_gets_its_turns_at_the_rate() {
        let (limiter, start) = (Limiter::new(50.0), Instant::now());
        let after = |slot: Instant| (slot - start).as_millis();
        let slots: Vec<_> = (0..101).map(|i| after(limiter.slot(start, f64::from(i % 2)))).collect();
        assert_eq!((slots[0], slots[1], slots[2]), (0, 16, 40));
        assert_eq!(slots[100], 2_000);
        // Who comes later than the last turn has no debt and no credit.
        let late = start + Duration::from_secs(60);
        let slots: Vec<_> = (0..3).map(|_| after(limiter.slot(late, 0.5))).collect();
        assert_eq!(slots, [60_000, 60_020, 60_040]);
    }
}
