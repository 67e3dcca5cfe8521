//! Findings as workflow commands, which GitHub Actions shows at the line that they are about.
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use crate::finding::{Finding, Severity};
use std::fmt::Write as _;

/// A line for each finding that nobody accepted, and for each input that could not be read.
pub fn render(findings: &[Finding], unreadable: &[String]) -> String {
    let mut out = String::new();
    for error in unreadable {
        let _ = writeln!(out, "::error title=could not be judged::{}", data(error));
    }
    for finding in findings.iter().filter(|f| f.stands()) {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let (at, title) = (&finding.location, format!("{} {}", finding.rule, finding.name));
        let text = format!("{}: {}\n{}", finding.resource, finding.message, finding.fix);
        let _ = writeln!(out, "::{command} file={},line={},col={},title={}::{}", property(&at.file), at.line, at.column, property(&title), data(&text));
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::sample;

    #[test]
    fn commands_cannot_be_broken_by_what_they_tell() {
        let mut finding = sample(Severity::Warning, None);
        (finding.location.file, finding.message) = ("a,b:c.yaml".into(), "100 %\n::error::x".into());
        let text = render(&[finding], &["broken\nfile".into()]);
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("::warning file=a%2Cb%3Ac.yaml,line=12,col=5,title=IMG001 latest-tag::"), "{text}");
        assert!(text.contains("100 %25%0A::error::x"), "{text}");
        assert_eq!(render(&[sample(Severity::Error, Some("legacy"))], &[]), "");
    }
}
