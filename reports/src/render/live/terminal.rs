//! Lines that move, in a terminal: one per running stage or step. What is finished or lasting scrolls up above them.

use super::super::words::stamp;
use super::Detail;
use super::narrator::{Line, Moves, Narrator};
use crate::event::{Event, EventKind};
use crate::recorder::Listener;
use crate::verdict::Verdict;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

/// Shows a run in a terminal on stderr.
pub(super) struct Terminal {
    narrator: Narrator,
    all: MultiProgress,
    running: HashMap<String, ProgressBar>,
    colour: bool,
}

impl Terminal {
    /// Draws on stderr, as much as `detail` asks. `NO_COLOR` is honoured.
    pub fn new(detail: Detail) -> Self {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self::with(detail, ProgressDrawTarget::stderr_with_hz(8), colour)
    }

    fn with(detail: Detail, target: ProgressDrawTarget, colour: bool) -> Self {
        let all = MultiProgress::with_draw_target(target);
        Terminal { narrator: Narrator::new(detail), all, running: HashMap::new(), colour }
    }

    fn begin(&mut self, scope: &str, text: &str, expected_ms: Option<u64>) {
        let bar = ProgressBar::new_spinner().with_style(style(expected_ms, self.colour)).with_prefix(scope.to_owned());
        let bar = self.all.add(bar);
        bar.set_message(text.to_owned());
        bar.enable_steady_tick(Duration::from_millis(250));
        if let Some(old) = self.running.insert(scope.to_owned(), bar) {
            self.all.remove(&old);
        }
    }

    fn end(&mut self, scope: &str) {
        if let Some(bar) = self.running.remove(scope) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }

    fn print(&self, at_ms: u64, line: &Line) {
        let code = match line.verdict {
            _ if !self.colour => "",
            Some(Verdict::Pass) => "\u{1b}[32m",
            Some(Verdict::Fail) => "\u{1b}[31m",
            Some(Verdict::Inconclusive) => "\u{1b}[33m",
            _ => "",
        };
        let reset = if code.is_empty() { "" } else { "\u{1b}[0m" };
        let scope = if line.scope.is_empty() { String::new() } else { format!("{}: ", line.scope) };
        // The terminal may be gone; the run goes on.
        let _ = self.all.println(format!("+{} {scope}{code}{}{reset}", stamp(at_ms), line.text));
    }
}

impl Listener for Terminal {
    fn on_event(&mut self, event: &Event) {
        let Some(line) = self.narrator.tell(event) else { return };
        match line.moves {
            // The line itself says how long it may take.
            Moves::Begins(Some(expected_ms)) => self.begin(&line.scope, "starting", Some(expected_ms)),
            Moves::Begins(None) => self.begin(&line.scope, &line.text, None),
            Moves::Goes { .. } => match self.running.get(&line.scope) {
                Some(bar) => bar.set_message(line.text),
                None => self.begin(&line.scope, &line.text, None),
            },
            Moves::Ends => {
                self.end(&line.scope);
                if matches!(event.kind, EventKind::RunEnded { .. }) {
                    let open: Vec<_> = self.running.keys().cloned().collect();
                    open.iter().for_each(|scope| self.end(scope));
                }
                self.print(event.at_ms, &line);
            }
            Moves::Stays => {
                self.print(event.at_ms, &line);
                let moving = matches!(event.kind, EventKind::Fault { .. } | EventKind::Phase { .. });
                if let Some(bar) = self.running.get(&line.scope).filter(|_| moving) {
                    bar.set_message(line.text);
                }
            }
        }
    }
}

/// Spinner, name, elapsed, how long it may still take, and what is happening.
fn style(expected_ms: Option<u64>, colour: bool) -> ProgressStyle {
    let (cyan, bold) = if colour { (".cyan", ".bold") } else { ("", "") };
    let template = format!("{{spinner{cyan}}} {{prefix:18!{bold}}} {{so_far}} {{left:16}} {{wide_msg}}");
    ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .with_key("so_far", |state: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{}", stamp(millis(state.elapsed())));
        })
        .with_key("left", move |state: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{}", left(expected_ms, millis(state.elapsed())));
        })
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// How long it may still take, in words; empty when nobody knows.
fn left(expected_ms: Option<u64>, elapsed_ms: u64) -> String {
    match expected_ms {
        None => String::new(),
        Some(expected) if expected > elapsed_ms => format!("up to {} left", stamp(expected - elapsed_ms)),
        Some(_) => "overdue".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::StageName;

    fn event(kind: EventKind) -> Event {
        Event { at_ms: 1_000, platform: Some("globeco".into()), stage: Some(StageName::Load), kind }
    }

    #[test]
    fn a_stage_has_one_line_while_it_runs_and_none_after() {
        let mut terminal = Terminal::with(Detail::Normal, ProgressDrawTarget::hidden(), false);
        terminal.on_event(&event(EventKind::StageStarted { expected_ms: 300_000 }));
        terminal.on_event(&event(EventKind::Progress { message: "load rises".into() }));
        terminal.on_event(&event(EventKind::Progress { message: "load rises more".into() }));
        assert_eq!(terminal.running.len(), 1);
        assert_eq!(terminal.running["globeco load"].message(), "load rises more");
        terminal.on_event(&event(EventKind::StageEnded { verdict: Verdict::Pass, reason: String::new() }));
        assert!(terminal.running.is_empty());
    }

    #[test]
    fn the_end_of_the_run_leaves_no_line_behind() {
        let mut terminal = Terminal::with(Detail::Normal, ProgressDrawTarget::hidden(), false);
        terminal.on_event(&event(EventKind::StageStarted { expected_ms: 1 }));
        terminal.on_event(&event(EventKind::RunEnded { verdict: Verdict::Inconclusive }));
        assert!(terminal.running.is_empty());
    }

    #[test]
    fn time_left_is_said_only_when_it_is_known() {
        assert_eq!(left(Some(300_000), 60_000), "up to 04:00 left");
        assert_eq!(left(Some(300_000), 300_001), "overdue");
        assert_eq!(left(None, 5), "");
    }
}
