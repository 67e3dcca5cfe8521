//! The load stage: quiet, push, quiet; the HPA must see its metrics, scale up, hold, and come back.

mod blind;
mod evidence;
mod facts;
mod judge;
mod slo;

use crate::oracle::ControllerSettings;
use crate::oracle::observe::{Observation, Observer};
use crate::oracle::target::TargetError;
use crate::plan::{AFTER, LoadPlan, PUSH};
use crate::runner::{self, RunningLoad};
use facts::Facts;
use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_fixtures::platform::{Load, LoadProfile, Platform};
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::{Assertion, StageName, StageReport};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the HPA has to see its metrics before load starts.
const METRICS_WITHIN: Duration = Duration::from_secs(120);

/// How long the first answered request may take to come.
const FLOWS_WITHIN: Duration = Duration::from_secs(20);

/// How long the replicas must stand still to have settled.
const SETTLED_FOR: Duration = Duration::from_secs(10);

/// Shortest phase `after`, so that its objective has something to judge.
const AFTER_AT_LEAST: Duration = Duration::from_secs(5);

/// What the load stage needs.
pub struct LoadStage<'a> {
    /// The cluster.
    pub client: kube::Client,
    /// The platform, deployed.
    pub platform: &'a Platform,
    /// `quick` or `standard`.
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

async fn stage(ctx: &LoadStage<'_>, load: &Load, metrics_within: Duration, assertions: &mut Vec<Assertion>) -> Result<String, Cut> {
    let profile = load.profiles.get(ctx.profile).ok_or_else(|| {
        let known: Vec<_> = load.profiles.keys().map(String::as_str).collect();
        format!("platform.yaml has no load profile {:?}; it has {}", ctx.profile, known.join(", "))
    })?;
    let origin = ctx.recorder.clock().origin_ns();
    let plan = LoadPlan::stage(load, profile, ctx.endpoint.clone(), ctx.seed, origin).map_err(|e| e.to_string())?;
    let namespace = &ctx.platform.namespace;
    let start = Observer::start(ctx.client.clone(), namespace, &load.hpa, ctx.controller, ctx.recorder.clone());
    let observer = ctx.or_stop(start).await?.map_err(|error| no_target(&load.hpa, &error))?;

    ctx.recorder.progress(format!("waiting until the HPA {} sees its metrics", load.hpa));
    let sees = ctx.or_stop(blind::sees_metrics(&ctx.client, &observer, load, metrics_within)).await?;
    if sees.verdict != gauntlet_reports::verdict::Verdict::Pass {
        return Err(Cut::Settled(Box::new(sees)));
    }
    assertions.push(ctx.recorder.assert(sees));
    rest(ctx, &observer, profile).await?;

    let args: Vec<&str> = ctx.args.iter().map(String::as_str).collect();
    let running = runner::spawn(&ctx.program, &args, &plan, ctx.recorder.clone()).await.map_err(|e| e.to_string())?;
    let course = course(ctx, load, profile, &observer, &running).await;
    let result = running.stop().await;
    let (course, cut) = match course {
        Ok(course) => (course, None),
        Err((course, cut)) => (course, Some(cut)),
    };
    let facts = Facts { load, profile, plan: &plan, result: &result, seen: &observer.finish().await, course: &course };
    let files = evidence::write(ctx.run_dir, &ctx.platform.name, &facts).map_err(|e| format!("cannot write the load's evidence: {e}"))?;
    if let Some(cut) = cut {
        return Err(cut);
    }
    for assertion in judge::all(&facts) {
        let file = files.of(&assertion.id);
        assertions.push(ctx.recorder.assert(assertion.with_evidence(file)));
    }
    Ok(facts.summary())
}

