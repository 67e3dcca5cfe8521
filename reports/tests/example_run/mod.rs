//! A run as it could happen: policies, deploy and drill pass, load fails, one fault of chaos is not proven.

use gauntlet_reports::event::{Event, EventKind, FaultPhase};
use gauntlet_reports::finding::{Finding, Location, Severity};
use gauntlet_reports::run::{Assertion, ClusterInfo, Host, PlatformReport, Run, StageName, StageReport};
use gauntlet_reports::verdict::Verdict;

const PLATFORM: &str = "globeco";

/// The run and its events in order of time.
pub fn example() -> (Run, Vec<Event>) {
    let stages = vec![policies(), deploy(), load(), soak(), chaos(), drill()];
    let mut events = Vec::new();
    provisioning(&mut events);
    for stage in &stages {
        stage_events(&mut events, stage);
    }
    faults(&mut events);
    samples(&mut events);
    let platform = PlatformReport::judge(PLATFORM, stages);
    let run = Run {
        run_id: "20260301-101500-7f3a".into(),
        verdict: Verdict::of([platform.verdict]),
        reason: String::new(),
        seed: 42,
        profile: "quick".into(),
        started_at: "2026-03-01T10:15:00Z".into(),
        duration_ms: 1_010_000,
        host: Host { os: "Debian GNU/Linux 12 (bookworm)".into(), kernel: "6.1.0-30-amd64".into(), cores: 2, memory_mib: 24_064 },
        cluster: Some(cluster()),
        platforms: vec![platform],
    };
    events.push(event(1_010_000, None, EventKind::RunEnded { verdict: run.verdict }));
    events.sort_by_key(|e| e.at_ms);
    (run, events)
}

fn cluster() -> ClusterInfo {
    let pairs = |all: &[(&str, &str)]| all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    ClusterInfo {
        provider: "kind".into(),
        name: "gauntlet".into(),
        kubernetes: "v1.34.4".into(),
        nodes: ["gauntlet-control-plane", "gauntlet-worker", "gauntlet-worker2"].map(String::from).to_vec(),
        tuned: pairs(&[
            ("horizontal-pod-autoscaler-sync-period", "5s (default 15s)"),
            ("metrics-resolution", "10s (default 15s)"),
            ("node-monitor-grace-period", "16s (default 50s)"),
            ("scaleDown.stabilizationWindowSeconds", "30 (ships 300)"),
        ]),
        substitutions: pairs(&[("MongoDB 7.0", "FerretDB 1.24 on PostgreSQL 15"), ("order-generation image", "the simulator")]),
    }
}

fn policies() -> StageReport {
    let all = vec![
        Assertion::pass("policies.no_errors", "no error that is not waived", "0 errors, 2 warnings, 1 waived"),
        Assertion::pass("policies.drift", "overlays differ in allowed fields only", "6 allowed differences"),
    ];
    StageReport::judge(StageName::Policies, 210, 480, all, "41 rules over 17 objects")
}

fn deploy() -> StageReport {
    let all = vec![
        Assertion::pass("rollout.ready", "every pod Ready in 180 s", "4 of 4 pods Ready after 38 s"),
        Assertion::pass("rollout.restarts", "0 restarts", "0"),
        Assertion::pass("service.endpoints", "endpoints equal ready pods", "3 of 3"),
        Assertion::pass("pvc.bound", "every PVC Bound", "data-mongodb-0 Bound"),
        Assertion::pass("hpa.sees_metrics", "ScalingActive with CPU, memory and orders_per_second", "all three after 21 s"),
    ];
    StageReport::judge(StageName::Deploy, 96_000, 151_000, all, "rolled out in 38 s")
}

fn load() -> StageReport {
    let all = vec![
        Assertion::pass("load.flowed", "at least 95 % of the offered arrivals are sent", "99.8 % of 57 610"),
        Assertion::pass("slo.before", "p99 at most 250 ms, errors at most 0.1 %", "p99 96 ms, errors 0 %"),
        Assertion::pass("hpa.scales_up", "more than 3 replicas", "3 to 8 replicas"),
        Assertion::fail(
            "slo.during.p99",
            "p99 at most 250 ms while scaled",
            "p99 612 ms over 80 s (worst second 1.9 s)",
            "8 replicas serve 240 requests/s, but CPU stays at 96 % of the limit: the HPA stops at 8 because the namespace quota (limits.cpu 4) refuses pod 9",
        )
        .with_evidence("load/hpa-syncs.json")
        .with_evidence("ReplicaSet order-generation-6d9f: FailedCreate exceeded quota: compute, used limits.cpu=4"),
        Assertion::fail(
            "hpa.reaches_calculation",
            "desired equals ceil(ready x metric / target) at each sync: 11",
            "8 at 14 of 22 syncs",
            "ScalingLimited is False, yet pods beyond 8 are never created: quota refuses them",
        )
        .with_evidence("load/oracle.json"),
        Assertion::pass("hpa.time_to_serve", "first new pod serves within 60 s", "31 s: detected 11, scheduled 1, ready 14, serving 5"),
        Assertion::pass("hpa.scales_down", "back to 3 within 90 s after load", "3 after 64 s"),
    ];
    StageReport::judge(StageName::Load, 152_000, 452_000, all, "scaled 3 to 8 to 3")
}

