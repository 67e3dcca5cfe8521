//! One defect tried: the suite runs itself on the broken platform, and its report is read.

use super::defect::{Defect, Finding};
use anyhow::{Context as _, Result};
use gauntlet_fixtures::facts::means;
use gauntlet_fixtures::platform::LoadedPlatform;
use gauntlet_reports::run::{Assertion, Run, StageName};
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

/// Runs the suite on the broken platform.
///
/// # Errors
/// When the run cannot be started or its report cannot be read.
pub async fn run(defect: &Defect, good: &LoadedPlatform, seed: u64, out: &Path, quiet: bool) -> Result<Outcome> {
    let folder = tempfile::tempdir().context("failed to make a folder")?;
    std::fs::write(folder.path().join("platform.yaml"), defect.platform_yaml(good)?.to_string())?;
    // What the platform's folder holds beside manifests is the broken one's too.
    for part in ["services", "facts.yaml"] {
        if good.folder.join(part).exists() {
            std::os::unix::fs::symlink(good.folder.join(part).canonicalize()?, folder.path().join(part))?;
        }
    }
    let stages: Vec<_> = defect.description.only.iter().map(|s| s.as_str()).collect();
    let mut command = Command::new(crate::machine::own_program()?);
    command.args(["verify", "--yes", "--seed", &seed.to_string(), "--only", &stages.join(","), "--platform"]).arg(folder.path()).arg("--out").arg(out);
    if !defect.description.experiments.is_empty() {
        command.args(["--experiment", &defect.description.experiments.join(",")]);
    }
    if quiet {
        command.stderr(Stdio::null()).stdout(Stdio::null());
    }
    command.kill_on_drop(true);
    let status = command.status().await.context("failed to start the suite")?;
    let path = out.join("run.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Ok(Outcome::Inconclusive(format!("the run wrote no report (exit code {:?})", status.code())));
    };
    let run: Run = serde_json::from_str(&text).with_context(|| format!("failed to read {}", path.display()))?;
    Ok(judge(&defect.description.finds, &run))
}

/// Compares a run with what must be found. Pure.
fn judge(finds: &Finding, run: &Run) -> Outcome {
    let all: Vec<(StageName, &Assertion)> = run.platforms.iter().flat_map(|p| &p.stages).flat_map(|s| s.assertions.iter().map(|a| (s.name, a))).collect();
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
        let undecided = run.platforms.iter().flat_map(|p| &p.stages).find(|s| s.verdict == Verdict::Inconclusive);
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

    fn run_with(assertions: &[Assertion]) -> Run {
        serde_json::from_value(json!({"run_id": "r", "verdict": "fail", "reason": "", "seed": 1, "profile": "quick", "started_at": "", "duration_ms": 1,
            "host": {"os": "", "kernel": "", "cores": 1, "memory_mib": 1}, "cluster": null,
            "platforms": [{"name": "p", "verdict": "fail", "stages": [{"name": "deploy", "verdict": "fail", "reason": "", "started_ms": 0, "ended_ms": 1,
                "assertions": assertions}]}]}))
        .expect("a run")
    }

    fn finds() -> Finding {
        Finding { stage: StageName::Deploy, assertion: "deploy.rolled_out".into(), cause: vec!["9090".into()], also: vec!["deploy/deploy.pods_*".into()] }
    }

    fn fail(id: &str, reason: &str) -> Assertion {
        Assertion::fail(id, "", "", reason)
    }

    #[test]
    fn found_with_its_cause_and_only_its_consequences() {
        let run = run_with(&[fail("deploy.rolled_out", "probe on port 9090"), fail("deploy.pods_ready", "x")]);
        assert!(matches!(judge(&finds(), &run), Outcome::Found(_)));
        let run = run_with(&[fail("deploy.rolled_out", "probe on port 9090"), fail("deploy.spread", "x")]);
        assert!(matches!(judge(&finds(), &run), Outcome::Missed(why) if why.contains("deploy.spread")));
    }

    #[test]
    fn a_wrong_cause_or_no_failure_is_a_miss() {
        let run = run_with(&[fail("deploy.rolled_out", "timed out")]);
        assert!(matches!(judge(&finds(), &run), Outcome::Missed(why) if why.contains("9090")));
        assert!(matches!(judge(&finds(), &run_with(&[])), Outcome::Missed(_) | Outcome::Inconclusive(_)));
        let run = run_with(&[Assertion::inconclusive("deploy.rolled_out", "", "no answer")]);
        assert!(matches!(judge(&finds(), &run), Outcome::Inconclusive(_)));
    }
}
