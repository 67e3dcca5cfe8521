//! What the calculator was told in a run, recorded, so that the run can be judged again without its cluster.

use super::ControllerSettings;
use super::census::CensusRange;
use super::compare::{Comparison, Follower};
use super::spec::HpaView;
use serde::{Deserialize, Serialize};
use std::io::BufRead;

/// Something that the calculator was told: the lines of kind `input` in `hpa.jsonl`. Times in ms on the run's clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "snake_case")]
pub enum Input {
    /// The first look: where the comparison starts.
    Began {
        /// When.
        at_ms: u64,
        /// What the controller manager is tuned to.
        settings: ControllerSettings,
        /// When the HPA last scaled, if it ever did; below 0 before the run.
        last_scale_ms: Option<i64>,
    },
    /// A watch was interrupted: nothing is known of the time before.
    Interrupted {
        /// When.
        at_ms: u64,
    },
    /// The HPA's status changed.
    Status {
        /// When it was seen.
        at_ms: u64,
        /// The HPA.
        hpa: HpaView,
        /// The pods that the controller may have counted, for each metric.
        censuses: Vec<CensusRange>,
    },
}

/// Why a recording cannot be judged again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be read.
    #[error("failed to read the recording: {0}")]
    Io(#[from] std::io::Error),
    /// A line is not what a run writes.
    #[error("line {line}: {cause}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// There is nothing to judge.
    #[error("it holds no inputs of the calculator: it is no hpa.jsonl, or of a run older than this check")]
    Empty,
}

/// Follows inputs, live or recorded: both are judged by this one path.
#[derive(Debug, Default)]
pub struct Judge {
    follower: Option<Follower>,
}

impl Judge {
    /// True once it knows where the comparison starts.
    pub fn has_begun(&self) -> bool {
        self.follower.is_some()
    }

    /// Takes one input. A status gives a comparison, once the judge has begun.
    pub fn take(&mut self, input: &Input) -> Option<Comparison> {
        match input {
            Input::Began { at_ms, settings, last_scale_ms } => {
                self.follower = Some(Follower::new(*settings, *at_ms, *last_scale_ms));
                None
            }
            Input::Interrupted { at_ms } => {
                if let Some(follower) = &mut self.follower {
                    follower.forget(*at_ms);
                }
                None
            }
            Input::Status { at_ms, hpa, censuses } => Some(self.follower.as_mut()?.judge(*at_ms, hpa, censuses)),
        }
    }
}

#[derive(Deserialize)]
struct Line {
    kind: String,
    value: serde_json::Value,
}

/// The comparisons of a recording, in their order.
///
/// # Errors
/// [`ReplayError`], with the line where there is one.
pub fn replay(recording: impl BufRead) -> Result<Vec<Comparison>, ReplayError> {
    let mut judge = Judge::default();
    let mut comparisons = Vec::new();
    for (at, text) in recording.lines().enumerate() {
        let text = text?;
        if text.trim().is_empty() {
            continue;
        }
        let bad = |cause: serde_json::Error| ReplayError::Line { line: at + 1, cause };
        let line: Line = serde_json::from_str(&text).map_err(bad)?;
        if line.kind == "input" {
            comparisons.extend(judge.take(&serde_json::from_value(line.value).map_err(bad)?));
        }
    }
    if judge.has_begun() { Ok(comparisons) } else { Err(ReplayError::Empty) }
}

#[cfg(test)]
mod tests {
    use super::super::algorithm::{Census, Reading};
    use super::super::behavior::Behavior;
    use super::super::compare::Outcome;
    use super::super::spec::Metric;
    use super::*;
    use serde_json::json;

    fn status(at_ms: u64, current: i32, desired: i32, percent: i64) -> Input {
        let cpu = Metric { name: "resource cpu".into(), cpu: true, resource: true, reading: Some(Reading::Utilization { current: percent, target: 70 }) };
        let hpa = HpaView {
            min: 3,
            max: 20,
            current,
            desired,
            metrics: vec![cpu],
            behavior: Behavior::standard(0, 0.1),
            conditions: Vec::new(),
            last_scale_unix_ms: None,
        };
        Input::Status { at_ms, hpa, censuses: vec![CensusRange::of(&[Census { ready: current, ..Census::default() }])] }
    }

    fn recording(inputs: &[Input]) -> String {
        let line = |input: &Input| format!("{}\n", json!({"kind": "input", "value": input}));
        let noise = format!("{}\n", json!({"kind": "point", "value": {"at_ms": 3}}));
        inputs.iter().map(line).chain([noise]).collect()
    }

    fn began() -> Input {
        Input::Began { at_ms: 0, settings: ControllerSettings::default(), last_scale_ms: None }
    }

    #[test]
    fn a_recorded_run_is_judged_as_it_was_live() {
        let inputs = [began(), status(15_000, 3, 5, 105), status(30_000, 5, 9, 70), Input::Interrupted { at_ms: 40_000 }, status(45_000, 5, 5, 70)];
        let mut live = Judge::default();
        let expected: Vec<_> = inputs.iter().filter_map(|input| live.take(input)).collect();
        let again = replay(recording(&inputs).as_bytes()).expect("replays");
        assert_eq!(again, expected);
        let outcomes: Vec<_> = again.iter().map(|c| c.outcome.clone()).collect();
        assert_eq!(outcomes, [Outcome::Agrees, Outcome::Disagrees, Outcome::Agrees]);
        assert_eq!((again[1].low, again[1].high), (5, 5), "70 % of 70 % asks for what is there");
    }

    #[test]
    fn a_recording_that_is_none_is_told() {
        assert!(matches!(replay(recording(&[]).as_bytes()), Err(ReplayError::Empty)));
        let broken = replay(format!("{}{{\"kind\": \"input\"\n", recording(&[began()])).as_bytes());
        assert!(matches!(broken, Err(ReplayError::Line { line: 3, .. })), "{broken:?}");
    }
}
