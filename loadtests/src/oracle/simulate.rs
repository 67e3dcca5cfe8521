//! The calculator run forward: what an HPA does under a stated demand.
//!
//! The demand of a metric belongs to all pods together and is shared evenly by those that are ready. A new pod is ready after a
//! stated time. That is the whole model: no queueing, no metrics delay beyond the sync. The decisions are [`super::band`]'s
//! with nothing uncertain.

use super::ControllerSettings;
use super::algorithm::{Census, Tolerance};
use super::band::{Change, Decision, Past, Recommendation};
use super::quantity::milli;
use super::spec::HpaView;
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, MetricSpec, MetricTarget};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The demand of one metric over time: `(from, thousandths of its unit)`, in the order of time. Before the first entry it is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand(Vec<(u64, i64)>);

/// Why a simulation cannot begin.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SimulateError {
    /// The text of a demand.
    #[error("{0:?} is no demand: SECONDS:QUANTITY,… in the order of time is wanted, such as 0:600m,60:4,300:600m")]
    Demand(String),
    /// A metric of the HPA without a demand.
    #[error("the HPA scales by {0}, and no demand is given for it")]
    NoDemand(String),
    /// A demand for nothing.
    #[error("the HPA does not scale by {0}; it scales by {1}")]
    Unknown(String, String),
    /// A utilization needs what it is a share of.
    #[error("the target of {0} is a share of the pods' requests, and they request none: no HPA can scale by it")]
    NoRequest(String),
    /// The HPA has no metrics.
    #[error("the HPA names no metric: nothing scales it")]
    NoMetrics,
}

impl Demand {
    /// Reads `0:600m,60:4,300:600m`: from second 0 on 0.6, from 60 on 4, from 300 on 0.6, in the metric's own unit.
    ///
    /// # Errors
    /// [`SimulateError::Demand`].
    pub fn parse(text: &str) -> Result<Self, SimulateError> {
        let step = |step: &str| {
            let (from, amount) = step.trim().split_once(':')?;
            Some((from.parse::<u64>().ok()?.checked_mul(1000)?, milli(amount).filter(|m| *m >= 0)?))
        };
        let steps: Option<Vec<_>> = text.split(',').map(step).collect();
        let steps = steps.filter(|s| s.is_sorted_by(|a, b| a.0 < b.0));
        steps.map(Demand).ok_or_else(|| SimulateError::Demand(text.to_owned()))
    }

    fn at(&self, ms: u64) -> i64 {
        self.0.iter().rev().find(|(from, _)| *from <= ms).map_or(0, |(_, amount)| *amount)
    }
}

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The HPA. Its status is not looked at.
    pub hpa: HorizontalPodAutoscaler,
    /// The demand of each metric, by the name of the resource or the metric.
    pub demands: BTreeMap<String, Demand>,
    /// What one pod requests of each resource, in thousandths.
    pub requests: BTreeMap<String, i64>,
    /// How long a new pod takes until it is ready, in ms.
    pub ready_after_ms: u64,
    /// Replicas at the start, all ready; within the HPA's bounds.
    pub replicas: i32,
    /// How long it goes on, in ms.
    pub until_ms: u64,
    /// What the controller manager is tuned to.
    pub settings: ControllerSettings,
}

/// One sync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sync {
    /// When, in ms since the start.
    pub at_ms: u64,
    /// The replicas that it went by.
    pub replicas: i32,
    /// Those that are ready.
    pub ready: i32,
    /// What each metric showed: measured and wanted, in percent of the request or in thousandths.
    pub readings: Vec<(String, i64, i64)>,
    /// What the metrics ask for, before windows, policies and bounds.
    pub asked: i32,
    /// What is decided.
    pub desired: i32,
}

/// A metric by the name that a demand goes by.
fn name_of(metric: &MetricSpec) -> &str {
    let resource = metric.resource.as_ref().map(|r| r.name.as_str()).or(metric.container_resource.as_ref().map(|r| r.name.as_str()));
    let custom = metric.pods.as_ref().map(|p| p.metric.name.as_str()).or(metric.object.as_ref().map(|o| o.metric.name.as_str()));
    resource.or(custom).or(metric.external.as_ref().map(|e| e.metric.name.as_str())).unwrap_or_default()
}

