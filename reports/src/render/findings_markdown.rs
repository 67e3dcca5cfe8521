//! Findings as a Markdown table, for a comment under a pull request.

use super::summary_md::escaped;
use crate::finding::{Finding, Severity};
use std::fmt::Write as _;

/// `summary` first, then what could not be read, then a row for each finding that nobody accepted.
pub fn render(findings: &[Finding], unreadable: &[String], summary: &str) -> String {
    let mut out = format!("**{}**\n", escaped(summary));
    for error in unreadable {
        let _ = writeln!(out, "\n- could not be judged: {}", escaped(error));
    }
    let standing: Vec<&Finding> = findings.iter().filter(|f| f.stands()).collect();
    if standing.is_empty() {
        return out;
    }
    out.push_str("\n| | Rule | Where | What | How to mend it |\n| --- | --- | --- | --- | --- |\n");
    for finding in standing {
        let weight = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        let what = format!("{}: {}", finding.resource, finding.message);
        let _ = writeln!(out, "| {weight} | {} {} | `{}` | {} | {} |", finding.rule, finding.name, finding.location, escaped(&what), escaped(&finding.fix));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::sample;

    #[test]
    fn a_row_for_each_finding_that_stands() {
        let mut broken = sample(Severity::Error, None);
        broken.message = "a | b\n<script>".into();
        let text = render(&[broken, sample(Severity::Error, Some("legacy"))], &["x.yaml: broken".into()], "fail: 2 objects");
        assert_eq!(text.lines().filter(|l| l.starts_with("| error")).count(), 1);
        assert!(text.contains(r"a \| b &lt;script&gt;") && text.contains("could not be judged: x.yaml: broken"), "{text}");
    }

    #[test]
    fn nothing_found_is_one_line() {
        assert_eq!(render(&[], &[], "pass: 3 objects"), "**pass: 3 objects**\n");
    }
}
