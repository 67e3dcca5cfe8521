//! The policies stage: what ships, judged in memory; and the proof that what runs is what ships.

use crate::pipeline::Session;
use gauntlet_fixtures::drift;
use gauntlet_fixtures::facts;
use gauntlet_fixtures::platform::LoadedPlatform;
use gauntlet_policies::PolicySet;
use gauntlet_reports::event::EventKind;
use gauntlet_reports::finding::{Location, Severity};
use gauntlet_reports::run::{Assertion, StageName, StageReport};
use std::path::Path;

/// Judges overlays/production, and compares it with overlays/kind.
pub fn run(session: &Session, chosen: &LoadedPlatform) -> StageReport {
    let recorder = session.recorder.scoped(&chosen.platform.name, StageName::Policies);
    let started = recorder.clock().now_ms();
    recorder.emit(EventKind::StageStarted { expected_ms: 1000 });
    let (production, kind) = match (chosen.production_objects(), chosen.kind_objects()) {
        (Ok(production), Ok(kind)) => (production, kind),
        (Err(error), _) | (_, Err(error)) => return super::could_not(&recorder, StageName::Policies, started, format!("{error:#}")),
    };
    let mut findings = gauntlet_policies::check(&production, &PolicySet::production(), &chosen.platform.waivers, session.options.today());
    for finding in &mut findings {
        relative(&mut finding.location, &session.ctx.repo);
        // A report is read elsewhere: there is nothing to write there.
        finding.automatic = None;
    }
    findings.iter().for_each(|f| recorder.emit(EventKind::Found(f.clone())));
    let breaches: Vec<_> = findings.iter().filter(|f| f.severity == Severity::Error && f.waived.is_none()).collect();
    let waived = findings.iter().filter(|f| f.waived.is_some()).count();
    let measured = format!("{} errors, {} other findings, {waived} waived, in {} objects", breaches.len(), findings.len() - breaches.len() - waived, production.len());
    let reason = breaches.first().map(|f| format!("{} {}: {} ({})", f.rule, f.location, f.message, f.resource)).unwrap_or_default();
    let mut judged = Assertion::check("policies.no_errors", breaches.is_empty(), "no finding of severity error that is not waived", measured, reason);
    judged.evidence = breaches.iter().take(20).map(|f| format!("{} {} {}", f.location, f.rule, f.message)).collect();

    let drifts = drift::drift(&production, &kind, &chosen.platform.manifests.allowed_drift);
    let reason = drifts.first().map(ToString::to_string).unwrap_or_default();
    let mut same = Assertion::check("policies.what_runs_is_what_ships", drifts.is_empty(), "the two overlays differ only in allowed fields", format!("{} differences beyond the allowed ones", drifts.len()), reason);
    same.evidence = drifts.iter().take(20).map(ToString::to_string).collect();
    let assertions = [Some(judged), Some(same), guide_facts(chosen)].into_iter().flatten().map(|a| recorder.assert(a)).collect();
    StageReport::judge(StageName::Policies, started, recorder.clock().now_ms(), assertions, format!("{} objects judged", production.len()))
}

/// A file of the repository by its path in the repository, as code scanning and colleagues know it.
fn relative(location: &mut Location, repo: &Path) {
    if let Ok(inside) = Path::new(&location.file).strip_prefix(repo) {
        location.file = inside.display().to_string();
    }
}

/// Every fact of the platform's guide that manifests can hold is held by what ships. None without a `facts.yaml`.
fn guide_facts(chosen: &LoadedPlatform) -> Option<Assertion> {
    let (id, expected) = ("policies.guide_facts", "what ships holds every fact of the deployment guide");
    let standing = match facts::stand(chosen) {
        Ok(standing) => standing?,
        Err(error) => return Some(Assertion::inconclusive(id, expected, error.to_string())),
    };
    let held = standing.iter().filter(|s| !s.fact.holds.is_empty()).count();
    let broken: Vec<_> = standing.iter().flat_map(|s| s.broken.iter().map(move |why| format!("{}: {why}", s.fact.fact))).collect();
    let measured = format!("{} of {held} facts hold; {} more are watched by a run", held - standing.iter().filter(|s| !s.broken.is_empty()).count(), standing.len() - held);
    let mut judged = Assertion::check(id, broken.is_empty(), expected, measured, broken.first().cloned().unwrap_or_default());
    judged.evidence = broken.into_iter().take(20).collect();
    Some(judged)
}
