//! What can be said of an assertion, a stage, a platform, a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The judgement of an assertion, a stage, a platform or a run. Never averaged into a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was tried, and what was measured is what was expected.
    Pass,
    /// It was tried, and what was measured is not what was expected.
    Fail,
    /// It could not be judged: the fault did not take effect, the load did not flow, the part cannot be had.
    Inconclusive,
    /// There is nothing to judge: the platform has no such part.
    NotApplicable,
}

impl Verdict {
    /// The verdict over several: one Fail fails, else one Inconclusive is inconclusive, else Pass.
    /// Nothing at all, or nothing applicable, is [`Verdict::NotApplicable`].
    pub fn of(parts: impl IntoIterator<Item = Verdict>) -> Verdict {
        parts.into_iter().fold(Verdict::NotApplicable, |sum, part| match (sum, part) {
            (Verdict::Fail, _) | (_, Verdict::Fail) => Verdict::Fail,
            (Verdict::Inconclusive, _) | (_, Verdict::Inconclusive) => Verdict::Inconclusive,
            (Verdict::Pass, _) | (_, Verdict::Pass) => Verdict::Pass,
            _ => Verdict::NotApplicable,
        })
    }

    /// The process' exit code: 0 passed, 1 failed, 2 could not judge.
    /// A run in which nothing was applicable judged nothing, so it exits 2.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Pass => 0,
            Verdict::Fail => 1,
            Verdict::Inconclusive | Verdict::NotApplicable => 2,
        }
    }

    /// The word as it stands in `run.json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Inconclusive => "inconclusive",
            Verdict::NotApplicable => "not_applicable",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::*;
    use super::*;

    #[test]
    fn one_fail_wins_over_everything() {
        assert_eq!(Verdict::of([Pass, Inconclusive, Fail, NotApplicable]), Fail);
    }

    #[test]
    fn could_not_judge_is_never_pass() {
        assert_eq!(Verdict::of([Pass, Inconclusive, Pass]), Inconclusive);
        assert_eq!(Verdict::of([]), NotApplicable);
        assert_eq!(Verdict::of([]).exit_code(), 2);
    }

    #[test]
    fn not_applicable_does_not_spoil_a_pass() {
        assert_eq!(Verdict::of([NotApplicable, Pass]), Pass);
    }
}
