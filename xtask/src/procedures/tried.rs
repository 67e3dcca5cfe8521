//! The guide's procedures, run on the deployed platform: each is an assertion of the deploy stage. Whatever a procedure
//! changes is changed back, also when it fails.

use super::blue_green::{BlueGreen, Upgraded};
use super::probe::{Probe, Seen};
use super::safe_deploy::{Deployed, SafeDeploy};
use super::helm::{self, Helm};
use super::{configuration, revisions, scaling};
use crate::deploy::apply::ApplyOptions;
use crate::deploy::rollout::{self, Limits, Outcome};
use crate::deploy::workload::{Goal, Workload, WorkloadKind};
use anyhow::{Context as _, Result, bail};
use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_fixtures::platform::{Platform, TriedProcedure};
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::Assertion;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, PodTemplateSpec};
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// For each rollout that a procedure makes.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(120), look_every: Duration::from_secs(5) };
/// An image that no registry and no node holds.
const MISSING_IMAGE: &str = "gauntlet.invalid/no-such-image:none";

/// What procedures are tried on.
pub struct Trial<'a> {
    /// The cluster.
    pub client: &'a Client,
    /// The platform, deployed.
    pub platform: &'a Platform,
    /// Its rendered manifests.
    pub objects: &'a [Value],
    /// Its published entry points.
    pub endpoints: &'a BTreeMap<String, Endpoint>,
    /// Where saved configurations go.
    pub folder: &'a Path,
    /// How to run Helm; `None`: it is not at hand.
    pub helm: Option<&'a Helm>,
    /// Scoped to the platform and the stage.
    pub recorder: &'a Recorder,
    /// Stops the waiting.
    pub stop: &'a CancellationToken,
}

/// Runs every procedure that platform.yaml names, in order.
pub async fn run(trial: &Trial<'_>) -> Vec<Assertion> {
    let mut assertions = Vec::new();
    for procedure in &trial.platform.procedures.tried {
        let (id, expected) = words(procedure);
        if trial.stop.is_cancelled() {
            assertions.push(Assertion::inconclusive(id, expected, "the run was stopped"));
            continue;
        }
        trial.recorder.progress(format!("procedure: {}", id.trim_start_matches("procedure.")));
        assertions.push(match one(trial, procedure).await {
            Ok(Held { holds: true, measured, .. }) => Assertion::pass(id, expected, measured),
            Ok(Held { measured, reason, .. }) => Assertion::fail(id, expected, measured, reason),
            Err(error) => Assertion::inconclusive(id, expected, format!("{error:#}")),
        });
    }
    assertions
}

/// The assertion's id, and what is expected.
fn words(procedure: &TriedProcedure) -> (String, String) {
    match procedure {
        TriedProcedure::ScaleProfile { profile } => (format!("procedure.scale_profile.{profile}"), format!("the profile {profile} brings every workload to its replicas, and is taken back")),
        TriedProcedure::Scale { workload, replicas } => (format!("procedure.scale.{}", name_of(workload)), format!("{workload} has {replicas} ready pods after it was scaled by hand")),
        TriedProcedure::RollbackOne { deployment } => (format!("procedure.rollback.{deployment}"), format!("a change of {deployment} is rolled out and undone; clients see no error")),
        TriedProcedure::HelmRollback { release, .. } => (
            format!("procedure.helm_rollback.{release}"),
            "the chart is what runs; after helm upgrade and helm rollback everything is as before, and clients see no error".to_owned(),
        ),
        TriedProcedure::RollbackAll { deployments } => ("procedure.rollback_all".to_owned(), format!("changes of {} are rolled out; every Deployment with a former revision is undone; clients see no error", deployments.join(", "))),
        TriedProcedure::BlueGreen { deployment } => (format!("procedure.blue_green.{deployment}"), format!("{deployment} is upgraded and taken back, each time to a whole new set of pods that answers before it takes all traffic at once; clients see no error")),
        TriedProcedure::ConfigureHpa { hpa } => (format!("procedure.configure_hpa.{hpa}"), format!("{hpa} is as before after it was changed by hand and the manifests' HPAs were applied again")),
        TriedProcedure::FailedDeployment { deployment } => (format!("procedure.failed_deployment.{deployment}"), format!("a deployment of {deployment} that cannot start is found with its cause and rolled back by itself; clients see no error")),
        TriedProcedure::ConfigurationBackup { config_map } => (format!("procedure.configuration_backup.{config_map}"), format!("ConfigMap {config_map} is as before after it was changed and the saved configuration restored")),
    }
}

