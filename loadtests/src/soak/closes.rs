//! Every close by its cause. Pure.

use super::windows::Windows;
use serde::Serialize;

/// A connection that ended, not by us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Close {
    /// The client.
    pub client: u32,
    /// On the run's clock, in ms.
    pub at_ms: u64,
    /// The server, where answers name it.
    pub server: Option<String>,
    /// The close code; 1006 when there was no close frame.
    pub code: u16,
    /// The text beside it.
    pub reason: String,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its pod drained and said so.
    Drained,
    /// It was cut without a close frame while its pod went away.
    CutWithPod,
    /// It was cut without a close frame, and no pod went away.
    Cut,
    /// The server left, or found us silent, and no pod went away.
    Left,
    /// The token expired in mid-session.
    Expired,
    /// The server says that we broke the protocol.
    Protocol,
    /// The server found us too slow.
    TooSlow,
    /// Anything else.
    Other,
}

impl Cause {
    /// True: it may happen.
    pub fn is_declared(self) -> bool {
        matches!(self, Cause::Drained | Cause::CutWithPod)
    }

    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Cause::Drained => "drained",
            Cause::CutWithPod => "cut with its pod",
            Cause::Cut => "cut without a close frame",
            Cause::Left => "left although no pod went away",
            Cause::Expired => "token expired",
            Cause::Protocol => "protocol error",
            Cause::TooSlow => "too slow",
            Cause::Other => "another code",
        }
    }
}

/// Why a connection ended.
pub fn cause(close: &Close, windows: &Windows) -> Cause {
    let going = windows.covers_close(close);
    match close.code {
        1001 | 1012 if going => Cause::Drained,
        1001 | 1012 => Cause::Left,
        1006 if going => Cause::CutWithPod,
        1006 => Cause::Cut,
        4401 => Cause::Expired,
        1002 | 1003 | 1007..=1010 => Cause::Protocol,
        1013 => Cause::TooSlow,
        _ => Cause::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::windows::Window;
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(1001, "pod-a", 15, Cause::Drained)]
    #[case(1012, "pod-a", 15, Cause::Drained)]
    #[case(1001, "pod-b", 15, Cause::Left)]
    #[case(1001, "pod-a", 5, Cause::Left)]
    #[case(1001, "pod-a", 90, Cause::Left)]
    #[case(1006, "pod-a", 15, Cause::CutWithPod)]
    #[case(1006, "pod-b", 15, Cause::Cut)]
    #[case(1006, "pod-a", 5, Cause::Cut)]
    #[case(4401, "pod-a", 15, Cause::Expired)]
    #[case(1008, "pod-a", 15, Cause::Protocol)]
    #[case(1013, "pod-a", 15, Cause::TooSlow)]
    #[case(1011, "pod-a", 15, Cause::Other)]
    #[case(1005, "pod-a", 15, Cause::Other)]
    fn only_a_pod_that_goes_may_take_its_connections_along(#[case] code: u16, #[case] server: &str, #[case] at_s: u64, #[case] expected: Cause) {
        let window = Window { from_ms: 10_000, to_ms: 30_000, pod: Some("pod-a".into()), why: "deleted".into() };
        let close = Close { client: 1, at_ms: at_s * 1000, server: Some(server.into()), code, reason: String::new() };
        assert_eq!(cause(&close, &Windows(vec![window])), expected);
    }
}
