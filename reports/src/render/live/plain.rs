//! Plain lines with the time since the run's start: for CI logs, pipes and files.

use super::super::words::stamp;
use super::Detail;
use super::narrator::{Line, Moves, Narrator};
use crate::event::Event;
use crate::recorder::Listener;
use std::io::Write;

/// Writes one line per thing worth telling.
pub(super) struct Plain<W> {
    out: W,
    narrator: Narrator,
}

impl<W: Write> Plain<W> {
    /// Writes to `out`, as much as `detail` asks.
    pub fn new(out: W, detail: Detail) -> Self {
        Plain { out, narrator: Narrator::new(detail) }
    }
}

impl<W: Write + Send> Listener for Plain<W> {
    fn on_event(&mut self, event: &Event) {
        let Some(Line { scope, text, moves, .. }) = self.narrator.tell(event) else { return };
        if moves == (Moves::Goes { worth: false }) {
            return;
        }
        let colon = if scope.is_empty() { "" } else { ": " };
        // A reader that went away must not stop the run.
        let _ = writeln!(self.out, "+{} {scope}{colon}{text}", stamp(event.at_ms)).and_then(|()| self.out.flush());
    }
}
