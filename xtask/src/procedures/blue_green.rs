//! A blue-green upgrade of one Deployment: the new set of pods (green) starts whole beside the old one (blue), which keeps all
//! traffic. Green is asked, then takes all traffic at once, and only then blue goes. A green that does not come up, or does
//! not answer, never saw a client.
//!
//! No second Deployment is needed: the Services that lead to it are pinned to the pods of one ReplicaSet by the label
//! `pod-template-hash`, and a `minReadySeconds` that nobody reaches keeps the controller from taking blue away. Both are
//! taken back at the end, whatever comes of it.

use super::pod_sets::{self, PodSet};
use crate::deploy::rollout::{self, Limits, Outcome};
use crate::deploy::workload::{Goal, Workload, WorkloadKind};
use anyhow::{Context as _, Result, anyhow, bail};
use gauntlet_chaos::port_forward::PortForward;
use gauntlet_reports::recorder::Recorder;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{PodTemplateSpec, Service};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt as _};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longer than any upgrade, in seconds: `minReadySeconds`, and the progress deadline, which must be longer still.
const PARKED: (i32, i32) = (36_000, 36_001);
/// Another writer of the Deployment (its HPA) may come between reading and writing.
const ATTEMPTS: usize = 5;
/// One question to a green pod.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How an upgrade ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upgraded {
    /// Green serves, blue is gone.
    Done {
        /// Pods of the old set.
        blue: usize,
        /// Pods of the new set, all of which stood ready beside blue and answered before any client reached them.
        green: usize,
        /// The Services that were switched.
        services: Vec<String>,
    },
    /// Blue serves.
    TakenBack {
        /// Why.
        cause: String,
        /// False: not every pod of blue is ready.
        whole_again: bool,
    },
}

/// What is upgraded.
pub struct BlueGreen<'a> {
    /// The cluster.
    pub client: &'a Client,
    /// The namespace.
    pub namespace: &'a str,
    /// The Deployment.
    pub deployment: &'a str,
    /// For each of the waits.
    pub limits: Limits,
    /// Where progress goes.
    pub recorder: &'a Recorder,
    /// Stops the waiting; the upgrade is taken back.
    pub stop: &'a CancellationToken,
}

/// True when a Service's selector selects pods with these labels, a former pin aside.
fn leads_to(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    let mut wanted = selector.iter().filter(|(key, _)| key.as_str() != pod_sets::HASH).peekable();
    wanted.peek().is_some() && wanted.all(|(key, value)| labels.get(key) == Some(value))
}

/// Where the readiness probe of the first container that has one asks: path and port.
fn probed(template: &PodTemplateSpec) -> Option<(String, u16)> {
    let containers = &template.spec.as_ref()?.containers;
    containers.iter().find_map(|container| {
        let get = container.readiness_probe.as_ref()?.http_get.as_ref()?;
        let number = match &get.port {
            IntOrString::Int(number) => *number,
            IntOrString::String(name) => container.ports.iter().flatten().find(|p| p.name.as_ref() == Some(name))?.container_port,
        };
        Some((get.path.clone().unwrap_or_else(|| "/".into()), u16::try_from(number).ok()?))
    })
}

