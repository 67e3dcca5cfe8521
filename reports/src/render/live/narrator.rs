//! Which events are worth a line, and in which words.

use super::super::words::{duration, figure, one_line, sign, spoken};
use super::Detail;
use crate::event::{Event, EventKind, FaultPhase};
use crate::finding::Severity;
use crate::verdict::Verdict;
use std::collections::{BTreeMap, HashMap};

/// Progress of the same shape (the same words with other numbers) gets a line at most this often.
const SAME_SHAPE_MS: u64 = 10_000;
/// Samples get a line at most this often.
const SAMPLES_MS: u64 = 10_000;

/// A line, and what a terminal does with it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// The stage or step it speaks of; empty for the run.
    pub scope: String,
    /// The words, without scope and time.
    pub text: String,
    /// What moves in a terminal.
    pub moves: Moves,
    /// For the colour of the sign.
    pub verdict: Option<Verdict>,
}

/// What a line does to the scope's line in a terminal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Moves {
    /// The scope begins; it may take so many ms, if that is known.
    Begins(Option<u64>),
    /// The scope's line says something new. Too frequent ones are `worth` nothing without a terminal.
    Goes {
        /// False when a plain reader has seen enough of it.
        worth: bool,
    },
    /// The scope is over; the line stays.
    Ends,
    /// A line of its own that stays.
    Stays,
}

/// Turns events into lines. It remembers what was said.
pub(super) struct Narrator {
    detail: Detail,
    /// When each scope began, in ms.
    began: HashMap<String, u64>,
    /// When each shape of progress was last said.
    said: HashMap<(String, String), (u64, String)>,
    /// The latest samples of each scope, and when they were last said.
    samples: HashMap<String, (u64, BTreeMap<String, f64>)>,
}

impl Narrator {
    /// A narrator that says as much as `detail` asks.
    pub fn new(detail: Detail) -> Self {
        Narrator { detail, began: HashMap::new(), said: HashMap::new(), samples: HashMap::new() }
    }

    /// What there is to say of an event. Most have nothing.
    pub fn tell(&mut self, event: &Event) -> Option<Line> {
        let scope = scope(event);
        let (text, moves, verdict, needs) = self.words(event, &scope)?;
        (self.detail >= needs).then(|| Line { scope, text: one_line(&text), moves, verdict })
    }

    fn words(&mut self, event: &Event, scope: &str) -> Option<(String, Moves, Option<Verdict>, Detail)> {
        use Detail::{Normal, Quiet, Verbose};
        let at = event.at_ms;
        let stays = |text: String, needs| Some((text, Moves::Stays, None, needs));
        match &event.kind {
            EventKind::RunStarted { run_id, seed } => stays(format!("run {run_id}, seed {seed}"), Normal),
            EventKind::RunEnded { verdict } => {
                let text = format!("{} the run {} in {}", sign(*verdict), ended(*verdict), duration(at));
                Some((text, Moves::Ends, Some(*verdict), Quiet))
            }
            EventKind::Step { message, done, log, .. } => Some(self.step(at, scope, message, *done, log.as_deref())),
            EventKind::StageStarted { expected_ms } => {
                self.began.insert(scope.to_owned(), at);
                let text = format!("started, may take {}", duration(*expected_ms));
                Some((text, Moves::Begins(Some(*expected_ms)), None, Normal))
            }
            EventKind::Progress { message } => {
                let worth = self.is_worth_a_line(at, scope, message);
                Some((message.clone(), Moves::Goes { worth }, None, Normal))
            }
            EventKind::StageEnded { verdict, reason } => {
                let took = self.began.remove(scope).map_or(String::new(), |from| format!(" ({})", duration(at.saturating_sub(from))));
                let colon = if reason.is_empty() { "" } else { ": " };
                let text = format!("{} {}{took}{colon}{reason}", sign(*verdict), spoken(*verdict));
                Some((text, Moves::Ends, Some(*verdict), Quiet))
            }
            EventKind::Asserted(a) if matches!(a.verdict, Verdict::Fail | Verdict::Inconclusive) => {
                let measured = if a.measured.is_empty() { "nothing" } else { &a.measured };
                let text = format!("{} {}: expected {}; measured {measured}; {}", sign(a.verdict), a.id, a.expected, a.reason);
                Some((text, Moves::Stays, Some(a.verdict), Normal))
            }
            EventKind::Asserted(a) => stays(format!("{} {}: {}", sign(a.verdict), a.id, a.measured), Verbose),
            EventKind::Found(f) => {
                let word = match (&f.waived, f.severity) {
                    (Some(_), _) => "waived",
                    (_, Severity::Error) => "error",
                    (_, Severity::Warning) => "warning",
                    (_, Severity::Info) => "info",
                };
                stays(format!("{word} {} {}: {}", f.location, f.rule, f.message), Verbose)
            }
            EventKind::Phase { phase } => stays(format!("load phase {phase}"), Normal),
            EventKind::Fault { experiment, target, phase, detail } => {
                let (word, needs) = match phase {
                    FaultPhase::Journaled => ("journaled", Verbose),
                    FaultPhase::Applied => ("applied", Normal),
                    FaultPhase::Proven => ("took effect", Normal),
                    FaultPhase::Recovered => ("recovered", Normal),
                    FaultPhase::SteadyState => ("steady state again", Normal),
                };
                let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
                stays(format!("fault {experiment} on {target}: {word}{detail}"), needs)
            }
            EventKind::Kubernetes { object, reason, message } => stays(format!("{object} {reason}: {message}"), Verbose),
            EventKind::Note { message } => stays(message.clone(), Verbose),
            EventKind::Sample { series, labels, value } => {
                let name = std::iter::once(series).chain(labels.values()).map(String::as_str).collect::<Vec<_>>().join(" ");
                stays(self.sample(at, scope, name, *value)?, Verbose)
            }
        }
    }