fn soak() -> StageReport {
    StageReport::not_applicable(StageName::Soak, 452_000, "globeco has no WebSocket endpoint")
}

fn chaos() -> StageReport {
    let all = vec![
        Assertion::pass("delete-pod.recovers", "steady state within 60 s", "23.5 s from injection"),
        Assertion::pass("delete-pod.budget", "at most 1 % errors in the fault window, none outside", "0.4 % inside, 0 outside"),
        Assertion::pass("drain-worker.pdb", "currentHealthy never below 2; eviction beyond it gets 429", "2 at least, 429 seen 3 times"),
        Assertion::pass("drain-worker.recovers", "steady state within 120 s", "71.0 s from injection"),
        Assertion::inconclusive(
            "stop-node.proven",
            "node gauntlet-worker2 NotReady within 40 s",
            "the node stayed Ready for 40 s: the container was paused by another process and its kubelet's lease was still renewed <script>alert(1)</script>",
        )
        .with_evidence("chaos/stop-node/node-conditions.json"),
        Assertion::pass("ledger.no_loss", "every acknowledged order is there", "18 204 of 18 204"),
    ];
    StageReport::judge(StageName::Chaos, 455_000, 860_000, all, "3 faults")
}

fn drill() -> StageReport {
    let all = vec![
        Assertion::pass("backup.content", "count and hash equal the manifest", "24 118 documents, hash equal"),
        Assertion::pass("restore.rto", "first correct read and write within 120 s", "41.2 s"),
        Assertion::pass("restore.rpo", "at most 5 s of acknowledged writes lost", "1.1 s"),
        Assertion::pass("backup.refuses_corruption", "a flipped byte is refused", "refused: checksum of orders.bson"),
    ];
    StageReport::judge(StageName::Drill, 862_000, 1_005_000, all, "RPO 1.1 s, RTO 41.2 s")
}

fn event(at_ms: u64, stage: Option<StageName>, kind: EventKind) -> Event {
    Event { at_ms, platform: stage.map(|_| PLATFORM.to_owned()), stage, kind }
}

fn provisioning(events: &mut Vec<Event>) {
    events.push(event(0, None, EventKind::RunStarted { run_id: "20260301-101500-7f3a".into(), seed: 42 }));
    let steps = [
        (500, "container engine", "docker 20.10.24 answers", true),
        (700, "node image", "built from our own files, key 5c1f", false),
        (61_000, "node image", "built from our own files, key 5c1f", true),
        (61_100, "cluster", "3 nodes", false),
        (94_800, "cluster", "3 nodes Ready, metrics reach the HPA", true),
    ];
    for (at, step, message, done) in steps {
        let kind = EventKind::Step { step: step.into(), message: message.into(), done, log: None };
        events.push(event(at, None, kind));
    }
}

fn stage_events(events: &mut Vec<Event>, stage: &StageReport) {
    let at = |ms, kind| event(ms, Some(stage.name), kind);
    if stage.verdict != Verdict::NotApplicable {
        events.push(at(stage.started_ms, EventKind::StageStarted { expected_ms: 300_000 }));
    }
    let phases: &[(u64, &str)] = match stage.name {
        StageName::Load => &[(158_000, "before"), (205_000, "scaling"), (290_000, "during"), (370_000, "after")],
        StageName::Chaos => &[(458_000, "during")],
        _ => &[],
    };
    events.extend(phases.iter().map(|(ms, name)| at(*ms, EventKind::Phase { phase: (*name).into() })));
    if stage.name == StageName::Policies {
        events.extend(findings().into_iter().map(|f| at(400, EventKind::Found(f))));
    }
    if stage.name == StageName::Load {
        for (ms, progress) in [(158_000, "warming up at 60 requests/s"), (205_000, "load rises to 240 requests/s")] {
            events.push(at(ms, EventKind::Progress { message: progress.into() }));
        }
        events.push(at(
            262_000,
            EventKind::Kubernetes {
                object: "ReplicaSet globeco/order-generation-6d9f".into(),
                reason: "FailedCreate".into(),
                message: "exceeded quota: compute, requested: limits.cpu=500m, used: limits.cpu=4, limited: limits.cpu=4".into(),
            },
        ));
    }
    events.extend(stage.assertions.iter().map(|a| at(stage.ended_ms - 1, EventKind::Asserted(a.clone()))));
    events.push(at(stage.ended_ms, EventKind::StageEnded { verdict: stage.verdict, reason: stage.reason.clone() }));
}

