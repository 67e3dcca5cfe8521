//! The platforms that come with the suite pass the set that they ship under.

use gauntlet_fixtures::manifest::read_objects;
use gauntlet_fixtures::platform::load_with_folder;
use gauntlet_policies::{PolicySet, check};
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