    fn step(&mut self, at: u64, scope: &str, message: &str, done: bool, log: Option<&str>) -> (String, Moves, Option<Verdict>, Detail) {
        let known = self.began.contains_key(scope);
        let from = *self.began.entry(scope.to_owned()).or_insert(at);
        if done {
            self.began.remove(scope);
            let took = if at > from { format!(" ({})", duration(at - from)) } else { String::new() };
            let log = log.map_or(String::new(), |log| format!(", log {log}"));
            // A step that is done is no verdict: nothing was judged.
            return (format!("done: {message}{took}{log}"), Moves::Ends, None, Detail::Normal);
        }
        let worth = self.is_worth_a_line(at, scope, message);
        let moves = if known { Moves::Goes { worth } } else { Moves::Begins(None) };
        (message.to_owned(), moves, None, Detail::Normal)
    }

    /// New words always; the same words with other numbers only now and then; the very same never twice in a row.
    fn is_worth_a_line(&mut self, at: u64, scope: &str, message: &str) -> bool {
        let shape: String = message.chars().filter(|c| !c.is_ascii_digit()).collect();
        let last = self.said.get(&(scope.to_owned(), shape.clone()));
        let worth = last.is_none_or(|(said, words)| words != message && at >= said + SAME_SHAPE_MS);
        if worth {
            self.said.insert((scope.to_owned(), shape), (at, message.to_owned()));
        }
        worth
    }

    fn sample(&mut self, at: u64, scope: &str, name: String, value: f64) -> Option<String> {
        let (said, latest) = self.samples.entry(scope.to_owned()).or_insert_with(|| (at, BTreeMap::new()));
        latest.insert(name, value);
        if at < *said + SAMPLES_MS {
            return None;
        }
        *said = at;
        let all: Vec<_> = std::mem::take(latest).into_iter().map(|(name, value)| format!("{name} {}", figure(value))).collect();
        Some(all.join(", "))
    }
}

fn scope(event: &Event) -> String {
    match (&event.kind, &event.platform, event.stage) {
        (EventKind::Step { step, .. }, ..) => one_line(step),
        (_, Some(platform), Some(stage)) => format!("{} {stage}", one_line(platform)),
        (_, Some(platform), None) => one_line(platform),
        (_, None, Some(stage)) => stage.to_string(),
        _ => String::new(),
    }
}

fn ended(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "passed",
        Verdict::Fail => "failed",
        Verdict::Inconclusive => "could not be judged",
        Verdict::NotApplicable => "had nothing to judge",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::StageName;

    fn progress(narrator: &mut Narrator, at_ms: u64, message: &str) -> bool {
        let kind = EventKind::Progress { message: message.into() };
        let event = Event { at_ms, platform: Some("globeco".into()), stage: Some(StageName::Load), kind };
        let line = narrator.tell(&event).expect("progress is told");
        line.moves == Moves::Goes { worth: true }
    }

    #[test]
    fn a_counter_gets_a_line_now_and_then_and_new_words_at_once() {
        let mut narrator = Narrator::new(Detail::Normal);
        assert!(progress(&mut narrator, 0, "3 of 9 pods ready"));
        assert!(!progress(&mut narrator, 2_000, "4 of 9 pods ready"), "same words too soon");
        assert!(progress(&mut narrator, 2_100, "load rises"), "new words");
        assert!(progress(&mut narrator, 10_000, "8 of 9 pods ready"));
        assert!(!progress(&mut narrator, 30_000, "8 of 9 pods ready"), "said before");
    }

    #[test]
    fn silence_asked_is_silence_kept() {
        let mut narrator = Narrator::new(Detail::Quiet);
        let tell = |narrator: &mut Narrator, kind| narrator.tell(&Event { at_ms: 0, platform: None, stage: None, kind });
        assert_eq!(tell(&mut narrator, EventKind::Progress { message: "x".into() }), None);
        let line = tell(&mut narrator, EventKind::RunEnded { verdict: Verdict::Inconclusive }).expect("the verdict is told");
        assert_eq!(line.text, "? the run could not be judged in 0 ms");
    }
}
