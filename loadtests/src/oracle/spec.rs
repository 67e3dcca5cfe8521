//! An HPA object in the words of the calculator.

use super::ControllerSettings;
use super::algorithm::Reading;
use super::behavior::{Amount, Behavior, Policy, Rules, Select};
use super::quantity::milli;
use k8s_openapi::api::autoscaling::v2::{
    HPAScalingRules, HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::{Deserialize, Serialize};

/// One metric of the spec with what the status says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    /// A name for people, such as `resource cpu`.
    pub name: String,
    /// True for the resource cpu, whose samples of young pods do not count.
    pub cpu: bool,
    /// True for resources, whose samples come from `metrics.k8s.io`.
    pub resource: bool,
    /// Measured and wanted; `None` when the status has no value.
    pub reading: Option<Reading>,
}

/// What the HPA said at one sync.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HpaView {
    /// `minReplicas`.
    pub min: i32,
    /// `maxReplicas`.
    pub max: i32,
    /// The target's replicas that the controller went by.
    pub current: i32,
    /// What it decided.
    pub desired: i32,
    /// The metrics of the spec.
    pub metrics: Vec<Metric>,
    /// Windows and policies, defaults filled in.
    pub behavior: Behavior,
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// `lastScaleTime` as milliseconds since 1970.
    pub last_scale_unix_ms: Option<i64>,
}

/// A condition of the HPA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// `AbleToScale`, `ScalingActive` or `ScalingLimited`.
    pub type_: String,
    /// True when its status is `True`.
    pub holds: bool,
    /// Its reason.
    pub reason: String,
    /// Its message.
    pub message: String,
}

impl Condition {
    /// The condition for people.
    pub fn text(&self) -> String {
        format!("{}={} {}: {}", self.type_, if self.holds { "True" } else { "False" }, self.reason, self.message)
    }
}

impl HpaView {
    /// Reads an HPA object.
    pub fn of(hpa: &HorizontalPodAutoscaler, settings: ControllerSettings) -> Self {
        let status = hpa.status.clone().unwrap_or_default();
        let said = status.current_metrics.unwrap_or_default();
        let spec = hpa.spec.clone().unwrap_or_default();
        let rules = spec.behavior.clone().unwrap_or_default();
        let standard = Behavior::standard(settings.downscale_stabilization_ms, settings.tolerance);
        let behavior = Behavior {
            up: filled(rules.scale_up, standard.up),
            down: filled(rules.scale_down, standard.down),
            absent: spec.behavior.is_none(),
        };
        HpaView {
            min: spec.min_replicas.unwrap_or(1),
            max: spec.max_replicas,
            current: status.current_replicas.unwrap_or(0),
            desired: status.desired_replicas,
            metrics: spec.metrics.unwrap_or_default().iter().map(|m| metric(m, &said)).collect(),
            behavior,
            conditions: status.conditions.unwrap_or_default().into_iter().map(condition).collect(),
            last_scale_unix_ms: status.last_scale_time.map(|t| t.0.as_millisecond()),
        }
    }

