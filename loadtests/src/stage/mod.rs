//! The load stage: quiet, push, quiet; each HPA must see its metrics, scale up, hold, and come back.

mod blind;
mod course;
pub(crate) mod custom_metric;
mod evidence;
mod facts;
mod hpa;
mod judge;
mod slo;
mod targets;

use crate::oracle::{ControllerSettings, events};
use crate::plan::LoadPlan;
use crate::{profile, runner};
use facts::{Facts, Seen};
use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_fixtures::platform::{Load, Platform};
use gauntlet_reports::event::EventKind;
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::{Assertion, StageName, StageReport};
use gauntlet_reports::verdict::Verdict;
use std::path::{Path, PathBuf};
use std::time::Duration;
use targets::{Targets, Watched};
use tokio_util::sync::CancellationToken;

/// How long the HPA has to see its metrics before load starts.
const METRICS_WITHIN: Duration = Duration::from_secs(120);

/// What the load stage needs.
pub struct LoadStage<'a> {
    /// The cluster.
    pub client: kube::Client,
    /// The platform, deployed.
    pub platform: &'a Platform,
    /// One of [`profile::PROFILES`].
    pub profile: &'a str,
    /// The load's entry point, published on this machine.
    pub endpoint: Endpoint,
    /// The run's seed.
    pub seed: u64,
    /// Scoped to the platform and the load stage.
    pub recorder: Recorder,
    /// The program that calls [`crate::goose_child::child_main`] when given `args`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// The run's folder; evidence goes to the platform's folder in it.
    pub run_dir: &'a Path,
    /// Cancelled: the stage stops its load and returns at once, inconclusive.
    pub stop: CancellationToken,
    /// The controller manager's settings in this cluster.
    pub controller: ControllerSettings,
}

/// Why the stage ends before its time.
enum Cut {
    /// Asked to.
    Interrupted,
    /// This assertion makes the others pointless.
    Settled(Box<Assertion>),
    /// What was asserted so far makes the rest pointless.
    Judged,
    /// The stage as a whole cannot be judged.
    Inconclusive(String),
}

impl From<String> for Cut {
    fn from(reason: String) -> Self {
        Cut::Inconclusive(reason)
    }
}

/// Runs the load stage. Never fails as a function: what goes wrong is in the report.
pub async fn run(ctx: LoadStage<'_>) -> StageReport {
    run_within(ctx, METRICS_WITHIN).await
}

async fn run_within(ctx: LoadStage<'_>, metrics_within: Duration) -> StageReport {
    let started = ctx.recorder.clock().now_ms();
    let Some(load) = &ctx.platform.load else {
        return StageReport::not_applicable(StageName::Load, started, "the platform describes no load");
    };
    let mut assertions = Vec::new();
    let cut = match stage(&ctx, load, metrics_within, &mut assertions).await {
        Ok(summary) => return StageReport::judge(StageName::Load, started, ctx.recorder.clock().now_ms(), assertions, summary),
        Err(cut) => cut,
    };
    let ended = ctx.recorder.clock().now_ms();
    let mut report = match cut {
        Cut::Settled(assertion) => {
            assertions.push(ctx.recorder.assert(*assertion));
            return StageReport::judge(StageName::Load, started, ended, assertions, "");
        }
        Cut::Judged => return StageReport::judge(StageName::Load, started, ended, assertions, ""),
        Cut::Interrupted => StageReport::inconclusive(StageName::Load, started, ended, "interrupted"),
        Cut::Inconclusive(reason) => StageReport::inconclusive(StageName::Load, started, ended, reason),
    };
    report.assertions = assertions;
    report
}

impl LoadStage<'_> {
    /// Waits for something, unless the stage is to stop.
    async fn or_stop<T>(&self, wait: impl Future<Output = T>) -> Result<T, Cut> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Cut::Interrupted),
            got = wait => Ok(got),
        }
    }

    fn seconds(&self, from_ms: u64) -> f64 {
        self.recorder.clock().now_ms().saturating_sub(from_ms) as f64 / 1000.0
    }
}

/// How long the load of a platform may take, in seconds.
pub fn expected_seconds(platform: &Platform, profile: &str) -> u64 {
    let chosen = platform.load.as_ref().and_then(|load| profile::choose("load", &load.profiles, profile).ok());
    chosen.map_or(0, |c| c.profile.before_seconds + c.profile.push_seconds + c.profile.after_seconds)
}

async fn stage(ctx: &LoadStage<'_>, load: &Load, metrics_within: Duration, assertions: &mut Vec<Assertion>) -> Result<String, Cut> {
    let chosen = profile::choose("load", &load.profiles, ctx.profile).map_err(|e| e.to_string())?;
    let note = chosen.note();
    if let Some(message) = &note {
        ctx.recorder.emit(EventKind::Note { message: message.clone() });
    }
    let origin = ctx.recorder.clock().origin_ns();
    let plan = LoadPlan::stage(load, chosen.profile, ctx.endpoint.clone(), ctx.seed, origin).map_err(|e| e.to_string())?;
    let _events = events::tell(ctx.client.clone(), &ctx.platform.namespace, ctx.recorder.clone());
    let targets = Targets::start(ctx, load, chosen.name).await?;

    ctx.recorder.progress(format!("waiting until the autoscaler sees its metrics: {}", names(load)));
    let sees = futures::future::join_all(targets.0.iter().map(|w| blind::sees_metrics(&ctx.client, w, metrics_within)));
    let (good, bad): (Vec<_>, Vec<_>) = ctx.or_stop(sees).await?.into_iter().partition(|a| a.verdict == Verdict::Pass);
    assertions.extend(good.into_iter().chain(bad.iter().cloned()).map(|a| ctx.recorder.assert(a)));
    if !bad.is_empty() {
        return Err(Cut::Judged);
    }
    course::rest(ctx, &targets, chosen.profile).await?;

    let args: Vec<&str> = ctx.args.iter().map(String::as_str).collect();
    let running = runner::spawn(&ctx.program, &args, &plan, ctx.recorder.clone()).await.map_err(|e| e.to_string())?;
    let (course, cut) = course::course(ctx, chosen.profile, &targets, &running).await;
    let result = running.stop().await;
    let mut seen = Vec::new();
    for watched in targets.0 {
        let Watched { target, expect, prefix, observer } = watched;
        seen.push(Seen { hpa: &target.hpa, prefix, expect, seen: observer.finish().await });
    }
    let entry = ctx.platform.entrypoints.get(&load.entrypoint).map(|e| e.service.as_str());
    let facts = Facts { load, profile: chosen.profile, plan: &plan, result: &result, course: &course, targets: seen, entry, sockets: &ctx.platform.websockets };
    let files = evidence::write(ctx.run_dir, &ctx.platform.name, &facts).map_err(|e| format!("cannot write the load's evidence: {e}"))?;
    if let Some(cut) = cut {
        return Err(cut);
    }
    for assertion in judge::all(&facts) {
        let file = files.of(&assertion.id);
        assertions.push(ctx.recorder.assert(assertion.with_evidence(file)));
    }
    Ok(note.into_iter().fold(facts.summary(), |text, note| format!("{text} ({note})")))
}

fn names(load: &Load) -> String {
    load.targets.iter().map(|t| t.hpa.as_str()).collect::<Vec<_>>().join(", ")
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
