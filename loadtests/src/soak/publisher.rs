//! What one client sends, and what is owed for it: every message acknowledged, in order. Pure.

use super::messages::ToServer;
use serde::Serialize;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A message that is not acknowledged yet.
#[derive(Debug, Clone, Copy)]
struct Open {
    seq: u64,
    sent_ms: u64,
    /// When it was to be sent: waiting for the socket counts.
    due: Instant,
}

/// What became of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Sent.
    pub sent: u64,
    /// Acknowledged in order.
    pub acked: u64,
    /// Acknowledged before an earlier one, a second time, or with another time than theirs.
    pub disordered: u64,
    /// Answered by an error: a checksum or a gap that was not there.
    pub refused: u64,
    /// On their way when the connection was lost.
    pub cut: u64,
}

/// The messages of one client. Numbers begin at 1 on each connection.
#[derive(Debug)]
pub struct Publisher {
    every: Option<Duration>,
    due: Option<Instant>,
    seq: u64,
    open: VecDeque<Open>,
    /// What became of them.
    pub counts: Counts,
}

impl Publisher {
    /// So many messages in a second; 0: none.
    pub fn new(per_second: f64) -> Self {
        let every = (per_second > 0.0).then(|| Duration::from_secs_f64(1.0 / per_second));
        Publisher { every, due: None, seq: 0, open: VecDeque::new(), counts: Counts::default() }
    }

    /// A connection begins. `phase`, 0 to 1, is where in the interval the first message lies, so that clients do not all
    /// send at once.
    pub fn connected(&mut self, now: Instant, phase: f64) {
        self.seq = 0;
        self.due = self.every.map(|every| now + every.mul_f64(phase));
    }

    /// When the next message is due.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// No more messages on this connection.
    pub fn quiet(&mut self) {
        self.due = None;
    }

    /// The next message; its round trip counts from when it was due.
    pub fn next(&mut self, client: u32, unix_ms: u64) -> Option<String> {
        let (due, every) = (self.due?, self.every?);
        self.seq += 1;
        self.counts.sent += 1;
        self.due = Some(due + every);
        self.open.push_back(Open { seq: self.seq, sent_ms: unix_ms, due });
        let payload = format!("message {} of client {client}", self.seq);
        let crc = crc32fast::hash(payload.as_bytes());
        Some(ToServer::Publish { seq: self.seq, sent_ms: unix_ms, payload: &payload, crc }.text())
    }

    /// An acknowledgement came; its round trip when it is the one that was owed.
    pub fn ack(&mut self, seq: u64, sent_ms: u64, now: Instant) -> Option<Duration> {
        let index = self.open.iter().position(|o| o.seq == seq);
        let open = index.and_then(|i| self.open.remove(i));
        match open {
            Some(open) if index == Some(0) && open.sent_ms == sent_ms => {
                self.counts.acked += 1;
                Some(now.saturating_duration_since(open.due))
            }
            _ => {
                self.counts.disordered += 1;
                None
            }
        }
    }

    /// An error came in place of an acknowledgement.
    pub fn refused(&mut self, seq: u64) {
        self.counts.refused += 1;
        self.open.retain(|o| o.seq != seq);
    }

    /// The connection is gone, and with it what was on its way.
    pub fn lost(&mut self) {
        self.counts.cut += self.open.len() as u64;
        self.open.clear();
        self.due = None;
    }

    /// Messages that are owed an acknowledgement.
    pub fn unanswered(&self) -> u64 {
        self.open.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sending(messages: u64) -> (Publisher, Instant) {
        let (mut publisher, start) = (Publisher::new(2.0), Instant::now());
        publisher.connected(start, 0.0);
        (0..messages).for_each(|i| assert!(publisher.next(7, 100 + i).is_some()));
        (publisher, start)
    }

    #[test]
    fn messages_are_numbered_and_due_at_their_interval() {
        let (mut publisher, start) = sending(2);
        assert_eq!(publisher.due(), Some(start + Duration::from_secs(1)));
        let text = publisher.next(7, 102).expect("message");
        assert!(text.contains(r#""seq":3,"sentMs":102,"payload":"message 3 of client 7""#), "{text}");
        publisher.quiet();
        assert!(publisher.next(7, 103).is_none() && Publisher::new(0.0).due().is_none());
    }

    #[test]
    fn a_round_trip_counts_from_when_the_message_was_due() {
        let (mut publisher, start) = sending(2);
        let now = start + Duration::from_millis(700);
        assert_eq!(publisher.ack(1, 100, now), Some(Duration::from_millis(700)));
        assert_eq!(publisher.ack(2, 101, now), Some(Duration::from_millis(200)));
        assert_eq!(publisher.counts, Counts { sent: 2, acked: 2, ..Counts::default() });
    }

    #[test]
    fn disorder_refusals_and_silence_are_counted() {
        let (mut publisher, start) = sending(5);
        assert!(publisher.ack(2, 101, start).is_none(), "1 was owed");
        assert!(publisher.ack(1, 99, start).is_none(), "another time than ours");
        assert!(publisher.ack(1, 100, start).is_none(), "a second time");
        publisher.refused(3);
        assert_eq!(publisher.unanswered(), 2);
        publisher.lost();
        assert_eq!(publisher.counts, Counts { sent: 5, acked: 0, disordered: 3, refused: 1, cut: 2 });
        publisher.connected(start, 0.5);
        assert!(publisher.next(7, 200).expect("message").contains(r#""seq":1,"#));
    }
}