impl BlueGreen<'_> {
    fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), self.namespace)
    }

    /// Upgrades to a pod template.
    ///
    /// # Errors
    /// When the Deployment is not there or not at rest, no Service leads to it, or the template is the one that runs. Nothing
    /// is changed then.
    pub async fn run(&self, template: PodTemplateSpec) -> Result<Upgraded> {
        let name = self.deployment;
        let before = self.deployments().get(name).await.with_context(|| format!("failed to read Deployment {name}"))?;
        let spec = before.spec.clone().with_context(|| format!("Deployment {name} has no spec"))?;
        if spec.template == template {
            bail!("Deployment {name} has this pod template already");
        }
        let sets = pod_sets::list(self.client, self.namespace, &before).await?;
        let mut serving: Vec<PodSet> = sets.into_iter().filter(|s| s.wanted > 0).collect();
        let (Some(blue), true) = (serving.pop(), serving.is_empty()) else {
            bail!("Deployment {name} is not at rest: a rollout of it is going on");
        };
        let labels = spec.template.metadata.clone().and_then(|m| m.labels).unwrap_or_default();
        let services = self.services(&labels).await?;
        if services.is_empty() {
            bail!("no Service leads to Deployment {name}: there is no traffic that could be switched");
        }
        let mut released = false;
        let switched = async {
            self.pin(&services, Some(&blue.hash)).await?;
            self.change(|s| park(s, template.clone())).await?;
            let green = self.green(&before, &blue).await?;
            self.ask(&template, &green).await?;
            self.recorder.progress(format!("{} green pods answer beside {} blue ones; switching {}", green.ready, blue.ready, services.join(", ")));
            self.pin(&services, Some(&green.hash)).await?;
            self.led_to(&services, &green).await?;
            released = true;
            self.change(|s| settings_of(s, &spec)).await?;
            self.rolled_out().await?;
            anyhow::Ok(green)
        };
        match switched.await {
            Ok(green) => {
                self.pin(&services, None).await?;
                Ok(Upgraded::Done { blue: blue.ready, green: green.ready, services })
            }
            Err(error) => self.take_back(&services, &blue, &spec, released, format!("{error:#}")).await,
        }
    }

    /// The Services that select pods with these labels.
    async fn services(&self, labels: &BTreeMap<String, String>) -> Result<Vec<String>> {
        let all = Api::<Service>::namespaced(self.client.clone(), self.namespace).list(&ListParams::default()).await.context("failed to list Services")?;
        let selects = |s: &&Service| s.spec.as_ref().and_then(|s| s.selector.as_ref()).is_some_and(|selector| leads_to(selector, labels));
        Ok(all.items.iter().filter(selects).map(|s| s.name_any()).collect())
    }

    /// Leads Services to the pods with this hash alone; None: to all again.
    async fn pin(&self, services: &[String], hash: Option<&str>) -> Result<()> {
        let api = Api::<Service>::namespaced(self.client.clone(), self.namespace);
        let patch = Patch::Merge(json!({"spec": {"selector": {(pod_sets::HASH): hash}}}));
        for service in services {
            api.patch(service, &PatchParams::default(), &patch).await.with_context(|| format!("failed to change the selector of Service {service}"))?;
        }
        Ok(())
    }

    /// Changes the Deployment's spec.
    async fn change(&self, change: impl Fn(&mut DeploymentSpec)) -> Result<()> {
        let api = self.deployments();
        for attempt in 1.. {
            let mut live = api.get(self.deployment).await?;
            live.metadata.managed_fields = None;
            change(live.spec.get_or_insert_default());
            match api.replace(self.deployment, &PostParams::default(), &live).await {
                Err(kube::Error::Api(status)) if status.code == 409 && attempt < ATTEMPTS => {}
                done => return done.map(drop).with_context(|| format!("failed to change Deployment {}", self.deployment)),
            }
        }
        Ok(())
    }

    /// Waits until the whole new set is ready. What is certain not to come up ends it early, with its cause.
    async fn green(&self, before: &Deployment, blue: &PodSet) -> Result<PodSet> {
        let ready = pod_sets::wait_for(self.client, self.namespace, before, |s| s.hash != blue.hash && s.wanted >= blue.wanted && s.ready >= s.wanted);
        tokio::select! {
            set = ready => set,
            ended = self.rolled_out() => Err(ended.err().unwrap_or_else(|| anyhow!("the old set went before the new one was asked"))),
        }
    }

    /// Asks every green pod what its readiness probe asks, past the Services.
    async fn ask(&self, template: &PodTemplateSpec, green: &PodSet) -> Result<()> {
        let Some((path, port)) = probed(template) else { return Ok(()) };
        let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).build()?;
        for pod in pod_sets::pods(self.client, self.namespace, &green.hash).await? {
            let forward = PortForward::open(self.client, self.namespace, &pod, port).await.with_context(|| format!("failed to reach pod {pod}"))?;
            let answer = client.get(format!("http://{}{path}", forward.address)).send().await.with_context(|| format!("pod {pod} does not answer on {path}"))?;
            if !answer.status().is_success() {
                bail!("pod {pod} answers {} on {path}", answer.status());
            }
        }
        Ok(())
    }

    /// Waits until the Services lead to green pods alone.
    async fn led_to(&self, services: &[String], green: &PodSet) -> Result<()> {
        let pods: BTreeSet<String> = pod_sets::pods(self.client, self.namespace, &green.hash).await?.into_iter().collect();
        for service in services {
            let led = tokio::time::timeout(self.limits.timeout, pod_sets::led_to(self.client, self.namespace, service, &pods));
            led.await.with_context(|| format!("Service {service} does not lead to the new pods after {} s", self.limits.timeout.as_secs()))??;
        }
        Ok(())
    }

    async fn rolled_out(&self) -> Result<()> {
        let workload = Workload { kind: WorkloadKind::Deployment, namespace: self.namespace.to_owned(), name: self.deployment.to_owned() };
        let goal = Goal { workloads: [workload].into(), ..Goal::default() };
        match rollout::wait(self.client, &goal, self.limits, self.recorder, self.stop).await? {
            Outcome::Finished => Ok(()),
            Outcome::Stuck { causes, .. } => bail!("{}", causes.join("; ")),
            Outcome::Stopped => bail!("the run was stopped"),
        }
    }

    async fn take_back(&self, services: &[String], blue: &PodSet, spec: &DeploymentSpec, released: bool, cause: String) -> Result<Upgraded> {
        self.recorder.progress(format!("taking the upgrade of {} back: {cause}", self.deployment));
        // Once blue may go, only an open selector never leads to nobody.
        self.pin(services, (!released).then_some(blue.hash.as_str())).await?;
        self.change(|s| {
            settings_of(s, spec);
            s.template = spec.template.clone();
        })
        .await?;
        let whole_again = self.rolled_out().await.is_ok();
        self.pin(services, None).await?;
        Ok(Upgraded::TakenBack { cause, whole_again })
    }
}