fn name_of(workload: &str) -> &str {
    workload.split_once('/').map_or(workload, |(_, name)| name)
}

/// What a procedure showed.
pub(super) struct Held {
    holds: bool,
    measured: String,
    reason: String,
}

impl Held {
    /// `reason` is told when it does not hold.
    pub(super) fn check(holds: bool, measured: impl Into<String>, reason: impl Into<String>) -> Result<Self> {
        Ok(Held { holds, measured: measured.into(), reason: reason.into() })
    }
}

async fn one(trial: &Trial<'_>, procedure: &TriedProcedure) -> Result<Held> {
    match procedure {
        TriedProcedure::ScaleProfile { profile } => {
            let profiles = &trial.platform.procedures.scale_profiles;
            let wanted = profiles.get(profile).with_context(|| format!("there is no scale profile {profile}"))?;
            scaled(trial, wanted.iter().map(|(name, n)| (name.clone(), *n)).collect()).await
        }
        TriedProcedure::Scale { workload, replicas } => scaled(trial, vec![(workload.clone(), *replicas)]).await,
        TriedProcedure::RollbackOne { deployment } => rolled_back(trial, deployment).await,
        TriedProcedure::HelmRollback { release, chart, values, change } => {
            helm::tried(trial, &helm::Release { name: release, chart, values, change }).await
        }
        TriedProcedure::RollbackAll { deployments } => all_rolled_back(trial, deployments).await,
        TriedProcedure::BlueGreen { deployment } => blue_green(trial, deployment).await,
        TriedProcedure::ConfigureHpa { hpa } => configured(trial, hpa).await,
        TriedProcedure::FailedDeployment { deployment } => failed_deployment(trial, deployment).await,
        TriedProcedure::ConfigurationBackup { config_map } => configuration_backup(trial, config_map).await,
    }
}

async fn scaled(trial: &Trial<'_>, wanted: Vec<(String, i32)>) -> Result<Held> {
    let namespace = &trial.platform.namespace;
    let mut done = Vec::new();
    let mut goal = Goal::default();
    let scaling = async {
        for (name, replicas) in &wanted {
            let scaled = scaling::scale(trial.client, namespace, name, *replicas).await?;
            trial.recorder.progress(scaled.to_string());
            done.push(scaled);
            let stateful = name.starts_with("StatefulSet/") || trial.objects.iter().any(|o| o["kind"] == "StatefulSet" && o["metadata"]["name"] == name_of(name));
            let kind = if stateful { WorkloadKind::StatefulSet } else { WorkloadKind::Deployment };
            let workload = Workload { kind, namespace: namespace.clone(), name: name_of(name).to_owned() };
            goal.at_least.insert(workload.clone(), i64::from(*replicas));
            goal.workloads.insert(workload);
        }
        anyhow::Ok(rollout::wait(trial.client, &goal, LIMITS, trial.recorder, trial.stop).await?)
    };
    let outcome = scaling.await;
    let measured = done.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    for scaled in done {
        scaling::back(trial.client, namespace, scaled).await?;
    }
    match outcome? {
        Outcome::Finished => Held::check(true, measured, ""),
        Outcome::Stuck { causes, .. } => Held::check(false, measured, causes.join("; ")),
        Outcome::Stopped => bail!("the run was stopped"),
    }
}

async fn template(trial: &Trial<'_>, deployment: &str) -> Result<PodTemplateSpec> {
    let api = Api::<Deployment>::namespaced(trial.client.clone(), &trial.platform.namespace);
    let found = api.get(deployment).await.with_context(|| format!("failed to read Deployment {deployment}"))?;
    Ok(found.spec.map(|s| s.template).unwrap_or_default())
}

/// Waits for a Deployment's rollout.
pub(super) async fn wait_for(trial: &Trial<'_>, deployments: &[String]) -> Result<Outcome> {
    let workload = |name: &String| Workload { kind: WorkloadKind::Deployment, namespace: trial.platform.namespace.clone(), name: name.clone() };
    let goal = Goal { workloads: deployments.iter().map(workload).collect(), ..Goal::default() };
    Ok(rollout::wait(trial.client, &goal, LIMITS, trial.recorder, trial.stop).await?)
}

