//! The words and figures that every surface shares, so that a verdict reads the same everywhere.

use crate::verdict::Verdict;

/// The verdict as a person says it.
pub(crate) fn spoken(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "passed",
        Verdict::Fail => "failed",
        Verdict::Inconclusive => "could not judge",
        Verdict::NotApplicable => "not applicable",
    }
}

/// A sign beside the word, so that colour never carries the meaning alone.
pub(crate) fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Fail => "✗",
        Verdict::Inconclusive => "?",
        Verdict::NotApplicable => "–",
    }
}

/// A length of time for a person: `320 ms`, `12.4 s`, `3 min 05 s`, `1 h 04 min`.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", seconds, ms % 1000 / 100),
        60_000..3_600_000 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A time on the run's clock: `mm:ss`, or `h:mm:ss` from one hour on.
pub(crate) fn stamp(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..3600 => format!("{:02}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
    }
}

/// A measured figure without noise: three significant digits, no trailing zeros.
pub(crate) fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// `1 stage`, `2 stages`.
pub(crate) fn count(n: usize, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

/// Text of others on one line: no line breaks, no control characters that could move a terminal's cursor.
pub(crate) fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well_at_every_length() {
        let of = |ms| (duration(ms), stamp(ms));
        assert_eq!(of(999), ("999 ms".into(), "00:00".into()));
        assert_eq!(of(12_450), ("12.4 s".into(), "00:12".into()));
        assert_eq!(of(185_000), ("3 min 05 s".into(), "03:05".into()));
        assert_eq!(of(3_860_000), ("1 h 04 min".into(), "1:04:20".into()));
    }

    #[test]
    fn figures_keep_what_matters() {
        let all = [1234.5, 42.06, 3.0, 0.1259, 0.0, 100.0].map(figure);
        assert_eq!(all, ["1234", "42.1", "3", "0.126", "0", "100"]);
    }

    #[test]
    fn escape_codes_of_others_never_reach_the_terminal() {
        assert_eq!(one_line("a\n  b\u{1b}[2Jc"), "a b [2Jc");
    }
}
