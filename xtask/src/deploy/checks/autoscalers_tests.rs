use super::super::objects::{pod, replica_set, typed};
use super::*;
use gauntlet_reports::verdict::Verdict;
use serde_json::{Value, json};

fn autoscaler(status: Value) -> Value {
    json!({"metadata": {"name": "order"}, "spec": {"maxReplicas": 20, "scaleTargetRef": {"kind": "Deployment", "name": "order"},
        "metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}},
            {"type": "Pods", "pods": {"metric": {"name": "orders_per_second"}, "target": {"type": "AverageValue", "averageValue": "100"}}}]},
        "status": status})
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": message})
}

fn cpu() -> Value {
    json!({"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 3, "averageValue": "3m"}}})
}

fn orders() -> Value {
    json!({"type": "Pods", "pods": {"metric": {"name": "orders_per_second"}, "current": {"averageValue": "0"}}})
}

fn api(group: &str, available: &str) -> Value {
    json!({"metadata": {"name": format!("v1beta1.{group}")}, "spec": {"group": group, "groupPriorityMinimum": 100, "versionPriority": 100},
        "status": {"conditions": [{"type": "Available", "status": available, "message": "endpoints for service/metrics-server have no addresses"}]}})
}

fn seen(status: Value, pods: Vec<Value>, apis: Vec<Value>) -> (Assertion, bool) {
    seen_with(status, pods, apis, None)
}

/// The same, with what the custom metrics API serves.
fn seen_with(status: Value, pods: Vec<Value>, apis: Vec<Value>, served: Option<&[&str]>) -> (Assertion, bool) {
    let served = served.map(|names| ("custom.metrics.k8s.io".to_owned(), names.iter().map(|n| (*n).to_owned()).collect()));
    see_metrics(&Snapshot {
        metrics_served: served.into_iter().collect(),
        autoscalers: vec![typed(autoscaler(status))],
        pods: pods.into_iter().map(typed).collect(),
        replica_sets: vec![typed(replica_set())],
        api_services: apis.into_iter().map(typed).collect(),
        ..Snapshot::default()
    })
}

fn both_apis() -> Vec<Value> {
    vec![api("metrics.k8s.io", "True"), api("custom.metrics.k8s.io", "True")]
}

fn active() -> Value {
    condition("ScalingActive", "True", "ValidMetricFound", "the HPA was able to successfully calculate a replica count")
}

#[test]
fn every_metric_has_a_value() {
    let (assertion, _) = seen(json!({"desiredReplicas": 3, "conditions": [active()], "currentMetrics": [cpu(), orders()]}), vec![pod("a", "n1", true)], both_apis());
    assert_eq!((assertion.verdict, assertion.measured.as_str()), (Verdict::Pass, "order: ScalingActive, 2 of 2 metrics"));
}

#[test]
fn one_value_of_two_is_not_enough_though_scaling_is_active() {
    let status = json!({"desiredReplicas": 3, "conditions": [active()], "currentMetrics": [cpu(), {"type": ""}]});
    let (assertion, last_word) = seen(status, vec![pod("a", "n1", true)], both_apis());
    assert_eq!(assertion.verdict, Verdict::Inconclusive);
    assert_eq!(assertion.reason, "order: no value for Pods orders_per_second yet, though APIService v1beta1.custom.metrics.k8s.io is available");
    assert!(!last_word, "it may still come");
}

#[test]
fn a_metric_that_nobody_exports_fails_where_others_are_served() {
    let status = || json!({"desiredReplicas": 3, "conditions": [active()], "currentMetrics": [cpu(), {"type": ""}]});
    let judge = |served: &[&str], apis| seen_with(status(), vec![pod("a", "n1", true)], apis, Some(served));
    let (absent, last_word) = judge(&["namespaces/http_requests_per_second", "pods/http_requests_per_second"], both_apis());
    assert_eq!((absent.verdict, last_word), (Verdict::Fail, false), "it may still come");
    assert_eq!(
        absent.reason,
        "order: no value for Pods orders_per_second: APIService v1beta1.custom.metrics.k8s.io answers and serves no such metric; it serves: http_requests_per_second"
    );
    let (elsewhere, _) = judge(&["pods/orders_per_second"], both_apis());
    assert_eq!((elsewhere.verdict, elsewhere.reason.contains("serves it, but not for order")), (Verdict::Fail, true), "{}", elsewhere.reason);
    let (nothing, _) = judge(&[], both_apis());
    assert_eq!((nothing.verdict, nothing.reason.contains("serves no metric at all")), (Verdict::Inconclusive, true), "{}", nothing.reason);
    let down = vec![api("metrics.k8s.io", "True"), api("custom.metrics.k8s.io", "False")];
    assert_eq!(judge(&["pods/http_requests_per_second"], down).0.verdict, Verdict::Inconclusive);
}

#[test]
fn a_missing_resource_metric_is_the_clusters_whatever_else_is_served() {
    let status = json!({"desiredReplicas": 3, "conditions": [active()], "currentMetrics": [orders()]});
    let (assertion, _) = seen_with(status, vec![pod("a", "n1", true)], both_apis(), Some(&["pods/orders_per_second"]));
    assert_eq!(assertion.verdict, Verdict::Inconclusive, "{}", assertion.reason);
}

#[test]
fn a_container_without_request_fails_at_once_and_is_named() {
    let mut bare = pod("a", "n1", true);
    bare["spec"]["containers"][0]["resources"] = json!({"requests": {"memory": "64Mi"}});
    let (assertion, last_word) = seen(json!({"desiredReplicas": 0}), vec![bare], both_apis());
    assert_eq!((assertion.verdict, last_word), (Verdict::Fail, true));
    assert_eq!(assertion.reason, "order: it scales on cpu utilization, but container order of pod a requests no cpu");
}

#[test]
fn a_dead_metrics_api_is_the_clusters_fault() {
    let unable = condition("ScalingActive", "False", "FailedGetResourceMetric", "the HPA was unable to compute the replica count");
    let status = json!({"desiredReplicas": 0, "conditions": [unable]});
    let (down, _) = seen(status.clone(), vec![pod("a", "n1", true)], vec![api("metrics.k8s.io", "False")]);
    assert_eq!(down.verdict, Verdict::Inconclusive);
    assert!(down.reason.contains("APIService v1beta1.metrics.k8s.io is not available: endpoints for service/metrics-server have no addresses"), "{}", down.reason);
    let (absent, _) = seen(status.clone(), vec![pod("a", "n1", true)], vec![]);
    assert!(absent.reason.contains("the cluster serves no metrics.k8s.io API"), "{}", absent.reason);
    let (silent, _) = seen(status, vec![pod("a", "n1", true)], both_apis());
    assert!(silent.reason.contains("no value for Resource cpu: the HPA was unable to compute"), "{}", silent.reason);
}

#[test]
fn a_target_that_cannot_be_scaled_fails() {
    let unable = condition("AbleToScale", "False", "FailedGetScale", r#"deployments/scale.apps "order" not found"#);
    let (assertion, _) = seen(json!({"desiredReplicas": 0, "conditions": [unable]}), vec![], both_apis());
    assert_eq!((assertion.verdict, assertion.reason.as_str()), (Verdict::Fail, r#"order: it cannot scale Deployment order: deployments/scale.apps "order" not found"#));
    let off = condition("ScalingActive", "False", "ScalingDisabled", "scaling is disabled since the replica count of the target is zero");
    assert_eq!(seen(json!({"desiredReplicas": 0, "conditions": [off]}), vec![], both_apis()).0.verdict, Verdict::Fail);
}

#[test]
fn none_is_not_applicable() {
    assert_eq!(see_metrics(&Snapshot::default()).0.verdict, Verdict::NotApplicable);
}
