//! `findings.sarif`: the policies' findings in SARIF 2.1.0 (OASIS), for code scanning and editors.

use super::RenderError;
use crate::event::{Event, EventKind};
use crate::finding::{Finding, Severity};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The findings among the events. A run without findings has an empty list of results: nothing was found, and that is told.
///
/// # Errors
/// Only for a bug in the JSON writer.
pub fn render(events: &[Event]) -> Result<String, RenderError> {
    of_findings(events.iter().filter_map(|e| if let EventKind::Found(finding) = &e.kind { Some(finding) } else { None }))
}

/// Findings as a SARIF log.
///
/// # Errors
/// Only for a bug in the JSON writer.
pub fn of_findings<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Result<String, RenderError> {
    let findings: Vec<&Finding> = findings.into_iter().collect();
    let rules: BTreeMap<&str, Value> = findings.iter().map(|f| (f.rule.as_str(), rule(f))).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "gauntlet", "version": env!("CARGO_PKG_VERSION"), "rules": rules.into_values().collect::<Vec<_>>()}},
            // As locations count columns.
            "columnKind": "unicodeCodePoints",
            "results": findings.into_iter().map(result).collect::<Vec<_>>()
        }]
    });
    serde_json::to_string_pretty(&log).map(|text| text + "\n").map_err(|e| RenderError::Draw { file: "findings.sarif", cause: e.to_string() })
}

fn rule(finding: &Finding) -> Value {
    json!({"id": finding.rule, "name": finding.name, "shortDescription": {"text": finding.name}, "fullDescription": {"text": finding.why},
        "help": {"text": finding.fix}})
}

fn result(finding: &Finding) -> Value {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    };
    let at = &finding.location;
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level,
        // Code scanning knows a finding again by it, when lines have moved.
        "partialFingerprints": {"gauntlet/v1": finding.fingerprint()},
        "message": {"text": format!("{}: {}", finding.resource, finding.message)},
        "locations": [{
            "physicalLocation": {"artifactLocation": {"uri": uri(&at.file)}, "region": {"startLine": at.line.max(1), "startColumn": at.column.max(1)}},
            "logicalLocations": [{"fullyQualifiedName": format!("{} {}", finding.resource, finding.field)}]
        }]
    });
    if let Some(reason) = &finding.waived {
        result["suppressions"] = json!([{"kind": "external", "status": "accepted", "justification": reason}]);
    }
    result
}

/// A path as a URI reference (RFC 3986): everything but unreserved characters and `/` is escaped.
fn uri(path: &str) -> String {
    let escaped: String = path
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() || b"-._~/".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    if path.starts_with('/') { format!("file://{escaped}") } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::sample;

    fn event(severity: Severity, waived: Option<&str>) -> Event {
        Event { at_ms: 1, platform: None, stage: None, kind: EventKind::Found(sample(severity, waived)) }
    }

    fn rendered(events: &[Event]) -> Value {
        serde_json::from_str(&render(events).expect("text")).expect("JSON")
    }

    #[test]
    fn a_finding_is_a_result_at_its_place_and_a_waived_one_is_suppressed() {
        let log = rendered(&[event(Severity::Error, None), event(Severity::Info, Some("legacy"))]);
        let run = &log["runs"][0];
        assert_eq!((log["version"].as_str(), run["tool"]["driver"]["rules"].as_array().map(Vec::len)), (Some("2.1.0"), Some(1)), "each rule once");
        let place = &run["results"][0]["locations"][0]["physicalLocation"];
        assert_eq!((place["artifactLocation"]["uri"].as_str(), place["region"]["startLine"].as_u64()), (Some("fixtures/my%20shop/deployment.yaml"), Some(12)));
        let levels: Vec<_> = [0, 1].iter().map(|n| run["results"][n]["level"].as_str().expect("level")).collect();
        assert_eq!(levels, ["error", "note"]);
        assert_eq!(run["results"][0]["partialFingerprints"]["gauntlet/v1"], "IMG001/Deployment shop/order/spec.replicas");
        assert!(run["results"][0].get("suppressions").is_none());
        assert_eq!(run["results"][1]["suppressions"][0]["justification"], "legacy");
    }

    #[test]
    fn no_findings_are_an_empty_list() {
        assert_eq!(rendered(&[])["runs"][0]["results"], json!([]));
        assert_eq!(uri("/a/b c"), "file:///a/b%20c");
    }
}
