//! The deploy stage of one platform.

use super::apply::{ApplyOptions, Locate, apply};
use super::certificates::CertificateAuthority;
use super::checks::{autoscalers, budgets, claims, endpoints, pods, spread};
use super::rollout::{self, Limits, Outcome};
use super::settle::{Look, settle};
use super::snapshot::Snapshot;
use super::workload::{Goal, Workload};
use super::{entrypoint, evidence, promises, tls};
use crate::procedures::helm::Helm;
use crate::procedures::tried::{self, Trial};
use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_fixtures::platform::Platform;
use gauntlet_reports::event::EventKind;
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::{Assertion, StageName, StageReport};
use gauntlet_reports::verdict::Verdict;
use kube::Client;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often an unfinished rollout is looked into. [`super::diagnose::Cause::certain_after`] counts in these.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Controllers bring endpoints and budgets about within moments.
const CONTROLLERS: Duration = Duration::from_secs(20);
/// From apply to a first answer through the ingress 5 to 9 s were measured.
const ENTRYPOINT: Duration = Duration::from_secs(30);

/// What the deploy stage needs.
pub struct DeployStage<'a> {
    /// The cluster.
    pub client: Client,
    /// The platform.
    pub platform: &'a Platform,
    /// Its rendered manifests.
    pub objects: Vec<Value>,
    /// Scoped to the platform and the stage.
    pub recorder: Recorder,
    /// The run, for the namespace's label.
    pub run_id: String,
    /// The run's folder, for evidence.
    pub run_dir: PathBuf,
    /// Signs the TLS secrets that entry points name and nobody made. `None`: none is made.
    pub authority: Option<&'a CertificateAuthority>,
    /// The platform's entry points as they are published on this machine, by name.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Stops the stage.
    pub stop: CancellationToken,
    /// Longest wait for the rollout.
    pub rollout_timeout: Duration,
    /// Longest wait for metrics to reach the HPAs; 60 s is usual.
    pub metrics_timeout: Duration,
    /// Names the source of an object in errors.
    pub locate: Option<Locate>,
    /// Where configurations are saved to by the procedures that are tried.
    pub configurations: PathBuf,
    /// How to run Helm, for the platforms with a chart.
    pub helm: Option<Helm>,
}

/// Applies, watches the rollout, checks what must hold, and saves evidence when something does not. The stage's start
/// and end are the pipeline's to record.
pub async fn run(stage: DeployStage<'_>) -> StageReport {
    let started = stage.recorder.clock().now_ms();
    let end = |assertions: Vec<Assertion>, summary: String| {
        StageReport::judge(StageName::Deploy, started, stage.recorder.clock().now_ms(), assertions, summary)
    };
    let could_not = |reason: String| StageReport::inconclusive(StageName::Deploy, started, stage.recorder.clock().now_ms(), reason);
    let namespace = stage.platform.namespace.as_str();

    let applied = tokio::select! {
        () = stage.stop.cancelled() => return could_not("stopped while applying".into()),
        applied = apply_all(&stage) => applied,
    };
    let failed = applied.verdict != Verdict::Pass;
    let mut assertions = vec![stage.recorder.assert(applied)];
    if failed {
        return end(assertions, String::new());
    }

    let goal = Goal::of(&stage.objects, namespace);
    let wanted: Vec<_> = goal.workloads.iter().cloned().collect();
    let limits = Limits { timeout: stage.rollout_timeout, look_every: LOOK_EVERY };
    let outcome = match rollout::wait(&stage.client, &goal, limits, &stage.recorder, &stage.stop).await {
        Ok(Outcome::Stopped) => return could_not("stopped while the rollout was watched".into()),
        Ok(outcome) => outcome,
        Err(error) => return could_not(format!("ask the API server about the rollout: {error}")),
    };
    let finished = outcome == Outcome::Finished;
    assertions.push(stage.recorder.assert(rolled_out(&wanted, outcome, stage.rollout_timeout)));

    let checked = if finished { check(&stage, &wanted).await } else { look_once(&stage, &wanted).await };
    let snapshot = match checked {
        Ok((words, snapshot)) => {
            assertions.extend(words.into_iter().map(|a| stage.recorder.assert(a)));
            snapshot
        }
        Err(error) => {
            let unasked = Assertion::inconclusive("deploy.pods_ready", "the API server answers", format!("ask the API server: {error}"));
            assertions.push(stage.recorder.assert(unasked));
            return end(assertions, String::new());
        }
    };
    if stage.stop.is_cancelled() {
        return could_not("stopped while the deployed platform was checked".into());
    }
    if finished {
        for served in serve(&stage).await {
            assertions.push(stage.recorder.assert(served));
        }
        if assertions.iter().all(|a| a.verdict != Verdict::Fail) {
            assertions.extend(keep_promises(&stage).await);
        }
        // On a platform that does not serve a procedure would prove nothing.
        if assertions.iter().all(|a| a.verdict != Verdict::Fail) {
            assertions.extend(tried::run(&trial(&stage)).await.into_iter().map(|a| stage.recorder.assert(a)));
        }
    }
    if assertions.iter().any(|a| !matches!(a.verdict, Verdict::Pass | Verdict::NotApplicable)) {
        keep_evidence(&stage, &snapshot, &mut assertions);
    }
    let count = snapshot.pods.len();
    end(assertions, format!("{} objects applied, {} workloads rolled out, {count} pods ready", stage.objects.len(), wanted.len()))
}

