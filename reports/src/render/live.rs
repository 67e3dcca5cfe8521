//! The live terminal: what a person or a program sees while a run goes on.
//!
//! What is said is chosen once, by [`narrator`]; [`plain`] and [`terminal`] only differ in how they show it. Everything for
//! people goes to stderr, so that stdout stays free for `--format json`.

mod narrator;
mod plain;
mod terminal;

use crate::event::Event;
use crate::recorder::Listener;
use std::io::{self, IsTerminal, Write};

/// Who reads along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LiveFormat {
    /// A person, on stderr.
    #[default]
    Human,
    /// A program: each event as one line of JSON on stdout, and nothing on stderr.
    Json,
}

/// How much is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Verdicts only (`-q`).
    Quiet,
    /// Verdicts, stages, steps, progress, faults and what failed.
    #[default]
    Normal,
    /// Also notes, findings, Kubernetes events, and samples every 10 s (`-v`).
    Verbose,
}

/// How a run is shown while it goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct LiveOptions {
    /// Who reads along.
    pub format: LiveFormat,
    /// How much is said. A program gets everything.
    pub detail: Detail,
    /// Plain lines even in a terminal.
    pub plain: bool,
}

/// A listener for [`Recorder::listen`](crate::recorder::Recorder::listen). A terminal on stderr gets lines that move,
/// anything else (and `TERM=dumb`) plain lines with the time since the run's start.
pub fn listener(options: LiveOptions) -> Box<dyn Listener> {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    match options.format {
        LiveFormat::Json => Box::new(JsonLines(io::stdout())),
        LiveFormat::Human if !options.plain && !dumb && io::stderr().is_terminal() && options.detail != Detail::Quiet => {
            Box::new(terminal::Terminal::new(options.detail))
        }
        LiveFormat::Human => lines_to(io::stderr(), options.detail),
    }
}

/// Plain lines to anything that takes text, such as a log file.
pub fn lines_to(out: impl Write + Send + 'static, detail: Detail) -> Box<dyn Listener> {
    Box::new(plain::Plain::new(out, detail))
}

struct JsonLines<W>(W);

impl<W: Write + Send> Listener for JsonLines<W> {
    fn on_event(&mut self, event: &Event) {
        let line = serde_json::to_string(event).unwrap_or_default();
        // A reader that went away must not stop the run: its faults still have to be recovered.
        let _ = writeln!(self.0, "{line}").and_then(|()| self.0.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;

    #[test]
    fn a_program_gets_each_event_as_one_line() {
        let mut lines = JsonLines(Vec::new());
        let event = Event { at_ms: 5, platform: None, stage: None, kind: EventKind::Note { message: "two\nlines".into() } };
        lines.on_event(&event);
        lines.on_event(&event);
        let text = String::from_utf8(lines.0).expect("UTF-8");
        let read: Vec<Event> = text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
        assert_eq!(read, [event.clone(), event]);
    }
}
