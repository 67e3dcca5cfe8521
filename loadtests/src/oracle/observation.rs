//! What an observer saw of an HPA and its pods.

use super::algorithm::Reading;
use super::census::PodView;
use super::compare::Comparison;
use super::replay::Input;
use super::spec::HpaView;
use serde::Serialize;
use std::collections::BTreeMap;

/// The HPA and its pods at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Point {
    /// On the run's clock, in ms.
    pub at_ms: u64,
    /// Replicas that the HPA went by.
    pub current: i32,
    /// What it decided.
    pub desired: i32,
    /// Pods that serve.
    pub ready: i32,
    /// Reason of the condition ScalingLimited when it holds.
    pub limited: Option<String>,
}

/// The life of a pod as the observer saw it, in ms on the run's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Life {
    /// First seen.
    pub seen_ms: u64,
    /// Seen to be scheduled.
    pub scheduled_ms: Option<u64>,
    /// First seen Ready.
    pub ready_ms: Option<u64>,
    /// Seen to be on its way out, or gone.
    pub gone_ms: Option<u64>,
    /// Since when it cannot be scheduled; cleared when it is.
    pub stuck_since_ms: Option<u64>,
    /// The longest time that it could not be scheduled.
    pub stuck_ms: u64,
    /// Why.
    pub stuck_why: Option<String>,
}

/// A value of a metric that is no resource, as the HPA reported it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Value {
    /// When it was seen, on the run's clock in ms.
    pub at_ms: u64,
    /// The metric, see [`Metric::name`].
    pub metric: String,
    /// The value, in thousandths.
    pub milli: i64,
    /// What it is held against, in thousandths.
    pub target_milli: i64,
}

/// Everything seen so far.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// `Kind/name` of what the HPA scales.
    pub workload: String,
    /// The latest state of the HPA.
    pub hpa: Option<HpaView>,
    /// The pods of the target.
    pub pods: Vec<PodView>,
    /// Each change of the HPA or of the ready pods.
    pub points: Vec<Point>,
    /// What the calculator was told.
    pub inputs: Vec<Input>,
    /// Each judged status.
    pub comparisons: Vec<Comparison>,
    /// Each pod.
    pub lives: BTreeMap<String, Life>,
    /// Each change of a metric that is no resource.
    pub values: Vec<Value>,
    /// What the controller complained of in Events on the HPA: the last message by reason, such as `FailedGetPodsMetric`.
    pub complaints: BTreeMap<String, String>,
    /// How often a watch was interrupted.
    pub interruptions: u32,
    /// Why `metrics.k8s.io` did not answer the last time; `None` when it did.
    pub metrics_api: Option<String>,
}

impl Observation {
    /// Pods that serve.
    pub fn ready(&self) -> i32 {
        i32::try_from(self.pods.iter().filter(|p| p.is_ready()).count()).unwrap_or(i32::MAX)
    }

    /// What stands in the way of scaling, for people: the HPA's own words, and the controller's Events on metrics that could
    /// not be had. An HPA that scales by one metric says nothing of another that is missing, only its Events do.
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.hpa.as_ref()?.trouble()?;
        let said = self.complaints.iter().filter(|(reason, message)| reason.starts_with("FailedGet") && !trouble.contains(*message));
        Some(said.fold(trouble.clone(), |text, (reason, message)| format!("{text}; {reason}: {message}")))
    }
}

/// Counts the time that a pod cannot be scheduled.
pub(super) fn stuck(life: &mut Life, why: Option<String>, now: u64) {
    match why {
        Some(why) => {
            let since = *life.stuck_since_ms.get_or_insert(now);
            life.stuck_ms = life.stuck_ms.max(now - since);
            life.stuck_why = Some(why);
        }
        None => {
            life.stuck_ms = life.stuck_ms.max(life.stuck_since_ms.take().map_or(0, |since| now - since));
        }
    }
}

/// Adds the values that changed of metrics that are no resource.
pub(super) fn values(o: &mut Observation, hpa: &HpaView, at_ms: u64) {
    for metric in hpa.metrics.iter().filter(|m| !m.resource) {
        let Some((milli, target_milli)) = metric.reading.map(Reading::pair) else { continue };
        let last = o.values.iter().rfind(|v| v.metric == metric.name).map(|v| v.milli);
        if last != Some(milli) {
            o.values.push(Value { at_ms, metric: metric.name.clone(), milli, target_milli });
        }
    }
}

/// Adds a point when something changed.
pub(super) fn point(o: &mut Observation, at_ms: u64) {
    let Some(hpa) = &o.hpa else { return };
    let limited = hpa.condition("ScalingLimited").filter(|c| c.holds).map(|c| c.reason.clone());
    let now = Point { at_ms, current: hpa.current, desired: hpa.desired, ready: o.ready(), limited };
    let same = |last: &Point| Point { at_ms, ..last.clone() } == now;
    if !o.points.last().is_some_and(same) {
        o.points.push(now);
    }
}

#[cfg(test)]
mod tests {
    use super::super::ControllerSettings;
    use super::super::spec::tests::hpa;
    use super::*;
    use serde_json::json;

    fn view(requests: Option<&str>) -> HpaView {
        let pods = |value: &str| json!({"type": "Pods", "pods": {"metric": {"name": "rps"}, "current": {"averageValue": value}}});
        let spec = json!({"scaleTargetRef": {"kind": "Deployment", "name": "orders"}, "maxReplicas": 9, "metrics": [
            {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "10"}}}]});
        let active = json!({"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"});
        let current: Vec<_> = requests.into_iter().map(pods).collect();
        let status = json!({"currentReplicas": 3, "desiredReplicas": 3, "conditions": [active], "currentMetrics": current});
        HpaView::of(&hpa(spec, status), ControllerSettings::default())
    }

    #[test]
    fn only_changes_of_a_custom_metric_are_kept() {
        let mut o = Observation::default();
        for (at, value) in [(1, Some("2500m")), (2, Some("2500m")), (3, None), (4, Some("12")), (5, Some("2500m"))] {
            values(&mut o, &view(value), at);
        }
        let seen: Vec<_> = o.values.iter().map(|v| (v.at_ms, v.milli, v.target_milli)).collect();
        assert_eq!(seen, [(1, 2_500, 10_000), (4, 12_000, 10_000), (5, 2_500, 10_000)]);
        assert_eq!(o.values[0].metric, "pods metric rps");
    }

    #[test]
    fn a_missing_metric_is_explained_by_the_controllers_events() {
        let mut o = Observation { hpa: Some(view(None)), ..Observation::default() };
        o.complaints.insert("FailedGetPodsMetric".into(), "unable to get metric rps: no metrics returned".into());
        o.complaints.insert("BackOff".into(), "something else".into());
        let trouble = o.trouble().expect("trouble");
        assert_eq!(trouble, "pods metric rps has no value; FailedGetPodsMetric: unable to get metric rps: no metrics returned");
        o.hpa = Some(view(Some("3")));
        assert_eq!(o.trouble(), None, "old complaints do not count once there is a value");
    }
}
