//! One defect tried: the suite runs itself on the broken platform, and its report is read.

use super::defect::{Defect, Finding};
use anyhow::{Context as _, Result};
use gauntlet_fixtures::facts::means;
use gauntlet_fixtures::platform::LoadedPlatform;
use gauntlet_reports::run::{Assertion, PlatformReport, Run, StageName};
use gauntlet_reports::verdict::Verdict;
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// What became of a defect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Found by the right stage, with the right cause, and nothing else was raised.
    Found(String),
    /// Not found, or something else was raised too.
    Missed(String),
    /// The run could not judge.
    Inconclusive(String),
}

/// A defect, and the platform that it is planted in.
pub type Planted = (LoadedPlatform, Defect);

/// Runs the suite once on broken platforms that are different ones, each with its defect, and all through the same stages.
/// Gives what became of each.
///
/// # Errors
/// When the run cannot be started or its report cannot be read.
pub async fn run(wave: &[Planted], seed: u64, out: &Path, quiet: bool) -> Result<Vec<Outcome>> {
    let Some((_, first)) = wave.first() else { return Ok(Vec::new()) };
    let stages: Vec<_> = first.description.only.iter().map(|s| s.as_str()).collect();
    let mut command = Command::new(crate::machine::own_program()?);
    command.args(["verify", "--yes", "--seed", &seed.to_string(), "--only", &stages.join(",")]).arg("--out").arg(out);
    let mut folders = Vec::new();
    for (good, defect) in wave {
        let folder = broken(good, defect)?;
        command.arg("--platform").arg(folder.path());
        folders.push(folder);
    }
    if quiet {
        command.stderr(Stdio::null()).stdout(Stdio::null());
    }
    command.kill_on_drop(true);
    let status = command.status().await.context("failed to start the suite")?;
    let path = out.join("run.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        let why = format!("the run wrote no report (exit code {:?}); --verbose shows what it said", status.code());
        return Ok(wave.iter().map(|_| Outcome::Inconclusive(why.clone())).collect());
    };
    let run: Run = serde_json::from_str(&text).with_context(|| format!("failed to read {}", path.display()))?;
    Ok(wave.iter().map(|(good, defect)| judged(good, defect, &run)).collect())
}

fn judged(good: &LoadedPlatform, defect: &Defect, run: &Run) -> Outcome {
    match run.platforms.iter().find(|p| p.name == good.platform.name) {
        Some(report) => judge(&defect.description.finds, report),
        None => Outcome::Inconclusive(format!("the run's report does not hold the platform {}", good.platform.name)),
    }
}

/// A folder with the broken platform. What the platform's folder holds beside manifests is the broken one's too.
fn broken(good: &LoadedPlatform, defect: &Defect) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir().context("failed to make a folder")?;
    std::fs::write(folder.path().join("platform.yaml"), defect.platform_yaml(good)?.to_string())?;
    for part in ["services", "facts.yaml"] {
        if good.folder.join(part).exists() {
            std::os::unix::fs::symlink(good.folder.join(part).canonicalize()?, folder.path().join(part))?;
        }
    }
    Ok(folder)
}

/// Puts defects together that one run can try: of different platforms, through the same stages. In their order.
pub fn waves(planted: Vec<Planted>) -> Vec<Vec<Planted>> {
    let mut waves: Vec<Vec<Planted>> = Vec::new();
    for (platform, defect) in planted {
        let fits = |wave: &&mut Vec<Planted>| {
            let same_stages = wave.iter().all(|(_, other)| other.description.only == defect.description.only);
            same_stages && wave.iter().all(|(other, _)| other.platform.name != platform.platform.name)
        };
        match waves.iter_mut().find(fits) {
            Some(wave) => wave.push((platform, defect)),
            None => waves.push(vec![(platform, defect)]),
        }
    }
    // What needs no cluster says at once what it has to say.
    waves.sort_by_key(|wave| wave.iter().flat_map(|(_, d)| d.description.only.iter().copied()).max());
    waves
}

