//! The platforms that come with the suite pass the set that they ship under.

use gauntlet_fixtures::manifest::{Dialect, Object, parse, read_objects};
use gauntlet_fixtures::platform::load_with_folder;
use gauntlet_policies::{PolicySet, check};
use gauntlet_reports::finding::{Finding, Severity};
use serde_json::{Value, json};
use std::path::Path;

#[test]
fn every_platform_ships_without_findings() {
    let platforms = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/platforms");
    for entry in std::fs::read_dir(platforms).expect("folder") {
        let loaded = load_with_folder(&entry.expect("entry").path()).expect("loads");
        let objects = read_objects(&loaded.production()).expect("reads");
        // A fixed day: whether a waiver has expired is for the command to say, not for a test that would break by itself.
        let findings = check(&objects, &PolicySet::production(), &loaded.platform.waivers, "2026-01-01");
        let open: Vec<_> = findings.iter().filter(|finding| finding.waived.is_none()).collect();
        assert!(open.is_empty(), "{}: {open:#?}", loaded.platform.name);
    }
}

/// What a platform lacks, and the rule that must notice.
#[rstest::rstest]
#[case("streaming", "NetworkPolicy", "allow-external-to-websocket", "netpol-blocks-declared-flow")]
#[case("streaming", "NetworkPolicy", "allow-metrics-scraping", "netpol-blocks-declared-flow")]
#[case("globeco", "NetworkPolicy", "default-deny", "namespace-default-deny")]
#[case("streaming", "Service", "ml-inference", "dangling-servicemonitor")]
#[case("globeco", "CronJob", "globeco-order-generation-service-backup", "backup-coverage")]
#[case("globeco", "Deployment", "globeco-order-generation-service", "dangling-networkpolicy")]
#[case("football", "CronJob", "postgres-backup", "backup-coverage")]
fn what_is_left_out_is_noticed(#[case] platform: &str, #[case] kind: &str, #[case] name: &str, #[case] rule: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/platforms").join(platform);
    let mut objects = read_objects(&load_with_folder(&folder).expect("loads").production()).expect("reads");
    let before = objects.len();
    objects.retain(|object| object.kind != kind || object.name != name);
    assert_eq!(objects.len(), before - 1, "{platform} has no {kind} {name}");
    let findings = check(&objects, &PolicySet::production(), &[], "2026-01-01");
    assert!(findings.iter().any(|finding| finding.name == rule), "{rule} does not notice that {kind} {name} is left out");
}

#[test]
fn a_defect_in_a_platform_is_found() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/platforms/globeco");
    let mut objects = read_objects(&load_with_folder(&folder).expect("loads").production()).expect("reads");
    let before = objects.len();
    objects.retain(|object| !matches!(object.kind.as_str(), "NetworkPolicy" | "PodDisruptionBudget" | "Service"));
    assert!(objects.len() < before);
    let findings = check(&objects, &PolicySet::production(), &[], "2026-01-01");
    for rule in ["pod-without-networkpolicy", "missing-pdb", "dangling-ingress", "statefulset-headless-service"] {
        assert!(findings.iter().any(|finding| finding.name == rule), "{rule} is not found");
    }
}

/// A platform's own set, asked of what ships after a change, on a fixed day.
fn of_own_set(platform: &str, change: impl Fn(&mut Vec<Value>)) -> Vec<Finding> {
    let loaded = load_with_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/platforms").join(platform)).expect("loads");
    let mut all = read_objects(&loaded.production()).expect("reads").iter().map(Object::to_json).collect();
    change(&mut all);
    let text: String = all.iter().map(|one| format!("---\n{one}\n")).collect();
    let documents = parse(text.as_bytes(), "changed.yaml", Dialect::Kubectl).expect("JSON parses");
    let objects: Vec<Object> = documents.into_iter().map(|document| Object::from_node(document).expect("object")).collect();
    let set = PolicySet::named(platform).expect("every platform has a set");
    let mut findings = check(&objects, &set, &loaded.platform.waivers, "2026-01-01");
    findings.retain(|finding| finding.waived.is_none());
    findings
}

#[rstest::rstest]
fn every_platform_keeps_what_its_guide_promises(#[values("football", "f1", "streaming", "crypto", "globeco")] platform: &str) {
    let findings = of_own_set(platform, |_| {});
    assert!(findings.is_empty(), "{findings:#?}");
}

