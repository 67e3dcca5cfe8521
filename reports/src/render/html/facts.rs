//! What the report states in tables: figures per load phase, faults, findings, and what happened.

use super::super::words::figure;
use super::lanes::{FaultLife, PhaseSpan, faults as lives, phases as spans};
use super::scale::with_unit;
use super::series::Series;
use super::{duration, stamp};
use crate::event::{Event, EventKind, FaultPhase};
use crate::finding::{Finding, Severity};
use crate::run::StageName;
use crate::verdict::Verdict;
use std::collections::BTreeMap;

/// At most this many findings are shown; `events.jsonl` has all.
const FINDINGS: usize = 300;
/// At most this many Kubernetes events of one stage are shown, so that a rollout does not drown a fault.
const KUBERNETES_PER_STAGE: usize = 60;

/// The figures of one load phase. A dash stands for what was not measured.
pub(super) struct PhaseRow {
    pub stage: &'static str,
    pub name: String,
    pub from: String,
    pub length: String,
    pub requests: String,
    pub errors: String,
    pub p50: String,
    pub p95: String,
    pub p99: String,
    pub p99_worst: String,
    pub replicas: String,
}

/// The phases with their figures, for those who read tables rather than pictures.
pub(super) fn phases(events: &[&Event], series: &[Series]) -> Vec<PhaseRow> {
    spans(events).iter().map(|span| phase(span, series)).collect()
}

fn phase(span: &PhaseSpan<'_>, series: &[Series]) -> PhaseRow {
    let values = |name: &str| -> Vec<f64> {
        let mut values: Vec<f64> = series
            .iter()
            .filter(|s| s.name == name)
            .flat_map(|s| s.points.iter().filter(|p| (span.from..span.to).contains(&p.0)).map(|p| p.1))
            .collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let shown = |value: Option<f64>, unit: &str| value.map_or("–".to_owned(), |v| with_unit(v, unit));
    let median = |name: &str| values(name).get(values(name).len() / 2).copied();
    let mean = |name: &str| {
        let all = values(name);
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    };
    let replicas = values("replicas_ready");
    PhaseRow {
        stage: span.stage.map_or("", StageName::as_str),
        name: span.name.to_owned(),
        from: stamp(span.from),
        length: duration(span.to - span.from),
        requests: shown(mean("requests_per_s"), "/s"),
        errors: shown(mean("errors_per_s"), "/s"),
        p50: shown(median("latency_p50_ms"), "ms"),
        p95: shown(median("latency_p95_ms"), "ms"),
        p99: shown(median("latency_p99_ms"), "ms"),
        p99_worst: shown(values("latency_p99_ms").last().copied(), "ms"),
        replicas: match (replicas.first(), replicas.last()) {
            (Some(low), Some(high)) if low < high => format!("{} to {}", figure(*low), figure(*high)),
            (Some(same), _) => figure(*same),
            _ => "–".to_owned(),
        },
    }
}

/// One fault in a table.
pub(super) struct FaultRow<'a> {
    pub experiment: &'a str,
    pub target: &'a str,
    pub applied: String,
    pub proven: String,
    pub recovered: String,
    pub steady: String,
    pub outcome: String,
    pub detail: String,
}

/// The faults with the times from their application.
pub(super) fn faults<'a>(events: &[&'a Event]) -> Vec<FaultRow<'a>> {
    let after = |life: &FaultLife<'_>, at: Option<u64>| match (life.applied, at) {
        (Some(applied), Some(at)) => format!("+{}", duration(at.saturating_sub(applied))),
        _ => "–".to_owned(),
    };
    let row = |life: FaultLife<'a>| FaultRow {
        applied: life.applied.map_or("–".to_owned(), stamp),
        proven: after(&life, life.proven),
        recovered: after(&life, life.recovered),
        steady: after(&life, life.steady),
        outcome: life.outcome(),
        detail: life.details.join("; "),
        experiment: life.experiment,
        target: life.target,
    };
    lives(events).into_iter().map(row).collect()
}