async fn apply_all(stage: &DeployStage<'_>) -> Assertion {
    let (id, namespace) = ("deploy.applied", stage.platform.namespace.as_str());
    let expected = format!("{} objects applied server-side", stage.objects.len());
    let mut objects = stage.objects.clone();
    if let Some(authority) = stage.authority {
        match tls::secrets(&stage.client, authority, &objects, namespace).await {
            Ok(made) => objects.extend(made),
            Err(error) => return Assertion::inconclusive(id, expected, format!("make the TLS secrets of the entry points: {error:#}")),
        }
    }
    let options = ApplyOptions { run: Some((stage.run_id.clone(), stage.platform.name.clone())), locate: stage.locate.clone(), ..ApplyOptions::default() };
    match apply(&stage.client, &objects, namespace, &options, &stage.recorder).await {
        Ok(applied) => Assertion::pass(id, expected, format!("{} objects, the suite's own included", applied.len())),
        Err(error) if error.is_cluster_fault() => Assertion::inconclusive(id, expected, error.to_string()),
        Err(error) => Assertion::fail(id, expected, "", error.to_string()),
    }
}

fn rolled_out(wanted: &[Workload], outcome: Outcome, timeout: Duration) -> Assertion {
    let (id, expected) = ("deploy.rolled_out", format!("{} workloads rolled out within {} s", wanted.len(), timeout.as_secs()));
    match outcome {
        Outcome::Finished => Assertion::pass(id, expected, format!("{} workloads rolled out", wanted.len())),
        Outcome::Stuck { causes, early } => {
            let measured = format!("{} of {} are not{}", causes.len(), wanted.len(), if early { ", and will not be" } else { "" });
            Assertion::fail(id, expected, measured, causes.join("; "))
        }
        Outcome::Stopped => Assertion::inconclusive(id, expected, "the run was stopped"),
    }
}