/// The new template, all of its pods at once, and none of the old ones gone.
fn park(spec: &mut DeploymentSpec, template: PodTemplateSpec) {
    spec.template = template;
    (spec.min_ready_seconds, spec.progress_deadline_seconds) = (Some(PARKED.0), Some(PARKED.1));
    let update = RollingUpdateDeployment { max_surge: Some(IntOrString::String("100%".into())), max_unavailable: Some(IntOrString::Int(0)) };
    spec.strategy = Some(DeploymentStrategy { type_: Some("RollingUpdate".into()), rolling_update: Some(update) });
}

/// How the Deployment rolls out by itself, as it was.
fn settings_of(spec: &mut DeploymentSpec, before: &DeploymentSpec) {
    spec.min_ready_seconds = before.min_ready_seconds;
    spec.progress_deadline_seconds = before.progress_deadline_seconds;
    spec.strategy = before.strategy.clone();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_service_leads_to_pods_with_all_of_its_labels_whatever_it_was_pinned_to() {
        let labels = map(&[("app", "api"), ("tier", "front")]);
        assert!(leads_to(&map(&[("app", "api")]), &labels));
        assert!(leads_to(&map(&[("app", "api"), (pod_sets::HASH, "old")]), &labels));
        assert!(!leads_to(&map(&[("app", "api"), ("tier", "back")]), &labels));
        assert!(!leads_to(&map(&[]), &labels) && !leads_to(&map(&[(pod_sets::HASH, "old")]), &labels));
    }

    #[test]
    fn pods_are_asked_where_their_readiness_probe_asks() {
        let template = |port: serde_json::Value| -> PodTemplateSpec {
            serde_json::from_value(json!({"spec": {"containers": [{"name": "a", "ports": [{"name": "http", "containerPort": 8080}],
                "readinessProbe": {"httpGet": {"path": "/ready", "port": port}}}]}}))
            .expect("template")
        };
        assert_eq!(probed(&template(json!("http"))), Some(("/ready".into(), 8080)));
        assert_eq!(probed(&template(json!(9090))), Some(("/ready".into(), 9090)));
        assert_eq!(probed(&template(json!("metrics"))), None);
    }

    #[test]
    fn a_parked_upgrade_keeps_every_old_pod_and_its_settings_come_back() {
        let before = DeploymentSpec { min_ready_seconds: Some(5), progress_deadline_seconds: Some(120), ..Default::default() };
        let mut spec = before.clone();
        park(&mut spec, PodTemplateSpec::default());
        assert!(spec.min_ready_seconds < spec.progress_deadline_seconds, "else the API server refuses it");
        assert_eq!(spec.strategy.as_ref().and_then(|s| s.rolling_update.clone()).and_then(|u| u.max_unavailable), Some(IntOrString::Int(0)));
        settings_of(&mut spec, &before);
        assert_eq!(spec, before);
    }
}