/// One probe for each published entry point.
pub(super) fn probes(trial: &Trial<'_>) -> Vec<Probe> {
    trial.endpoints.values().filter_map(|endpoint| Probe::start(endpoint).ok()).collect()
}

/// Ends the probes, and gives what all of them saw.
pub(super) fn seen(probes: Vec<Probe>) -> Seen {
    probes.into_iter().map(Probe::finish).fold(Seen::default(), |mut all, one| {
        all.requests += one.requests;
        all.failed += one.failed;
        all.causes.extend(one.causes);
        all
    })
}

/// For people.
pub(super) fn clients(seen: &Seen) -> String {
    format!("{} of {} requests failed", seen.failed, seen.requests)
}

/// The same pod template as a new version of itself.
fn new_version(template: &PodTemplateSpec, trial: &str) -> PodTemplateSpec {
    let mut changed = template.clone();
    changed.metadata.get_or_insert_default().annotations.get_or_insert_default().insert("gauntlet.dev/trial".into(), trial.to_owned());
    changed
}

/// Rolls a change of some Deployments out and undoes it; `all`: undoes every Deployment that has a former revision.
async fn out_and_back(trial: &Trial<'_>, changed: &[String], all: bool) -> Result<Held> {
    let namespace = &trial.platform.namespace;
    let mut before = BTreeMap::new();
    for name in changed {
        before.insert(name, template(trial, name).await?);
    }
    let probes = probes(trial);
    for (name, template) in &before {
        revisions::set_template(trial.client, namespace, name, new_version(template, "rollback")).await?;
    }
    let rolled_out = wait_for(trial, changed).await?;
    let mut former = Vec::new();
    if all {
        former = revisions::with_former(trial.client, namespace).await?;
    } else {
        for name in changed {
            former.push((name.clone(), revisions::former(trial.client, namespace, name, None).await?));
        }
    }
    let mut undone = Vec::new();
    for (name, former) in former {
        revisions::set_template(trial.client, namespace, &name, former.template).await?;
        undone.push(name);
    }
    let back = wait_for(trial, &undone).await?;
    let seen = seen(probes);
    let measured = format!("undone: {}; {}", undone.join(", "), clients(&seen));
    for outcome in [rolled_out, back] {
        match outcome {
            Outcome::Finished => {}
            Outcome::Stuck { causes, .. } => return Held::check(false, measured, causes.join("; ")),
            Outcome::Stopped => bail!("the run was stopped"),
        }
    }
    for (name, before) in &before {
        if template(trial, name).await? != *before {
            return Held::check(false, measured, format!("the pod template of {name} is not the one from before"));
        }
    }
    Held::check(seen.failed == 0, measured, format!("clients saw errors while pods were replaced: {}", seen.causes.join(", ")))
}

async fn rolled_back(trial: &Trial<'_>, deployment: &str) -> Result<Held> {
    out_and_back(trial, &[deployment.to_owned()], false).await
}

async fn all_rolled_back(trial: &Trial<'_>, deployments: &[String]) -> Result<Held> {
    // What an earlier trial changed and undid has a former revision too, and would get the trial's change again.
    let others = revisions::with_former(trial.client, &trial.platform.namespace).await?;
    if let Some((name, _)) = others.iter().find(|(name, _)| !deployments.contains(name)) {
        bail!("{name} has a former revision already: in `tried`, rollbackAll comes before what changes other Deployments");
    }
    out_and_back(trial, deployments, true).await
}

async fn blue_green(trial: &Trial<'_>, deployment: &str) -> Result<Held> {
    let before = template(trial, deployment).await?;
    let probes = probes(trial);
    let (client, namespace, recorder, stop) = (trial.client, trial.platform.namespace.as_str(), trial.recorder, trial.stop);
    let upgrade = BlueGreen { client, namespace, deployment, limits: LIMITS, recorder, stop };
    let mut measured = Vec::new();
    for template in [new_version(&before, "blue-green"), before.clone()] {
        match upgrade.run(template).await? {
            Upgraded::Done { blue, green, services } => {
                measured.push(format!("{green} new pods answered beside {blue} old ones before {} was switched", services.join(", ")));
            }
            Upgraded::TakenBack { cause, .. } => return Held::check(false, measured.join("; "), format!("the upgrade was taken back: {cause}")),
        }
    }
    let (seen, after) = (seen(probes), template(trial, deployment).await?);
    measured.push(clients(&seen));
    if after != before {
        return Held::check(false, measured.join("; "), "the pod template is not the one from before");
    }
    Held::check(seen.failed == 0, measured.join("; "), format!("clients saw errors: {}", seen.causes.join(", ")))
}

