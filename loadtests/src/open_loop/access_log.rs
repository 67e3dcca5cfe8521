//! Arrivals of a recorded day: the timestamps of an access log.
//!
//! Read are lines of the Common Log Format and its extensions (`[10/Oct/2026:13:55:36 +0200]`), and lines that begin with a time of
//! RFC 3339. A log of whole seconds says nothing of the time within: its requests are spread evenly over their second.

use super::arrivals::{Shape, ShapeError};
use jiff::Timestamp;
use jiff::fmt::strtime;
use std::collections::BTreeMap;

/// Why a log cannot be replayed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// A line without a time.
    #[error("line {0} has no time: [10/Oct/2026:13:55:36 +0200] or 2026-10-10T13:55:36Z at its start is wanted")]
    Line(usize),
    /// Nothing in it.
    #[error("the log holds no request")]
    Empty,
    /// The speed.
    #[error("a speed above 0 is wanted")]
    Speed,
    /// What cannot be sent.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// The time of a line, in ns since 1970, and whether the log knows parts of a second.
fn time_of(line: &str) -> Option<(i128, bool)> {
    if let Some((_, rest)) = line.split_once('[') {
        let text = rest.split_once(']')?.0;
        let time = strtime::parse("%d/%b/%Y:%H:%M:%S %z", text).ok()?.to_timestamp().ok()?;
        return Some((time.as_nanosecond(), false));
    }
    let word = line.split_whitespace().next()?;
    let time: Timestamp = word.parse().ok()?;
    Some((time.as_nanosecond(), word.contains('.')))
}

/// The arrivals of a log, `speed` times as fast as they came.
///
/// # Errors
/// [`LogError`], with the line where there is one. Empty lines are skipped; servers write a line when an answer ends, so times
/// that are out of order are put in order.
pub fn replay(log: &str, speed: f64) -> Result<Shape, LogError> {
    if !(speed.is_finite() && speed > 0.0) {
        return Err(LogError::Speed);
    }
    // How many requests each time has, and whether it stands for a whole second.
    let mut times: BTreeMap<i128, (u64, bool)> = BTreeMap::new();
    for (at, line) in log.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let (ns, fine) = time_of(line).ok_or(LogError::Line(at + 1))?;
        let entry = times.entry(ns).or_insert((0, fine));
        entry.0 += 1;
    }
    let first = *times.keys().next().ok_or(LogError::Empty)?;
    let spread = |(ns, (count, fine)): (i128, (u64, bool))| {
        let start = (ns - first) as f64 / 1e9;
        (0..count).map(move |i| start + if fine { 0.0 } else { i as f64 / count as f64 })
    };
    let mut times: Vec<f64> = times.into_iter().flat_map(spread).map(|s| s / speed).collect();
    times.sort_by(f64::total_cmp);
    let shape = Shape::Replay { times };
    shape.check()?;
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(log: &str, speed: f64) -> Vec<f64> {
        match replay(log, speed).expect("a log") {
            Shape::Replay { times } => times,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn whole_seconds_are_spread_and_the_speed_shortens() {
        let line = |second: u32| format!("127.0.0.1 - - [10/Oct/2026:13:55:{second} +0200] \"GET / HTTP/1.1\" 200 12\n");
        let log = [line(36), line(38), line(36), "\n".into()].concat();
        assert_eq!(times(&log, 1.0), [0.0, 0.5, 2.0]);
        assert_eq!(times(&log, 4.0), [0.0, 0.125, 0.5]);
    }

    #[test]
    fn parts_of_a_second_are_kept() {
        assert_eq!(times("2026-10-10T13:55:36.750Z GET /a\n2026-10-10T13:55:36.250Z GET /b\n", 1.0), [0.0, 0.5]);
    }

    #[test]
    fn a_log_that_is_none_is_told() {
        assert_eq!(replay("2026-10-10T13:55:36Z a\nhello\n", 1.0), Err(LogError::Line(2)));
        assert_eq!(replay("\n", 1.0), Err(LogError::Empty));
        assert_eq!(replay("2026-10-10T13:55:36Z a\n", 0.0), Err(LogError::Speed));
    }
}