/// All checks, each with the time that its controller may take.
async fn check(stage: &DeployStage<'_>, wanted: &[Workload]) -> Result<(Vec<Assertion>, Snapshot), kube::Error> {
    stage.recorder.progress("checking pods, endpoints, volumes, metrics, budgets and spread");
    let ready = |s: &Snapshot| (pods::ready(s, wanted), false);
    let restarts = |s: &Snapshot| (pods::restarts(s, wanted), true);
    let endpoints = |s: &Snapshot| (endpoints::equal_ready_pods(s), false);
    let claims = |s: &Snapshot| (claims::bound(s), false);
    let budgets = |s: &Snapshot| (budgets::have_their_number(s), false);
    let spread = |s: &Snapshot| (spread::holds(s, wanted), true);
    let checks: [(Duration, Look<'_>); 7] = [
        (CONTROLLERS, &ready),
        (Duration::ZERO, &restarts),
        (CONTROLLERS, &endpoints),
        (CONTROLLERS, &claims),
        (stage.metrics_timeout, &autoscalers::see_metrics),
        (CONTROLLERS, &budgets),
        (Duration::ZERO, &spread),
    ];
    settle(&stage.client, &stage.platform.namespace, &checks, &stage.stop).await
}

/// After a rollout that did not finish only what the pods show is told; the rest would only repeat it.
async fn look_once(stage: &DeployStage<'_>, wanted: &[Workload]) -> Result<(Vec<Assertion>, Snapshot), kube::Error> {
    let snapshot = Snapshot::for_checks(&stage.client, &stage.platform.namespace).await?;
    let mut words = vec![pods::ready(&snapshot, wanted), pods::restarts(&snapshot, wanted), claims::bound(&snapshot)];
    // A container without a request is a cause of its own, and certain without a finished rollout.
    let (metrics, certain) = autoscalers::see_metrics(&snapshot);
    if certain && metrics.verdict == Verdict::Fail {
        words.push(metrics);
    }
    Ok((words, snapshot))
}

fn trial<'a>(stage: &'a DeployStage<'_>) -> Trial<'a> {
    Trial {
        client: &stage.client,
        platform: stage.platform,
        objects: &stage.objects,
        endpoints: &stage.endpoints,
        folder: &stage.configurations,
        helm: stage.helm.as_ref(),
        recorder: &stage.recorder,
        stop: &stage.stop,
    }
}

async fn serve(stage: &DeployStage<'_>) -> Vec<Assertion> {
    let mut served = Vec::new();
    for (name, entry) in &stage.platform.entrypoints {
        served.push(match stage.endpoints.get(name) {
            Some(endpoint) => entrypoint::serves(name, endpoint, ENTRYPOINT, &stage.stop).await,
            None => {
                let expected = format!("{name}: GET {} answers 2xx", entry.health_path);
                Assertion::inconclusive("deploy.entrypoint_serves", expected, format!("entry point {name} is not published on this machine"))
            }
        });
    }
    served
}

async fn keep_promises(stage: &DeployStage<'_>) -> Vec<Assertion> {
    let mut kept = Vec::new();
    for (at, promise) in stage.platform.promises.iter().enumerate() {
        stage.recorder.progress(format!("promise: {}", promise.name));
        let unique = format!("gauntlet-{}-{at}", stage.run_id);
        let trial = promises::Trial { client: &stage.client, namespace: &stage.platform.namespace, endpoints: &stage.endpoints, unique: &unique };
        let tried = tokio::select! {
            tried = promises::try_one(&trial, promise) => tried,
            () = stage.stop.cancelled() => break,
        };
        kept.push(stage.recorder.assert(tried));
    }
    kept
}

fn keep_evidence(stage: &DeployStage<'_>, snapshot: &Snapshot, assertions: &mut [Assertion]) {
    let files = match evidence::save(&stage.run_dir, &stage.platform.name, snapshot) {
        Ok(files) => files,
        Err(error) => vec![format!("evidence could not be written: {error}")],
    };
    stage.recorder.emit(EventKind::Note { message: format!("evidence: {}", files.join(", ")) });
    for assertion in assertions.iter_mut().filter(|a| !matches!(a.verdict, Verdict::Pass | Verdict::NotApplicable)) {
        assertion.evidence.extend(files.iter().cloned());
    }
}

#[cfg(test)]
#[path = "stage_tests.rs"]
mod tests;