/// Compares a platform's report with what must be found. Pure.
fn judge(finds: &Finding, platform: &PlatformReport) -> Outcome {
    let all: Vec<(StageName, &Assertion)> = platform.stages.iter().flat_map(|s| s.assertions.iter().map(|a| (s.name, a))).collect();
    let failed: Vec<_> = all.iter().filter(|(_, a)| a.verdict == Verdict::Fail).collect();
    let wanted = |stage: StageName, a: &Assertion| stage == finds.stage && means(&finds.assertion, &a.id);
    let text = |a: &Assertion| format!("{} {}", a.reason, a.evidence.join(" "));
    let named = |a: &Assertion| finds.cause.iter().all(|cause| text(a).to_lowercase().contains(&cause.to_lowercase()));
    let told = |(stage, a): &(StageName, &Assertion)| format!("{stage}/{}: {}", a.id, a.reason);
    if let Some(hit) = failed.iter().find(|(stage, a)| wanted(*stage, a) && named(a)) {
        let consequence = |stage: StageName, a: &Assertion| wanted(stage, a) || finds.also.iter().any(|p| means(p, &format!("{stage}/{}", a.id)));
        let false_alarms: Vec<_> = failed.iter().filter(|(stage, a)| !consequence(*stage, a)).map(|f| told(f)).collect();
        if false_alarms.is_empty() {
            return Outcome::Found(told(hit));
        }
        return Outcome::Missed(format!("found, but other things were raised too: {}", false_alarms.join("; ")));
    }
    if let Some(other) = failed.iter().find(|(stage, a)| wanted(*stage, a)) {
        return Outcome::Missed(format!("the assertion failed, but its cause does not name {:?}: {}", finds.cause, told(other)));
    }
    if let Some((stage, a)) = all.iter().find(|(stage, a)| wanted(*stage, a) && a.verdict == Verdict::Inconclusive) {
        return Outcome::Inconclusive(told(&(*stage, *a)));
    }
    let others: Vec<_> = failed.iter().map(|f| told(f)).collect();
    if others.is_empty() {
        let undecided = platform.stages.iter().find(|s| s.verdict == Verdict::Inconclusive);
        return match undecided {
            Some(stage) => Outcome::Inconclusive(format!("{}: {}", stage.name, stage.reason)),
            None => Outcome::Missed("nothing failed".to_owned()),
        };
    }
    Outcome::Missed(format!("only other things were raised: {}", others.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(assertions: &[Assertion]) -> PlatformReport {
        let stage = json!({"name": "deploy", "verdict": "fail", "reason": "", "started_ms": 0, "ended_ms": 1, "assertions": assertions});
        serde_json::from_value(json!({"name": "p", "verdict": "fail", "stages": [stage]})).expect("a report")
    }

    fn finds() -> Finding {
        Finding { stage: StageName::Deploy, assertion: "deploy.rolled_out".into(), cause: vec!["9090".into()], also: vec!["deploy/deploy.pods_*".into()] }
    }

    fn fail(id: &str, reason: &str) -> Assertion {
        Assertion::fail(id, "", "", reason)
    }

    #[test]
    fn found_with_its_cause_and_only_its_consequences() {
        let seen = report(&[fail("deploy.rolled_out", "probe on port 9090"), fail("deploy.pods_ready", "x")]);
        assert!(matches!(judge(&finds(), &seen), Outcome::Found(_)));
        let seen = report(&[fail("deploy.rolled_out", "probe on port 9090"), fail("deploy.spread", "x")]);
        assert!(matches!(judge(&finds(), &seen), Outcome::Missed(why) if why.contains("deploy.spread")));
    }

    #[test]
    fn a_wrong_cause_or_no_failure_is_a_miss() {
        let seen = report(&[fail("deploy.rolled_out", "timed out")]);
        assert!(matches!(judge(&finds(), &seen), Outcome::Missed(why) if why.contains("9090")));
        assert!(matches!(judge(&finds(), &report(&[])), Outcome::Missed(_) | Outcome::Inconclusive(_)));
        let seen = report(&[Assertion::inconclusive("deploy.rolled_out", "", "no answer")]);
        assert!(matches!(judge(&finds(), &seen), Outcome::Inconclusive(_)));
    }

    #[test]
    fn a_wave_has_each_platform_once_and_one_choice_of_stages() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
        let all = crate::pipeline::platforms::choose(&fixtures, &[]).expect("platforms");
        let planted: Vec<Planted> = all.iter().flat_map(|p| crate::selftest::defect::of_platform(p).expect("defects").into_iter().map(|d| (p.clone(), d))).collect();
        let count = planted.len();
        let waves = waves(planted);
        assert_eq!(waves.iter().map(Vec::len).sum::<usize>(), count);
        assert!(waves.len() < count, "some are tried together");
        for wave in &waves {
            let names: std::collections::BTreeSet<_> = wave.iter().map(|(p, _)| &p.platform.name).collect();
            assert_eq!(names.len(), wave.len());
            assert!(wave.iter().all(|(_, d)| d.description.only == wave[0].1.description.only));
        }
        assert_eq!(waves[0][0].1.description.only, [StageName::Policies]);
    }
}
