//! The declared windows: when connections may be missing, and why. Pure.

use super::closes::Close;
use serde::Serialize;

/// A connection may notice the end of its pod before we see the pod's deletion, by this much, in ms.
const EARLY_MS: u64 = 1_500;

/// A stretch of time in which connections may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Begin on the run's clock, in ms.
    pub from_ms: u64,
    /// End.
    pub to_ms: u64,
    /// The pod that went away; `None` when clients left by themselves.
    pub pod: Option<String>,
    /// Why, for people.
    pub why: String,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Windows(pub Vec<Window>);

impl Windows {
    /// True: a part of `[from_ms, to_ms)` lies in a window.
    pub fn touches(&self, from_ms: u64, to_ms: u64) -> bool {
        self.0.iter().any(|w| w.from_ms < to_ms && from_ms < w.to_ms)
    }

    /// True: the close belongs to a pod that went away. A connection whose server has no name may have been its.
    pub fn covers_close(&self, close: &Close) -> bool {
        let same = |w: &&Window| close.server.is_none() || w.pod == close.server;
        let mut of_pods = self.0.iter().filter(|w| w.pod.is_some()).filter(same);
        of_pods.any(|w| (w.from_ms.saturating_sub(EARLY_MS)..w.to_ms).contains(&close.at_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_that_touches_a_window_belongs_to_it() {
        let window = |from_ms, to_ms| Window { from_ms, to_ms, pod: None, why: String::new() };
        let windows = Windows(vec![window(10_500, 12_000), window(20_000, 21_000)]);
        let touched: Vec<u64> = (9..23).filter(|s| windows.touches(s * 1000, s * 1000 + 1000)).collect();
        assert_eq!(touched, [10, 11, 20]);
    }

    #[test]
    fn a_connection_without_a_servers_name_may_belong_to_any_pod() {
        let windows = Windows(vec![Window { from_ms: 10_000, to_ms: 20_000, pod: Some("a".into()), why: String::new() }]);
        let close = |at_ms| Close { client: 1, at_ms, server: None, code: 1006, reason: String::new() };
        assert!(windows.covers_close(&close(9_000)) && windows.covers_close(&close(19_000)) && !windows.covers_close(&close(8_000)));
    }
}
