//! The load on its way through its phases.

use super::facts::Course;
use super::targets::{Targets, Watched};
use super::{Cut, LoadStage, evidence};
use crate::oracle::observation::Observation;
use crate::plan::{AFTER, PUSH};
use crate::runner::RunningLoad;
use gauntlet_fixtures::platform::LoadProfile;
use std::time::Duration;

/// How long the first answered request may take to come.
const FLOWS_WITHIN: Duration = Duration::from_secs(20);

/// How long the replicas must stand still to have settled.
const SETTLED_FOR: Duration = Duration::from_secs(10);

/// Shortest phase `after`, so that its objective has something to judge.
const AFTER_AT_LEAST: Duration = Duration::from_secs(5);

/// True when the replicas stand at their minimum.
fn at_rest(seen: &Observation) -> bool {
    let pods = seen.pods.iter().filter(|p| !p.deleted).count();
    let still = |hpa: &crate::oracle::spec::HpaView| {
        hpa.desired == hpa.min && hpa.current == hpa.min && seen.ready() == hpa.min && i32::try_from(pods) == Ok(hpa.min)
    };
    seen.hpa.as_ref().is_some_and(still)
}

/// True when enough pods are Ready, as many as the HPA asks for.
fn stands(watched: &Watched<'_>, seen: &Observation) -> bool {
    let ready = seen.ready();
    seen.hpa.as_ref().is_some_and(|h| h.desired == ready) && ready >= watched.expect
}

/// Waits until all replicas stand at their minimum: a push from above it would prove nothing.
pub(super) async fn rest(ctx: &LoadStage<'_>, targets: &Targets<'_>, profile: &LoadProfile) -> Result<(), Cut> {
    let patience = Duration::from_secs(profile.after_seconds);
    if !targets.now().iter().all(|(_, seen)| at_rest(seen)) {
        ctx.recorder.progress("waiting until the replicas stand at their minimum");
    }
    let rested = ctx.or_stop(tokio::time::timeout(patience, targets.until(true, |_, seen| at_rest(seen)))).await?.is_ok();
    if rested {
        return Ok(());
    }
    let told = |(watched, seen): &(&Watched<'_>, Observation)| {
        let stand = seen.hpa.as_ref().map_or_else(String::new, |h| format!(" (desired {}, minimum {})", h.desired, h.min));
        format!("{}: {} pods Ready{stand}", watched.target.hpa, seen.ready())
    };
    let restless: Vec<_> = targets.now().iter().filter(|(_, seen)| !at_rest(seen)).map(told).collect();
    Err(format!("before the load, after {} s: {}: the replicas did not come to rest", patience.as_secs(), restless.join("; ")).into())
}

/// Follows the load through its phases. What is known stays known when it is cut short.
pub(super) async fn course(ctx: &LoadStage<'_>, profile: &LoadProfile, targets: &Targets<'_>, running: &RunningLoad) -> (Course, Option<Cut>) {
    let mut course = Course::default();
    let cut = follow(ctx, profile, targets, running, &mut course).await.err();
    (course, cut)
}

async fn follow(ctx: &LoadStage<'_>, profile: &LoadProfile, targets: &Targets<'_>, running: &RunningLoad, course: &mut Course) -> Result<(), Cut> {
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
        at_ms = settled(ctx, targets) => {
            course.settled_ms = Some(at_ms);
            running.phase_at(at_ms, "during");
            let ready: Vec<_> = targets.now().iter().map(|(w, seen)| format!("{} {}", w.target.hpa, seen.ready())).collect();
            ctx.recorder.progress(format!("pods Ready {:.0} s after the push began: {}", ctx.seconds(push_ms), ready.join(", ")));
            ctx.or_stop(running.segment(AFTER)).await?
        }
    };
    let Some(after_ms) = over else { return Ok(()) };
    course.after_ms = Some(after_ms);
    running.phase_at(after_ms, "after");
    course.endpoints = evidence::endpoints(&ctx.client, &ctx.platform.namespace).await;
    ctx.recorder.progress(format!("quiet load: waiting until the replicas are back, {} s at most", profile.after_seconds));
    let patience = Duration::from_secs(profile.after_seconds).saturating_sub(AFTER_AT_LEAST);
    let back = futures::future::join_all(targets.0.iter().map(|w| back(ctx, w, patience)));
    for (watched, at_ms) in targets.0.iter().zip(ctx.or_stop(back).await?) {
        course.back_ms.extend(at_ms.map(|at| (watched.target.hpa.clone(), at)));
    }
    ctx.or_stop(tokio::time::sleep(AFTER_AT_LEAST)).await
}

/// When one target was back at its minimum, in ms on the run's clock.
async fn back(ctx: &LoadStage<'_>, watched: &Watched<'_>, patience: Duration) -> Option<u64> {
    let mut seen = watched.observer.watch();
    let back = tokio::time::timeout(patience, seen.wait_for(at_rest)).await;
    matches!(back, Ok(Ok(_))).then(|| ctx.recorder.clock().now_ms())
}

/// Waits until every target has enough pods Ready and has had them for a while; gives the time on the run's clock in ms.
async fn settled(ctx: &LoadStage<'_>, targets: &Targets<'_>) -> u64 {
    loop {
        targets.until(true, stands).await;
        if tokio::time::timeout(SETTLED_FOR, targets.until(false, stands)).await.is_err() {
            return ctx.recorder.clock().now_ms();
        }
    }
}