fn no_target(hpa: &str, error: &TargetError) -> Cut {
    match error {
        TargetError::Api { what, source: kube::Error::Api(status) } if status.code == 404 => {
            let reason = format!("{what} is not in the cluster");
            Cut::Settled(Box::new(Assertion::fail("hpa.sees_metrics", format!("the HPA {hpa} and its target exist"), "not found", reason)))
        }
        other => Cut::Inconclusive(format!("cannot {}", chain(other))),
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
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

/// True when the replicas stand at their minimum.
fn at_rest(seen: &Observation) -> bool {
    let pods = seen.pods.iter().filter(|p| !p.deleted).count();
    let still = |hpa: &crate::oracle::spec::HpaView| {
        hpa.desired == hpa.min && hpa.current == hpa.min && seen.ready() == hpa.min && i32::try_from(pods) == Ok(hpa.min)
    };
    seen.hpa.as_ref().is_some_and(still)
}

/// Waits until the replicas stand at their minimum: a push from above it would prove nothing.
async fn rest(ctx: &LoadStage<'_>, observer: &Observer, profile: &LoadProfile) -> Result<(), Cut> {
    let mut seen = observer.watch();
    let patience = Duration::from_secs(profile.after_seconds);
    if !at_rest(&seen.borrow()) {
        ctx.recorder.progress("waiting until the replicas stand at their minimum");
    }
    let rested = ctx.or_stop(tokio::time::timeout(patience, seen.wait_for(at_rest))).await?.is_ok();
    if rested {
        return Ok(());
    }
    let seen = observer.watch().borrow().clone();
    let stand = seen.hpa.as_ref().map_or_else(String::new, |h| format!(" (desired {}, minimum {})", h.desired, h.min));
    Err(format!("before the load: {} pods Ready{stand} after {} s: the replicas did not come to rest", seen.ready(), patience.as_secs()).into())
}

/// Follows the load through its phases. What is known stays known when it is cut short.
async fn course(ctx: &LoadStage<'_>, load: &Load, profile: &LoadProfile, observer: &Observer, running: &RunningLoad) -> Result<facts::Course, (facts::Course, Cut)> {
    let mut course = facts::Course::default();
    match follow(ctx, load, profile, observer, running, &mut course).await {
        Ok(()) => Ok(course),
        Err(cut) => Err((course, cut)),
    }
}

async fn follow(ctx: &LoadStage<'_>, load: &Load, profile: &LoadProfile, observer: &Observer, running: &RunningLoad, course: &mut facts::Course) -> Result<(), Cut> {
    ctx.recorder.progress(format!("quiet load: {} users", profile.quiet_users));
    running.phase("before");
    if !ctx.or_stop(running.flows(FLOWS_WITHIN)).await? {
        return Ok(()); // judged by load.flowed
    }
    let Some(push_ms) = ctx.or_stop(running.segment(PUSH)).await? else { return Ok(()) };
    course.push_ms = Some(push_ms);
    running.phase_at(push_ms, "scaling");
    ctx.recorder.progress(format!("push: {} users for {} s", profile.push_users, profile.push_seconds));
    let over = tokio::select! {
        over = ctx.or_stop(running.segment(AFTER)) => over?,
        at_ms = settles(ctx, observer, profile) => {
            course.settled_ms = Some(at_ms);
            running.phase_at(at_ms, "during");
            ctx.recorder.progress(format!("{} pods Ready {:.0} s after the push began", observer.watch().borrow().ready(), ctx.seconds(push_ms)));
            ctx.or_stop(running.segment(AFTER)).await?
        }
    };
    let Some(after_ms) = over else { return Ok(()) };
    course.after_ms = Some(after_ms);
    running.phase_at(after_ms, "after");
    course.endpoints = evidence::endpoints(&ctx.client, &ctx.platform.namespace, ctx.platform.entrypoints.get(&load.entrypoint)).await;
    ctx.recorder.progress(format!("quiet load: waiting until the replicas are back, {} s at most", profile.after_seconds));
    let mut seen = observer.watch();
    let patience = Duration::from_secs(profile.after_seconds).saturating_sub(AFTER_AT_LEAST);
    let back = ctx.or_stop(tokio::time::timeout(patience, seen.wait_for(at_rest))).await?.is_ok();
    course.back_ms = back.then(|| ctx.recorder.clock().now_ms());
    ctx.or_stop(tokio::time::sleep(AFTER_AT_LEAST)).await
}

/// Waits until enough pods are Ready, as many as the HPA asks for, and have been for a while; gives the time on the run's
/// clock in ms.
async fn settles(ctx: &LoadStage<'_>, observer: &Observer, profile: &LoadProfile) -> u64 {
    let mut seen = observer.watch();
    let stands = |o: &Observation| {
        let (ready, desired) = (o.ready(), o.hpa.as_ref().map_or(-1, |h| h.desired));
        ready == desired && u32::try_from(ready).is_ok_and(|r| r >= profile.expect_replicas)
    };
    loop {
        if seen.wait_for(stands).await.is_err() {
            std::future::pending::<()>().await;
        }
        if tokio::time::timeout(SETTLED_FOR, seen.wait_for(|o| !stands(o))).await.is_err() {
            return ctx.recorder.clock().now_ms();
        }
    }
}

#[cfg(test)]
mod tests;