    /// A condition by its type.
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        self.conditions.iter().find(|c| c.type_ == type_)
    }

    /// True when every metric of the spec has a value and the HPA says that it scales.
    pub fn sees_metrics(&self) -> bool {
        let active = self.condition("ScalingActive").is_some_and(|c| c.holds);
        active && !self.metrics.is_empty() && self.metrics.iter().all(|m| m.reading.is_some())
    }

    /// Measured CPU in percent of the request.
    pub fn cpu_percent(&self) -> Option<i64> {
        self.metrics.iter().find_map(|m| match m.reading {
            Some(Reading::Utilization { current, .. }) if m.cpu => Some(current),
            _ => None,
        })
    }

    /// What stands in the way of scaling, for people: the conditions that do not hold and the metrics without a value.
    pub fn trouble(&self) -> Option<String> {
        let bad = self.conditions.iter().filter(|c| !c.holds && c.type_ != "ScalingLimited").map(Condition::text);
        let blind = self.metrics.iter().filter(|m| m.reading.is_none()).map(|m| format!("{} has no value", m.name));
        let all: Vec<_> = bad.chain(blind).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

fn condition(c: HorizontalPodAutoscalerCondition) -> Condition {
    let (reason, message) = (c.reason.unwrap_or_default(), c.message.unwrap_or_default());
    Condition { type_: c.type_, holds: c.status == "True", reason, message }
}

fn filled(rules: Option<HPAScalingRules>, standard: Rules) -> Rules {
    let Some(rules) = rules else { return standard };
    let seconds = |s: i32| u64::try_from(s).unwrap_or(0) * 1000;
    let policies = rules.policies.filter(|p| !p.is_empty()).map(|policies| {
        let policy = |p: k8s_openapi::api::autoscaling::v2::HPAScalingPolicy| Policy {
            amount: if p.type_ == "Percent" { Amount::Percent(p.value) } else { Amount::Pods(p.value) },
            period_ms: seconds(p.period_seconds),
        };
        policies.into_iter().map(policy).collect()
    });
    Rules {
        window_ms: rules.stabilization_window_seconds.map_or(standard.window_ms, seconds),
        policies: policies.unwrap_or(standard.policies),
        select: match rules.select_policy.as_deref() {
            Some("Min") => Select::Min,
            Some("Disabled") => Select::Disabled,
            _ => Select::Max,
        },
        tolerance: rules.tolerance.and_then(|q| milli(&q.0)).map_or(standard.tolerance, |m| m as f64 / 1000.0),
    }
}

fn metric(spec: &MetricSpec, said: &[MetricStatus]) -> Metric {
    let current = |find: &dyn Fn(&MetricStatus) -> Option<MetricValueStatus>| said.iter().find_map(find);
    if let Some(s) = &spec.resource {
        let found = current(&|m| m.resource.as_ref().filter(|r| r.name == s.name).map(|r| r.current.clone()));
        return made(format!("resource {}", s.name), Some(&s.name), found, &s.target, false);
    }
    if let Some(s) = &spec.container_resource {
        let same = |m: &MetricStatus| m.container_resource.clone().filter(|r| r.name == s.name && r.container == s.container);
        let found = current(&|m| same(m).map(|r| r.current));
        return made(format!("resource {} of container {}", s.name, s.container), Some(&s.name), found, &s.target, false);
    }
    if let Some(s) = &spec.pods {
        let found = current(&|m| m.pods.as_ref().filter(|r| r.metric.name == s.metric.name).map(|r| r.current.clone()));
        return made(format!("pods metric {}", s.metric.name), None, found, &s.target, false);
    }
    if let Some(s) = &spec.object {
        let found = current(&|m| m.object.as_ref().filter(|r| r.metric.name == s.metric.name).map(|r| r.current.clone()));
        return made(format!("object metric {}", s.metric.name), None, found, &s.target, true);
    }
    if let Some(s) = &spec.external {
        let found = current(&|m| m.external.as_ref().filter(|r| r.metric.name == s.metric.name).map(|r| r.current.clone()));
        return made(format!("external metric {}", s.metric.name), None, found, &s.target, true);
    }
    Metric { name: format!("metric of type {}", spec.type_), cpu: false, resource: false, reading: None }
}

/// `shared`: the value belongs to all pods together.
fn made(name: String, resource: Option<&str>, found: Option<MetricValueStatus>, target: &MetricTarget, shared: bool) -> Metric {
    let milli_of = |q: &Option<Quantity>| q.as_ref().and_then(|q| milli(&q.0));
    let reading = found.and_then(|now| {
        Some(if let Some(target) = target.average_utilization {
            Reading::Utilization { current: now.average_utilization?.into(), target: target.into() }
        } else if let Some(target) = milli_of(&target.average_value) {
            let current = milli_of(&now.average_value)?;
            if shared { Reading::Share { current, target } } else { Reading::Average { current, target } }
        } else {
            Reading::Value { current: milli_of(&now.value)?, target: milli_of(&target.value)? }
        })
    });
    Metric { name, cpu: resource == Some("cpu"), resource: resource.is_some(), reading }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// An HPA from its JSON fields `spec` and `status`.
    pub(crate) fn hpa(spec: serde_json::Value, status: serde_json::Value) -> HorizontalPodAutoscaler {
        serde_json::from_value(json!({"metadata": {"name": "orders"}, "spec": spec, "status": status})).expect("hpa")
    }

    fn view() -> HpaView {
        let target = |kind: &str, value: serde_json::Value| json!({"type": kind, kind: value});
        let spec = json!({
            "scaleTargetRef": {"kind": "Deployment", "name": "orders"}, "minReplicas": 3, "maxReplicas": 20,
            "metrics": [
                {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}},
                {"type": "Resource", "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 80}}},
                {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": target("averageValue", json!("10"))}}],
            "behavior": {"scaleUp": {"stabilizationWindowSeconds": 30, "selectPolicy": "Min", "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}]}}
        });
        let status = json!({
            "currentReplicas": 3, "desiredReplicas": 5,
            "conditions": [{"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"}],
            "currentMetrics": [
                {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 110, "averageValue": "220m"}}},
                {"type": ""},
                {"type": "Pods", "pods": {"metric": {"name": "rps"}, "current": {"averageValue": "12500m"}}}]
        });
        HpaView::of(&hpa(spec, status), ControllerSettings::default())
    }

    #[test]
    fn metrics_are_read_beside_their_targets() {
        let view = view();
        let readings: Vec<_> = view.metrics.iter().map(|m| m.reading).collect();
        let cpu = Some(Reading::Utilization { current: 110, target: 70 });
        assert_eq!(readings, [cpu, None, Some(Reading::Average { current: 12_500, target: 10_000 })]);
        assert_eq!(view.cpu_percent(), Some(110));
        assert!(!view.sees_metrics() && view.trouble().expect("trouble").contains("resource memory has no value"));
    }

    #[test]
    fn missing_rules_get_the_documented_defaults() {
        let behavior = view().behavior;
        assert_eq!((behavior.up.window_ms, behavior.up.select, behavior.up.policies.len()), (30_000, Select::Min, 1));
        assert_eq!((behavior.down.window_ms, behavior.down.policies[0].amount), (300_000, Amount::Percent(100)));
        assert!(!behavior.absent);
    }
}