fn checked(scenario: &Scenario) -> Result<Vec<MetricSpec>, SimulateError> {
    let metrics = scenario.hpa.spec.as_ref().and_then(|s| s.metrics.clone()).filter(|m| !m.is_empty()).ok_or(SimulateError::NoMetrics)?;
    let names = || metrics.iter().map(name_of);
    if let Some(unknown) = scenario.demands.keys().find(|name| !names().any(|n| n == name.as_str())) {
        return Err(SimulateError::Unknown(unknown.clone(), names().collect::<Vec<_>>().join(", ")));
    }
    for metric in &metrics {
        let name = name_of(metric);
        if !scenario.demands.contains_key(name) {
            return Err(SimulateError::NoDemand(name.to_owned()));
        }
        let target = metric.resource.as_ref().map(|r| &r.target).or(metric.container_resource.as_ref().map(|r| &r.target));
        let shares = target.is_some_and(|t| t.average_utilization.is_some());
        if shares && scenario.requests.get(name).is_none_or(|request| *request <= 0) {
            return Err(SimulateError::NoRequest(name.to_owned()));
        }
    }
    Ok(metrics)
}

/// The status that the metrics would show, as Kubernetes writes it: so that the HPA is read as a real one is.
fn shown(metric: &MetricSpec, demand: i64, ready: i32, replicas: i32, requests: &BTreeMap<String, i64>) -> Value {
    let per = |pods: i32| demand / i64::from(pods.max(1));
    let quantity = |milli: i64| format!("{milli}m");
    let each = |target: &MetricTarget, name: &str| match target.average_utilization.and(requests.get(name)) {
        Some(request) => json!({"averageUtilization": 100 * per(ready) / request, "averageValue": quantity(per(ready))}),
        None => json!({"averageValue": quantity(per(ready))}),
    };
    let together = |target: &MetricTarget| match target.average_value {
        Some(_) => json!({"averageValue": quantity(per(replicas))}),
        None => json!({"value": quantity(demand)}),
    };
    if let Some(s) = &metric.resource {
        json!({"type": "Resource", "resource": {"name": s.name, "current": each(&s.target, &s.name)}})
    } else if let Some(s) = &metric.container_resource {
        json!({"type": "ContainerResource", "containerResource": {"name": s.name, "container": s.container, "current": each(&s.target, &s.name)}})
    } else if let Some(s) = &metric.pods {
        json!({"type": "Pods", "pods": {"metric": {"name": s.metric.name}, "current": each(&s.target, "")}})
    } else if let Some(s) = &metric.object {
        json!({"type": "Object", "object": {"metric": {"name": s.metric.name}, "describedObject": s.described_object, "current": together(&s.target)}})
    } else if let Some(s) = &metric.external {
        json!({"type": "External", "external": {"metric": {"name": s.metric.name}, "current": together(&s.target)}})
    } else {
        json!({"type": metric.type_})
    }
}

/// Runs the calculator, sync by sync.
///
/// # Errors
/// [`SimulateError`] when the scenario does not fit the HPA.
pub fn simulate(scenario: &Scenario) -> Result<Vec<Sync>, SimulateError> {
    let metrics = checked(scenario)?;
    let period = scenario.settings.sync_period_ms.max(1);
    let mut hpa = scenario.hpa.clone();
    let mut past = Past::default();
    // When each pod is ready.
    let mut pods: Vec<u64> = vec![0; usize::try_from(scenario.replicas).unwrap_or(0)];
    let mut syncs = Vec::new();
    for at_ms in (0..=scenario.until_ms).step_by(usize::try_from(period).unwrap_or(usize::MAX)) {
        let replicas = i32::try_from(pods.len()).unwrap_or(i32::MAX);
        let ready = i32::try_from(pods.iter().filter(|ready_at| **ready_at <= at_ms).count()).unwrap_or(i32::MAX);
        let demand = |m: &MetricSpec| scenario.demands.get(name_of(m)).map_or(0, |d| d.at(at_ms));
        let current: Vec<_> = metrics.iter().map(|m| shown(m, demand(m), ready, replicas, &scenario.requests)).collect();
        hpa.status = serde_json::from_value(json!({"currentReplicas": replicas, "desiredReplicas": replicas, "conditions": [], "currentMetrics": current})).ok();
        let view = HpaView::of(&hpa, scenario.settings);
        let census = Census { ready, unready: replicas - ready, missing: 0 };
        let tolerance = Tolerance { up: view.behavior.up.tolerance, down: view.behavior.down.tolerance };
        let asks = view.metrics.iter().filter_map(|m| Some(m.reading?.proposal(replicas, census, tolerance, 0.0)));
        let asked = asks.max().unwrap_or(replicas);
        past.recommendations.push(Recommendation { from_ms: at_ms, until_ms: at_ms, low: asked, high: asked });
        let decision = Decision {
            now_ms: at_ms,
            slack_ms: 0,
            current: replicas,
            proposal: asked..=asked,
            bounds: (view.min, view.max),
            behavior: &view.behavior,
            past: &past,
        };
        let desired = *decision.band().start();
        if desired != replicas {
            past.changes.push(Change { at_ms, delta: desired - replicas });
        }
        let readings = view.metrics.iter().filter_map(|m| m.reading.map(|r| (m.name.clone(), r.pair().0, r.pair().1))).collect();
        syncs.push(Sync { at_ms, replicas, ready, readings, asked, desired });
        // The youngest go first, as a ReplicaSet does with pods that are not ready.
        pods.sort_unstable();
        pods.resize(usize::try_from(desired).unwrap_or(0), at_ms + scenario.ready_after_ms);
    }
    Ok(syncs)
}