async fn configured(trial: &Trial<'_>, name: &str) -> Result<Held> {
    let namespace = &trial.platform.namespace;
    let api = Api::<HorizontalPodAutoscaler>::namespaced(trial.client.clone(), namespace);
    let before = api.get(name).await.with_context(|| format!("failed to read HPA {name}"))?.spec.with_context(|| format!("HPA {name} has no spec"))?;
    let other = before.max_replicas + 1;
    api.patch(name, &PatchParams::default(), &Patch::Merge(json!({"spec": {"maxReplicas": other}}))).await?;
    let applied = scaling::configure(trial.client, namespace, trial.objects, ApplyOptions::default(), trial.recorder).await?;
    let after = api.get(name).await?.spec.unwrap_or_default();
    let measured = format!("maximum {} -> {other} -> {}; {} HPAs applied", before.max_replicas, after.max_replicas, applied.len());
    Held::check(after == before, measured, format!("HPA {name} is not as before"))
}

async fn failed_deployment(trial: &Trial<'_>, deployment: &str) -> Result<Held> {
    let before = template(trial, deployment).await?;
    let found = trial.objects.iter().find(|o| o["kind"] == "Deployment" && o["metadata"]["name"] == deployment);
    let mut broken = found.with_context(|| format!("the manifests hold no Deployment {deployment}"))?.clone();
    for container in broken.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut).into_iter().flatten() {
        container["image"] = json!(MISSING_IMAGE);
    }
    let probes = probes(trial);
    let deploy = SafeDeploy {
        client: trial.client,
        namespace: &trial.platform.namespace,
        order: &[],
        options: ApplyOptions::default(),
        limits: LIMITS,
        roll_back: true,
        recorder: trial.recorder,
        stop: trial.stop,
    };
    let deployed = deploy.run(&[broken]).await?;
    let (seen, after) = (seen(probes), template(trial, deployment).await?);
    let Deployed::Failed { causes, rolled_back, whole_again } = deployed else {
        let reason = "a deployment of an image that does not exist was reported as rolled out, or the run was stopped";
        return Held::check(false, format!("{deployed:?}"), reason);
    };
    let measured = format!("{}; rolled back {}; {}", causes.join("; "), rolled_back.join(", "), clients(&seen));
    if !causes.iter().any(|cause| cause.contains("no-such-image")) {
        return Held::check(false, measured, "the cause that was named is not the image");
    }
    if !whole_again || after != before {
        return Held::check(false, measured, "the Deployment is not as it was before");
    }
    Held::check(seen.failed == 0, measured, format!("clients saw errors: {}", seen.causes.join(", ")))
}

async fn configuration_backup(trial: &Trial<'_>, name: &str) -> Result<Held> {
    let namespace = &trial.platform.namespace;
    let api = Api::<ConfigMap>::namespaced(trial.client.clone(), namespace);
    let before = api.get(name).await.with_context(|| format!("failed to read ConfigMap {name}"))?.data.unwrap_or_default();
    let key = before.keys().next().with_context(|| format!("ConfigMap {name} holds no key that could be changed"))?.clone();
    let file = configuration::save(trial.client, namespace, trial.folder).await?;
    api.patch(name, &PatchParams::default(), &Patch::Merge(json!({"data": {&key: "changed by a trial"}}))).await?;
    let restored = configuration::restore(trial.client, &file, trial.recorder).await;
    // The file holds Secrets; a trial leaves none behind.
    std::fs::remove_file(&file).with_context(|| format!("failed to remove {}", file.display()))?;
    let objects = restored?;
    let after = api.get(name).await?.data.unwrap_or_default();
    let measured = format!("{objects} objects saved and restored; the key {key} was changed in between");
    Held::check(after == before, measured, format!("ConfigMap {name} differs from what was saved"))
}