fn findings() -> Vec<Finding> {
    let finding = |rule: &str, name: &str, severity, line, field: &str, message: &str, waived: Option<&str>| Finding {
        rule: rule.into(),
        name: name.into(),
        severity,
        location: Location { file: "overlays/production/kustomization.yaml".into(), line, column: 9 },
        field: field.into(),
        resource: "Deployment globeco/order-generation".into(),
        message: message.into(),
        why: "A pod that is scheduled without room is killed first.".into(),
        fix: "State it in patches/production-resources.yaml.".into(),
        waived: waived.map(String::from),
        automatic: None,
    };
    vec![
        finding("RES004", "limit-far-above-request", Severity::Warning, 41, "spec.template.spec.containers[0].resources", "CPU limit 500m is 5 times the request 100m", None),
        finding("HPA006", "quota-below-max", Severity::Warning, 88, "spec.maxReplicas", "20 replicas need limits.cpu 10, the quota allows 4", None),
        finding("IMG003", "no-digest", Severity::Error, 23, "spec.template.spec.containers[0].image", "image has a tag and no digest", Some("the registry is internal and immutable, until 2026-09-01")),
    ]
}

fn faults(events: &mut Vec<Event>) {
    use FaultPhase::*;
    let lives = [
        ("delete-pod", "pod/globeco/order-generation-6d9f-x2x4k", 480_000, Some(1_200), 2_000, Some(23_500), "new pod UID 7c1e"),
        ("drain-worker", "node/gauntlet-worker", 560_000, Some(4_000), 58_000, Some(71_000), "cordoned, 3 pods evicted, 429 seen"),
        ("stop-node", "node/gauntlet-worker2", 720_000, None, 90_000, Some(95_000), "node stayed Ready"),
    ];
    for (experiment, target, applied, proven, recovered, steady, detail) in lives {
        let mut push = |at, phase, detail: &str| {
            let kind = EventKind::Fault { experiment: experiment.into(), target: target.into(), phase, detail: detail.into() };
            events.push(event(at, Some(StageName::Chaos), kind));
        };
        push(applied - 40, Journaled, "");
        push(applied, Applied, "");
        if let Some(after) = proven {
            push(applied + after, Proven, detail);
        }
        push(applied + recovered, Recovered, if proven.is_none() { detail } else { "" });
        if let Some(after) = steady {
            push(applied + after, SteadyState, "");
        }
    }
}

/// One point per second, noisy in the same way each time.
fn samples(events: &mut Vec<Event>) {
    let mut state = 42u64;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    };
    for second in (158..450).chain(458..856).chain(868..1000) {
        let stage = match second {
            0..452 => StageName::Load,
            452..861 => StageName::Chaos,
            _ => StageName::Drill,
        };
        let (offered, replicas, desired) = at_second(second);
        let hurt: f64 = match second {
            480..500 => 3.0,
            560..625 => 1.8,
            _ => 1.0,
        };
        let utilization = (offered / (replicas * 27.0)).min(1.25);
        let slow = if utilization > 0.95 { 6.0 + 9.0 * noise().powi(4) } else { 1.0 };
        let p50 = 18.0 * (1.0 + utilization) * hurt.sqrt() * slow.sqrt() * (0.9 + 0.2 * noise());
        let p99 = p50 * (2.2 + noise()) * hurt * slow.sqrt();
        let errors = match second {
            262..292 => 6.0 * noise(),
            480..487 => 9.0 * noise(),
            563..570 => 4.0 * noise(),
            _ => 0.0,
        };
        let values = [
            ("requests_per_s", offered * (0.96 + 0.08 * noise())),
            ("errors_per_s", (errors * 10.0).round() / 10.0),
            ("latency_p50_ms", p50),
            ("latency_p95_ms", p50 + (p99 - p50) * 0.5),
            ("latency_p99_ms", p99),
            ("slo_latency_p99_ms", 250.0),
            ("replicas_ready", replicas),
            ("replicas_desired", desired),
            ("cpu_percent_of_request", 100.0 * utilization),
        ];
        for (series, value) in values {
            let labels = match series.starts_with("replicas") || series.starts_with("cpu") {
                true => [("workload".to_owned(), "order-generation".to_owned())].into(),
                false => Default::default(),
            };
            events.push(event(second * 1000, Some(stage), EventKind::Sample { series: series.into(), labels, value }));
        }
    }
}

/// Offered requests per second, ready and desired replicas.
fn at_second(second: u64) -> (f64, f64, f64) {
    match second {
        ..205 => (60.0, 3.0, 3.0),
        205..222 => (240.0, 3.0, 3.0),
        222..240 => (240.0, 3.0, 6.0),
        240..262 => (240.0, 6.0, 8.0),
        262..370 => (240.0, 8.0, 11.0),
        370..402 => (40.0, 8.0, 8.0),
        402..434 => (40.0, 5.0, 3.0),
        480..503 => (60.0, 2.0, 3.0),
        564..620 => (60.0, 2.0, 3.0),
        868.. => (30.0, 3.0, 3.0),
        _ => (60.0, 3.0, 3.0),
    }
}
