//! What the generator itself costs.

use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Processor time that this process used so far, in ms.
pub(crate) fn used_ms() -> u64 {
    let used = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from).unwrap_or_default();
    u64::try_from(used.as_millis()).unwrap_or(u64::MAX)
}
