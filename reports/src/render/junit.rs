//! `junit.xml`: one test suite per platform and stage, one test case per assertion, for CI systems.

use super::RenderError;
use crate::run::{Assertion, Run, StageReport};
use crate::verdict::Verdict;
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// The run as JUnit XML. What could not be judged is an `<error type="inconclusive">`: no CI shows it green.
///
/// # Errors
/// Only for a bug in the XML writer.
pub fn render(run: &Run) -> Result<String, RenderError> {
    let mut report = Report::new("gauntlet");
    report.set_time(Duration::from_millis(run.duration_ms));
    for platform in &run.platforms {
        for stage in &platform.stages {
            report.add_test_suite(suite(run, &platform.name, stage));
        }
    }
    // A run that ended before any stage must not look like an empty, green report.
    if run.platforms.iter().all(|p| p.stages.is_empty()) {
        let mut suite = TestSuite::new("run");
        suite.add_test_case(case("gauntlet.run", "run", run.verdict, &run.reason, ""));
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|e| RenderError::Draw { file: "junit.xml", cause: e.to_string() })
}

fn suite(run: &Run, platform: &str, stage: &StageReport) -> TestSuite {
    let name = format!("{platform}.{}", stage.name);
    let mut suite = TestSuite::new(name.clone());
    suite.set_time(Duration::from_millis(stage.ended_ms.saturating_sub(stage.started_ms)));
    for (key, value) in [("run_id", run.run_id.clone()), ("seed", run.seed.to_string()), ("profile", run.profile.clone())] {
        suite.add_property(Property::new(key, value));
    }
    for assertion in &stage.assertions {
        suite.add_test_case(case(&name, &assertion.id, assertion.verdict, &assertion.reason, &details(assertion)));
    }
    // The stage's own verdict shows when no assertion carries it.
    if Verdict::of(stage.assertions.iter().map(|a| a.verdict)) != stage.verdict || stage.assertions.is_empty() {
        suite.add_test_case(case(&name, "stage", stage.verdict, &stage.reason, ""));
    }
    suite
}

fn case(class: &str, name: &str, verdict: Verdict, reason: &str, details: &str) -> TestCase {
    let mut status = match verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::NotApplicable => TestCaseStatus::skipped(),
    };
    if verdict != Verdict::Pass {
        status.set_message(reason);
        if verdict != Verdict::NotApplicable {
            status.set_type(verdict.as_str()).set_description(details);
        }
    }
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

fn details(assertion: &Assertion) -> String {
    let mut text = format!("expected: {}\nmeasured: {}\nreason: {}", assertion.expected, assertion.measured, assertion.reason);
    for evidence in &assertion.evidence {
        text.push_str("\nevidence: ");
        text.push_str(evidence);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::StageName;

    fn xml(stage: StageReport) -> String {
        let run: Run = serde_json::from_value(serde_json::json!({
            "run_id": "r1", "verdict": "pass", "seed": 7, "profile": "quick", "started_at": "", "duration_ms": 0,
            "host": {"os": "", "kernel": "", "cores": 2, "memory_mib": 1},
            "platforms": [{"name": "globeco", "verdict": stage.verdict, "stages": [stage]}],
        }))
        .expect("run");
        render(&run).expect("xml")
    }

    #[test]
    fn a_fault_that_was_not_proven_is_an_error_and_never_green() {
        let assertion = Assertion::inconclusive("stop-node.proven", "node NotReady", "the node stayed Ready");
        let text = xml(StageReport::judge(StageName::Chaos, 0, 9, vec![assertion], ""));
        assert!(text.contains(r#"errors="1" failures="0""#) || text.contains(r#"failures="0" errors="1""#), "{text}");
        assert!(text.contains(r#"<error message="the node stayed Ready" type="inconclusive">"#), "{text}");
    }

    #[test]
    fn a_stage_without_assertions_is_still_counted() {
        let text = xml(StageReport::inconclusive(StageName::Load, 0, 9, "deploy failed"));
        assert!(text.contains(r#"<testcase name="stage" classname="globeco.load">"#) && text.contains("deploy failed"), "{text}");
    }

    #[test]
    fn a_pass_is_a_plain_case_and_a_soak_without_websockets_is_skipped() {
        let passed = xml(StageReport::judge(StageName::Load, 0, 9, vec![Assertion::pass("hpa.scales_up", "> 3", "9")], ""));
        assert!(passed.contains(r#"<testcase name="hpa.scales_up" classname="globeco.load"/>"#), "{passed}");
        assert!(!passed.contains("<error") && !passed.contains("<failure"), "{passed}");
        let soak = xml(StageReport::not_applicable(StageName::Soak, 0, "no WebSocket endpoint"));
        assert!(soak.contains(r#"<skipped message="no WebSocket endpoint"/>"#), "{soak}");
    }
}
