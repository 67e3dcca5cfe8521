//! Does the HPA see its metrics? And if not: is the platform to blame, or the cluster?

use super::targets::Watched;
use crate::oracle::observation::Observation;
use crate::oracle::spec::HpaView;
use gauntlet_reports::run::Assertion;
use kube::Client;
use std::time::Duration;

/// Waits until every metric of an HPA has a value.
pub(super) async fn sees_metrics(client: &Client, watched: &Watched<'_>, within: Duration) -> Assertion {
    let mut seen = watched.observer.watch();
    let decided = |o: &Observation| o.hpa.as_ref().is_some_and(|h| h.sees_metrics() || without_request(h).is_some());
    let _ = tokio::time::timeout(within, seen.wait_for(decided)).await;
    let seen = watched.observer.watch().borrow().clone();
    let id = format!("{}.sees_metrics", watched.prefix);
    let expected = format!("every metric of the HPA {} has a value, ScalingActive is True", watched.target.hpa);
    match &seen.hpa {
        Some(hpa) if hpa.sees_metrics() => Assertion::pass(id, expected, values(hpa)),
        Some(hpa) => {
            let dead = match without_request(hpa) {
                Some(_) => None,
                None => dead_apis(client, hpa, &seen).await,
            };
            judge(id, expected, &seen, dead, within)
        }
        None => Assertion::inconclusive(id, expected, "the HPA could not be watched"),
    }
}

fn values(hpa: &HpaView) -> String {
    let value = |m: &crate::oracle::spec::Metric| match m.reading.map(|r| r.pair()) {
        Some((current, target)) => format!("{} {current}/{target}", m.name),
        None => format!("{} none", m.name),
    };
    hpa.metrics.iter().map(value).collect::<Vec<_>>().join(", ")
}

/// The condition that no waiting will mend: utilization is a share of a request that is not there.
fn without_request(hpa: &HpaView) -> Option<&str> {
    hpa.conditions.iter().find(|c| !c.holds && c.message.contains("missing request for")).map(|c| c.message.as_str())
}

/// `dead`: the APIs that do not serve the metrics, with what they said.
fn judge(id: String, expected: String, seen: &Observation, dead: Option<String>, within: Duration) -> Assertion {
    let Some(hpa) = &seen.hpa else { return Assertion::inconclusive(id, expected, "the HPA could not be watched") };
    if let Some(message) = without_request(hpa) {
        let reason = format!("the HPA cannot scale: a container has no resource request that utilization could be measured against: {message}");
        return Assertion::fail(id, expected, values(hpa), reason);
    }
    if let Some(dead) = dead {
        return Assertion::inconclusive(id, expected, dead);
    }
    if hpa.conditions.is_empty() {
        let reason = format!("the autoscaler did not look at the HPA within {} s", within.as_secs());
        return Assertion::inconclusive(id, expected, reason);
    }
    let trouble = seen.trouble().unwrap_or_else(|| "no metric is declared".to_owned());
    Assertion::fail(id, expected, values(hpa), format!("after {} s: {trouble}", within.as_secs()))
}

/// The aggregated APIs behind the metrics that have no value, asked directly.
async fn dead_apis(client: &Client, hpa: &HpaView, seen: &Observation) -> Option<String> {
    let blind: Vec<_> = hpa.metrics.iter().filter(|m| m.reading.is_none()).collect();
    if blind.iter().any(|m| m.resource) {
        if let Some(said) = silent(client, "metrics.k8s.io", &["v1beta1"]).await {
            return Some(said);
        }
        if let Some(said) = &seen.metrics_api {
            return Some(format!("metrics.k8s.io does not answer: {said}"));
        }
    }
    if blind.iter().any(|m| m.name.starts_with("external")) {
        return silent(client, "external.metrics.k8s.io", &["v1beta1"]).await;
    }
    if blind.iter().any(|m| !m.resource) {
        return silent(client, "custom.metrics.k8s.io", &["v1beta2", "v1beta1"]).await;
    }
    None
}

/// What an API says when it is not served in any of the versions, or serves no metric at all; `None` when it does.
async fn silent(client: &Client, group: &str, versions: &[&str]) -> Option<String> {
    let mut said = String::new();
    for version in versions {
        let version = format!("{group}/{version}");
        match tokio::time::timeout(Duration::from_secs(5), client.list_api_group_resources(&version)).await {
            // An adapter that lists nothing has nothing to take from: its Prometheus is what is missing.
            Ok(Ok(list)) if list.resources.is_empty() => said = "it answers and serves no metric".to_owned(),
            Ok(Ok(_)) => return None,
            Ok(Err(error)) => said = super::chain(&error),
            Err(_) => said = "no answer within 5 s".to_owned(),
        }
    }
    Some(format!("{group} does not answer: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::ControllerSettings;
    use crate::oracle::spec::tests::hpa;
    use gauntlet_reports::verdict::Verdict;
    use serde_json::{Value, json};

    fn seen(metric: Value, reason: &str, message: &str) -> Observation {
        let spec = json!({"scaleTargetRef": {"kind": "Deployment", "name": "orders"}, "maxReplicas": 20, "metrics": [metric]});
        let condition = json!({"type": "ScalingActive", "status": "False", "reason": reason, "message": message});
        let status = json!({"currentReplicas": 3, "desiredReplicas": 3, "conditions": [condition]});
        Observation { hpa: Some(HpaView::of(&hpa(spec, status), ControllerSettings::default())), ..Observation::default() }
    }

    fn cpu(message: &str) -> Observation {
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}});
        seen(metric, "FailedGetResourceMetric", message)
    }

    fn judged(seen: &Observation, dead: Option<&str>) -> Assertion {
        judge("hpa.sees_metrics".into(), String::new(), seen, dead.map(str::to_owned), Duration::from_secs(1))
    }

    #[test]
    fn a_missing_request_is_the_platforms_fault() {
        let seen = cpu("failed to get cpu utilization: missing request for cpu in container orders of Pod orders-1");
        let got = judged(&seen, Some("metrics.k8s.io is dead as well"));
        assert_eq!(got.verdict, Verdict::Fail);
        assert!(got.reason.contains("missing request for cpu"), "{}", got.reason);
    }

    #[test]
    fn a_dead_api_is_not_the_platforms_fault() {
        let seen = cpu("unable to fetch metrics from resource metrics API: the server is currently unable to handle the request");
        let dead = judged(&seen, Some("metrics.k8s.io does not answer: 503"));
        assert_eq!((dead.verdict, dead.reason.as_str()), (Verdict::Inconclusive, "metrics.k8s.io does not answer: 503"));
        let alive = judged(&seen, None);
        assert!(alive.verdict == Verdict::Fail && alive.reason.contains("FailedGetResourceMetric"), "{}", alive.reason);
    }

    #[test]
    fn a_custom_metric_that_nobody_exports_fails_with_the_controllers_words() {
        let target = json!({"type": "AverageValue", "averageValue": "10"});
        let metric = json!({"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": target}});
        let said = "unable to get metric rps: no metrics returned from custom metrics API";
        let got = judged(&seen(metric, "FailedGetPodsMetric", said), None);
        assert_eq!(got.verdict, Verdict::Fail);
        assert!(got.reason.contains("FailedGetPodsMetric") && got.reason.contains("pods metric rps has no value"), "{}", got.reason);
    }
}