#[cfg(test)]
mod tests {
    use super::super::spec::tests::hpa;
    use super::*;
    use rstest::rstest;

    fn scenario(demand: &str) -> Scenario {
        let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}});
        let spec = json!({"scaleTargetRef": {"kind": "Deployment", "name": "orders"}, "minReplicas": 3, "maxReplicas": 20, "metrics": [cpu],
            "behavior": {
                "scaleUp": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}]},
                "scaleDown": {"stabilizationWindowSeconds": 60, "policies": [{"type": "Pods", "value": 2, "periodSeconds": 30}]}}});
        Scenario {
            hpa: hpa(spec, json!({"desiredReplicas": 3})),
            demands: [("cpu".to_owned(), Demand::parse(demand).expect("demand"))].into(),
            requests: [("cpu".to_owned(), 200)].into(),
            ready_after_ms: 5_000,
            replicas: 3,
            until_ms: 300_000,
            settings: ControllerSettings::default(),
        }
    }

    fn at(syncs: &[Sync], second: u64) -> &Sync {
        syncs.iter().find(|s| s.at_ms == second * 1000).expect("a sync")
    }

    #[test]
    fn demand_scales_up_by_the_policy_and_down_after_the_window() {
        // 2.1 cores at 70 % of 200 millicores: 15 pods.
        let syncs = simulate(&scenario("0:210m,30:2100m,120:210m")).expect("runs");
        assert_eq!((at(&syncs, 15).asked, at(&syncs, 15).desired), (2, 3), "never below the minimum");
        assert_eq!((at(&syncs, 30).asked, at(&syncs, 30).desired), (15, 7), "four pods in 15 s");
        assert_eq!((at(&syncs, 45).desired, at(&syncs, 60).desired, at(&syncs, 105).desired), (11, 15, 15));
        // The demand falls at 120 s; the last recommendation of 15 is of 105 s, and a window of 60 s keeps it until 165 s.
        assert_eq!((at(&syncs, 150).desired, at(&syncs, 165).desired, at(&syncs, 180).desired, at(&syncs, 195).desired), (15, 13, 13, 11));
    }

    #[test]
    fn pods_that_are_not_ready_are_counted_as_idle_on_the_way_up() {
        let slow = Scenario { ready_after_ms: 60_000, ..scenario("0:2100m") };
        let syncs = simulate(&slow).expect("runs");
        assert_eq!((at(&syncs, 0).desired, at(&syncs, 15).ready), (7, 3));
        assert_eq!(at(&syncs, 15).asked, 15, "2100 millicores over 7 pods, not over 3");
    }

    #[rstest]
    #[case::nothing("")]
    #[case::no_time("600m")]
    #[case::backwards("60:1,30:2")]
    #[case::negative("0:-1")]
    #[case::no_quantity("0:lots")]
    fn a_demand_that_is_none_is_told(#[case] text: &str) {
        assert_eq!(Demand::parse(text), Err(SimulateError::Demand(text.to_owned())));
    }

    #[test]
    fn a_scenario_that_does_not_fit_is_told() {
        let fits = scenario("0:1");
        let demands = [("rps".to_owned(), Demand::parse("0:1").expect("demand"))];
        let wrong = Scenario { demands: demands.into(), ..fits.clone() };
        assert_eq!(simulate(&wrong), Err(SimulateError::Unknown("rps".into(), "cpu".into())));
        assert_eq!(simulate(&Scenario { demands: BTreeMap::new(), ..fits.clone() }), Err(SimulateError::NoDemand("cpu".into())));
        assert_eq!(simulate(&Scenario { requests: BTreeMap::new(), ..fits }), Err(SimulateError::NoRequest("cpu".into())));
    }
}
