//! The scale target of an HPA in the cluster: its pods and their samples, in the words of the calculator.

use super::census::{PodView, Samples, Usage};
use gauntlet_reports::clock::Clock;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, Time};
use k8s_openapi::jiff::Timestamp;
use kube::core::{Expression, Selector};
use kube::{Api, Client};
use serde::Deserialize;
use std::time::SystemTime;

/// A Go duration such as `5s`, `1m30s`, `250ms` in ms.
pub fn duration_ms(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let mut sum = 0.0;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, tail) = rest.split_at(unit_at);
        let next = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, after) = tail.split_at(next);
        let scale = match unit {
            "h" => 3_600_000.0,
            "m" => 60_000.0,
            "s" => 1000.0,
            "ms" => 1.0,
            "us" | "µs" => 1e-3,
            "ns" => 1e-6,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * scale;
        rest = after;
    }
    (!text.trim().is_empty()).then_some(sum.round() as i64)
}

/// Milliseconds since 1970 on the run's clock.
pub fn unix_on_clock(unix_ms: i64, clock: Clock) -> i64 {
    Timestamp::from_millisecond(unix_ms).map_or(i64::MIN, |t| clock.at_wall(SystemTime::from(t)))
}

/// A pod in the words of the calculator.
pub fn pod_view(pod: &Pod) -> PodView {
    let status = pod.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let find = |type_: &str| conditions.iter().find(|c| c.type_ == type_);
    let changed = |c: &k8s_openapi::api::core::v1::PodCondition| c.last_transition_time.as_ref().map(|t| t.0.as_millisecond());
    let scheduled = find("PodScheduled");
    let stuck = scheduled.filter(|c| c.status == "False");
    PodView {
        name: pod.metadata.name.clone().unwrap_or_default(),
        phase: status.phase.unwrap_or_default(),
        deleted: pod.metadata.deletion_timestamp.is_some(),
        ready: find("Ready").map(|c| (c.status == "True", changed(c).unwrap_or(0))),
        started_ms: status.start_time.as_ref().map(|t| t.0.as_millisecond()),
        scheduled_ms: scheduled.filter(|c| c.status == "True").and_then(changed),
        unschedulable: stuck.map(|c| c.message.clone().unwrap_or_else(|| "unschedulable".to_owned())),
        node: pod.spec.as_ref().and_then(|s| s.node_name.clone()),
    }
}

/// Why the scale target cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The API server refused or did not answer.
    #[error("read {what}: {cause}")]
    Api {
        /// The object.
        what: String,
        /// Why.
        cause: kube::Error,
    },
    /// The object has no selector, or is of a kind that has none.
    #[error("find the pods of {0}: it has no selector that this suite can read")]
    NoSelector(String),
}

/// The label selector of a Deployment's or StatefulSet's pods.
///
/// # Errors
/// [`TargetError`].
pub async fn selector(client: &Client, namespace: &str, kind: &str, name: &str) -> Result<String, TargetError> {
    let what = format!("{kind} {namespace}/{name}");
    let failed = |cause| TargetError::Api { what: what.clone(), cause };
    let selector = match kind {
        "Deployment" => {
            let found = Api::<Deployment>::namespaced(client.clone(), namespace).get(name).await.map_err(failed)?;
            found.spec.map(|s| s.selector)
        }
        "StatefulSet" => {
            let found = Api::<StatefulSet>::namespaced(client.clone(), namespace).get(name).await.map_err(failed)?;
            found.spec.map(|s| s.selector)
        }
        _ => None,
    };
    selector.and_then(text).ok_or(TargetError::NoSelector(what))
}

fn text(selector: LabelSelector) -> Option<String> {
    let equal = selector.match_labels.unwrap_or_default().into_iter().map(|(k, v)| Expression::Equal(k, v));
    let mut all: Vec<Expression> = equal.collect();
    for requirement in selector.match_expressions.unwrap_or_default() {
        let values = requirement.values.unwrap_or_default().into_iter().collect();
        all.push(match requirement.operator.as_str() {
            "In" => Expression::In(requirement.key, values),
            "NotIn" => Expression::NotIn(requirement.key, values),
            "Exists" => Expression::Exists(requirement.key),
            "DoesNotExist" => Expression::DoesNotExist(requirement.key),
            _ => return None,
        });
    }
    (!all.is_empty()).then(|| all.into_iter().collect::<Selector>().to_string())
}

#[derive(Deserialize)]
struct PodMetricsList {
    items: Vec<PodMetrics>,
}

#[derive(Deserialize)]
struct PodMetrics {
    metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
    timestamp: Time,
    window: String,
}

/// The samples that `metrics.k8s.io` has of the pods of a namespace.
///
/// # Errors
/// The API server's answer: 503 or 404 when the aggregated API is not served.
pub async fn samples(client: &Client, namespace: &str) -> Result<Samples, kube::Error> {
    let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods");
    let request = kube::core::Request::new(path).list(&Default::default()).map_err(kube::Error::BuildRequest)?;
    let list: PodMetricsList = client.request(request).await?;
    let sample = |item: PodMetrics| {
        let usage = Usage { at_ms: item.timestamp.0.as_millisecond(), window_ms: duration_ms(&item.window).unwrap_or(0) };
        Some((item.metadata.name?, usage))
    };
    Ok(list.items.into_iter().filter_map(sample).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("5s", Some(5_000))]
    #[case("1m30s", Some(90_000))]
    #[case("250ms", Some(250))]
    #[case("15.163s", Some(15_163))]
    #[case("1h0m0s", Some(3_600_000))]
    #[case("5", None)]
    #[case("", None)]
    fn durations_of_go(#[case] text: &str, #[case] expected: Option<i64>) {
        assert_eq!(duration_ms(text), expected);
    }

    #[test]
    fn selectors_become_text() {
        let selector = serde_json::from_value(json!({
            "matchLabels": {"app": "orders"},
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["a"]}, {"key": "old", "operator": "DoesNotExist"}]
        }));
        assert_eq!(text(selector.expect("selector")).expect("text"), "app=orders,tier in (a),!old");
        assert_eq!(text(LabelSelector::default()), None);
    }

    #[test]
    fn a_pod_that_cannot_be_scheduled_says_why() {
        let pod = serde_json::from_value(json!({
            "metadata": {"name": "a"},
            "status": {"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes: Insufficient cpu"}]}
        }));
        let view = pod_view(&pod.expect("pod"));
        assert_eq!(view.unschedulable.as_deref(), Some("0/3 nodes: Insufficient cpu"));
        assert!(!view.is_ready() && view.scheduled_ms.is_none());
    }
}