/// What a change breaks, by the rule of the platform's set that must notice. `null` removes what is there; the empty pointer
/// means the object.
#[rstest::rstest]
#[case("football", "HorizontalPodAutoscaler", "monte-carlo-service-hpa", "/spec/maxReplicas", json!(10), "promised-max-replicas")]
#[case("football", "HorizontalPodAutoscaler", "api-gateway-hpa", "/spec/minReplicas", json!(2), "promised-min-replicas")]
#[case("football", "HorizontalPodAutoscaler", "monte-carlo-service-hpa", "/spec/metrics/1/resource/target/averageUtilization", json!(80), "promised-targets")]
#[case("football", "HorizontalPodAutoscaler", "ml-model-service-hpa", "", json!(null), "promised-autoscaler")]
#[case("football", "Deployment", "probability-engine", "/spec/template/spec/containers/0/readinessProbe/httpGet/path", json!("/health"), "promised-readiness")]
#[case("football", "PodDisruptionBudget", "websocket-service-pdb", "", json!(null), "promised-budget")]
#[case("football", "NetworkPolicy", "postgres", "/spec/ingress/0/from/0/podSelector/matchLabels/app", json!("api-gateway"), "promised-clients")]
#[case("football", "NetworkPolicy", "influxdb", "/spec/ingress/0/from", json!(null), "promised-clients")]
#[case("football", "Namespace", "football-analytics", "/metadata/labels/pod-security.kubernetes.io~1enforce", json!("baseline"), "psa-namespace-labels")]
#[case("f1", "HorizontalPodAutoscaler", "prediction-service-hpa", "/spec/maxReplicas", json!(7), "promised-max-replicas")]
#[case("f1", "HorizontalPodAutoscaler", "frontend-hpa", "/spec/metrics/0/resource/target/averageUtilization", json!(75), "promised-targets")]
#[case("f1", "Deployment", "api-gateway", "/spec/template/spec/containers/0/livenessProbe/httpGet/path", json!("/"), "promised-liveness")]
#[case("f1", "PodDisruptionBudget", "api-gateway-pdb", "", json!(null), "promised-budget")]
#[case("f1", "PodDisruptionBudget", "api-gateway-pdb", "/spec/minAvailable", json!(1), "promised-budget")]
#[case("f1", "NetworkPolicy", "postgres", "/spec/ingress/0/from/0/podSelector/matchExpressions/0/values/1", json!("frontend"), "promised-clients")]
#[case("f1", "ConfigMap", "backup-config", "/data/BACKUP_RETENTION_DAYS", json!("14"), "promised-settings")]
#[case("f1", "CronJob", "model-backup", "/spec/schedule", json!("0 4 * * 1"), "f1-backup-schedule")]
#[case("f1", "StatefulSet", "postgres", "/spec/template/spec/containers/0/securityContext/readOnlyRootFilesystem", json!(false), "read-only-root-fs")]
#[case("streaming", "HorizontalPodAutoscaler", "stream-processor-hpa", "/spec/maxReplicas", json!(20), "promised-max-replicas")]
#[case("streaming", "HorizontalPodAutoscaler", "websocket-server-hpa", "/spec/metrics/2/pods/metric/name", json!("connections"), "promised-targets")]
#[case("streaming", "Deployment", "ml-inference", "/spec/template/spec/containers/0/readinessProbe/httpGet/path", json!("/ready"), "promised-readiness")]
#[case("streaming", "PodDisruptionBudget", "stream-processor", "", json!(null), "promised-budget")]
#[case("streaming", "Deployment", "stream-processor", "/spec/template/spec/securityContext/runAsUser", json!(1001), "promised-user")]
#[case("streaming", "NetworkPolicy", "restrict-egress", "/spec/egress/1/to/0/ipBlock/cidr", json!("0.0.0.0/0"), "streaming-egress")]
#[case("streaming", "NetworkPolicy", "restrict-egress", "/spec/egress/2/ports", json!(null), "streaming-egress-ports")]
#[case("streaming", "NetworkPolicy", "allow-external-to-websocket", "/spec/podSelector", json!({}), "streaming-entry")]
#[case("crypto", "HorizontalPodAutoscaler", "market-data-service-hpa", "/spec/maxReplicas", json!(10), "promised-max-replicas")]
#[case("crypto", "HorizontalPodAutoscaler", "analytics-service-hpa", "/spec/metrics/0/resource/target/averageUtilization", json!(70), "promised-targets")]
#[case("crypto", "Deployment", "portfolio-service", "/spec/template/spec/containers/0/livenessProbe/httpGet/path", json!("/healthz"), "promised-liveness")]
#[case("crypto", "PodDisruptionBudget", "kafka-pdb", "", json!(null), "promised-budget")]
#[case("crypto", "NetworkPolicy", "crypto-network-policy", "/spec/podSelector", json!({"matchLabels": {"app": "kafka"}}), "crypto-network-policy")]
#[case("crypto", "NetworkPolicy", "crypto-network-policy", "/spec/egress/2/ports/0/port", json!(80), "crypto-egress")]
#[case("globeco", "HorizontalPodAutoscaler", "globeco-order-generation-service-hpa", "/spec/maxReplicas", json!(10), "promised-max-replicas")]
#[case("globeco", "HorizontalPodAutoscaler", "globeco-order-generation-service-hpa", "/spec/behavior/scaleDown/stabilizationWindowSeconds", json!(60), "globeco-scaling-behavior")]
#[case("globeco", "Deployment", "globeco-order-generation-service", "/spec/template/spec/containers/0/livenessProbe/httpGet/path", json!("/health/health"), "promised-liveness")]
#[case("globeco", "Deployment", "globeco-order-generation-service", "/spec/template/spec/containers/0/startupProbe/failureThreshold", json!(3), "globeco-startup")]
#[case("globeco", "PodDisruptionBudget", "globeco-order-generation-service-pdb", "", json!(null), "promised-budget")]
#[case("globeco", "NetworkPolicy", "globeco-order-generation-service-mongodb", "", json!(null), "promised-clients")]
fn what_breaks_a_promise_is_noticed(
    #[case] platform: &str,
    #[case] kind: &str,
    #[case] name: &str,
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] rule: &str,
) {
    let findings = of_own_set(platform, |all| {
        let at = all.iter().position(|one| one["kind"] == kind && one["metadata"]["name"] == name).expect("there is such an object");
        if pointer.is_empty() {
            all.remove(at);
        } else {
            let field = all[at].pointer_mut(pointer).expect("there is such a field");
            assert_ne!(*field, value, "this changes nothing");
            *field = value.clone();
        }
    });
    let told: Vec<_> = findings.iter().map(|finding| (&finding.name, finding.severity, &finding.message)).collect();
    assert!(findings.iter().any(|finding| finding.name == rule && finding.severity == Severity::Error), "{rule} does not notice: {told:?}");
    assert!(!findings.iter().any(|finding| finding.message.contains("has no answer")), "{told:?}");
}
