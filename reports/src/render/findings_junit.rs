//! Findings as JUnit XML, for CI systems that show tests: one suite per file, one case per finding.

use super::RenderError;
use crate::finding::{Finding, Severity};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeMap;

/// A finding at or above `fails_at` is a failure, a lesser or a waived one is skipped. What could not be read is an error in
/// a suite of its own. A report without cases would look as if nothing had been judged: then one case says what was.
///
/// # Errors
/// Only for a bug in the XML writer.
pub fn render(findings: &[Finding], unreadable: &[String], objects: usize, fails_at: Severity) -> Result<String, RenderError> {
    let mut report = Report::new("gauntlet policies");
    let mut files: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        files.entry(&finding.location.file).or_default().push(finding);
    }
    for (file, findings) in files {
        let mut suite = TestSuite::new(file);
        suite.add_test_cases(findings.into_iter().map(|finding| case(finding, fails_at)));
        report.add_test_suite(suite);
    }
    if !unreadable.is_empty() {
        let mut suite = TestSuite::new("could not be judged");
        for error in unreadable {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(error.clone()).set_type("inconclusive");
            suite.add_test_case(TestCase::new("input", status));
        }
        report.add_test_suite(suite);
    }
    if report.test_suites.is_empty() {
        let mut suite = TestSuite::new("policies");
        suite.add_test_case(TestCase::new(format!("{objects} objects without a finding"), TestCaseStatus::success()));
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|e| RenderError::Draw { file: "the findings as JUnit", cause: e.to_string() })
}

fn case(finding: &Finding, fails_at: Severity) -> TestCase {
    let place = format!("{} {} {}", finding.location, finding.resource, finding.field);
    let mut status = match &finding.waived {
        Some(_) => TestCaseStatus::skipped(),
        None if finding.severity < fails_at => TestCaseStatus::skipped(),
        None => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    match &finding.waived {
        Some(reason) => status.set_message(format!("waived: {reason}")),
        None => status.set_message(finding.message.clone()),
    };
    if finding.stands() && finding.severity >= fails_at {
        status.set_type(finding.rule.clone()).set_description(format!("{place}\n{}\n{}", finding.why, finding.fix));
    }
    let mut case = TestCase::new(format!("{} {}: {place}", finding.rule, finding.name), status);
    case.set_classname(finding.resource.clone());
    case
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::sample;

    #[test]
    fn a_failure_a_lesser_one_and_a_waived_one() {
        let findings = [sample(Severity::Error, None), sample(Severity::Warning, None), sample(Severity::Error, Some("legacy"))];
        let xml = render(&findings, &[], 3, Severity::Error).expect("xml");
        assert!(xml.contains(r#"tests="3""#) && xml.contains(r#"failures="1""#), "{xml}");
        assert!(xml.contains(r#"<skipped message="waived: legacy"/>"#), "{xml}");
        let all = render(&findings, &[], 3, Severity::Warning).expect("xml");
        assert!(all.contains(r#"failures="2""#), "{all}");
    }

    #[test]
    fn nothing_found_is_a_green_case_and_nothing_read_is_an_error() {
        assert!(render(&[], &[], 4, Severity::Error).expect("xml").contains("4 objects without a finding"));
        let xml = render(&[], &["a.yaml:3:1: broken".into()], 0, Severity::Error).expect("xml");
        assert!(xml.contains(r#"errors="1""#) && xml.contains("a.yaml:3:1: broken"), "{xml}");
    }
}