/// The findings of the policies stage.
#[derive(Default)]
pub(super) struct Findings<'a> {
    /// The worst first.
    pub open: Vec<&'a Finding>,
    pub waived: Vec<(&'a Finding, &'a str)>,
    pub left_off: usize,
    pub errors: usize,
    pub warnings: usize,
}

/// The findings, those that count apart from the waived ones.
pub(super) fn findings<'a>(events: &[&'a Event]) -> Findings<'a> {
    let mut found = Findings::default();
    for event in events {
        let EventKind::Found(finding) = &event.kind else { continue };
        match &finding.waived {
            Some(reason) => found.waived.push((finding, reason)),
            None => found.open.push(finding),
        }
    }
    found.open.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| (&a.rule, &a.location).cmp(&(&b.rule, &b.location))));
    let of = |severity| found.open.iter().filter(|f| f.severity == severity).count();
    (found.errors, found.warnings) = (of(Severity::Error), of(Severity::Warning));
    found.left_off = found.open.len().saturating_sub(FINDINGS) + found.waived.len().saturating_sub(FINDINGS);
    found.open.truncate(FINDINGS);
    found.waived.truncate(FINDINGS);
    found
}

/// Something that happened, for the log at the end of the report.
pub(super) struct Happening<'a> {
    pub at: String,
    pub stage: &'static str,
    pub kind: &'static str,
    pub what: &'a str,
    pub text: String,
}

/// What happened on a platform, in order, and how many Kubernetes events were left off.
pub(super) fn happenings<'a>(events: &[&'a Event]) -> (Vec<Happening<'a>>, usize) {
    let mut shown = Vec::new();
    let mut kubernetes: BTreeMap<Option<StageName>, usize> = BTreeMap::new();
    let mut left_off = 0;
    for event in events {
        let (kind, what, text): (&str, &str, String) = match &event.kind {
            EventKind::Phase { phase } => ("phase", phase, String::new()),
            EventKind::Fault { experiment, target, phase, detail } => {
                let part = match phase {
                    FaultPhase::Journaled => "journaled",
                    FaultPhase::Applied => "applied",
                    FaultPhase::Proven => "proven",
                    FaultPhase::Recovered => "recovered",
                    FaultPhase::SteadyState => "steady state",
                };
                ("fault", experiment, format!("{part}: {target} {detail}"))
            }
            EventKind::Asserted(a) if matches!(a.verdict, Verdict::Fail | Verdict::Inconclusive) => {
                (super::spoken(a.verdict), &a.id, a.reason.clone())
            }
            EventKind::Kubernetes { object, reason, message } => {
                let seen = kubernetes.entry(event.stage).or_default();
                *seen += 1;
                if *seen > KUBERNETES_PER_STAGE {
                    left_off += 1;
                    continue;
                }
                ("kubernetes", object, format!("{reason}: {message}"))
            }
            EventKind::Note { message } => ("note", "", message.clone()),
            _ => continue,
        };
        shown.push(Happening { at: stamp(event.at_ms), stage: event.stage.map_or("", StageName::as_str), kind, what, text });
    }
    (shown, left_off)
}

/// What provisioning did: the last word of each step, with the time it took.
pub(super) fn provisioning(events: &[Event]) -> Vec<Happening<'_>> {
    let mut steps: Vec<(&str, u64, u64, &str, bool)> = Vec::new();
    for event in events {
        let EventKind::Step { step, message, done, .. } = &event.kind else { continue };
        match steps.iter_mut().find(|s| s.0 == step) {
            Some(known) => (known.2, known.3, known.4) = (event.at_ms, message, *done),
            None => steps.push((step, event.at_ms, event.at_ms, message, *done)),
        }
    }
    steps
        .into_iter()
        .map(|(what, from, to, message, done)| Happening {
            at: stamp(from),
            stage: "",
            kind: if done { "done" } else { "not finished" },
            what,
            text: format!("{} {message}", duration(to - from)),
        })
        .collect()
}
