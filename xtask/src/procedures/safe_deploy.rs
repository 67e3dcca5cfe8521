//! A deployment in the guide's order that rolls itself back when it fails: every Deployment that stood before gets its former
//! pod template again. StatefulSets are left as they are: their volumes may hold what an older version cannot read.

use super::revisions;
use crate::deploy::apply::{ApplyOptions, apply};
use crate::deploy::object::ObjectRef;
use crate::deploy::order::rank;
use crate::deploy::rollout::{self, Limits, Outcome};
use crate::deploy::workload::{Goal, Workload, WorkloadKind};
use anyhow::{Context as _, Result};
use gauntlet_reports::recorder::Recorder;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use kube::Client;
use kube::api::Api;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tokio_util::sync::CancellationToken;

/// How a deployment ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Deployed {
    /// Everything is rolled out.
    Done {
        /// Objects applied.
        objects: usize,
    },
    /// It does not roll out.
    Failed {
        /// One sentence for each workload that is behind.
        causes: Vec<String>,
        /// The Deployments that have their former template again.
        rolled_back: Vec<String>,
        /// False: even the former state did not come back within the time.
        whole_again: bool,
    },
    /// Stopped. What was applied stays.
    Stopped,
}

/// What is deployed, and where to.
pub struct SafeDeploy<'a> {
    /// The cluster.
    pub client: &'a Client,
    /// The namespace of objects that name none.
    pub namespace: &'a str,
    /// `Kind/name` in groups; each is ready before the next is applied.
    pub order: &'a [Vec<String>],
    /// How to apply.
    pub options: ApplyOptions,
    /// For each group, and for the rollback.
    pub limits: Limits,
    /// False: a failed deployment stays as it is.
    pub roll_back: bool,
    /// Where progress goes.
    pub recorder: &'a Recorder,
    /// Stops the waiting.
    pub stop: &'a CancellationToken,
}

/// The waves of a deployment: what every workload may need comes first, HPAs come with what they scale, and what leads
/// traffic in comes last. Pure; every object is in exactly one wave.
fn waves(objects: &[Value], order: &[Vec<String>]) -> Vec<Vec<Value>> {
    let last = order.len();
    let group_of = |kind: &str, name: &str| {
        let id = format!("{kind}/{name}");
        order.iter().position(|group| group.contains(&id)).unwrap_or(last)
    };
    let mut waves = vec![Vec::new(); last + 1];
    for object in objects {
        let kind = object["kind"].as_str().unwrap_or_default();
        let scaled = &object["spec"]["scaleTargetRef"];
        let wave = if kind == "HorizontalPodAutoscaler" {
            group_of(scaled["kind"].as_str().unwrap_or_default(), scaled["name"].as_str().unwrap_or_default())
        } else if rank(kind) < rank("StatefulSet") {
            0
        } else {
            group_of(kind, object["metadata"]["name"].as_str().unwrap_or_default())
        };
        waves[wave].push(object.clone());
    }
    waves.retain(|wave| !wave.is_empty());
    waves
}

type Templates = BTreeMap<(String, String), PodTemplateSpec>;

impl SafeDeploy<'_> {
    /// Deploys.
    ///
    /// # Errors
    /// When an object is refused (nothing is rolled back then: nothing runs that did not run before), or the API server
    /// does not answer.
    pub async fn run(&self, objects: &[Value]) -> Result<Deployed> {
        let before = self.templates(objects).await?;
        let mut applied = 0;
        let waves = waves(objects, self.order);
        let count = waves.len();
        for (at, wave) in waves.iter().enumerate() {
            if count > 1 {
                self.recorder.progress(format!("step {} of {count}: {} objects", at + 1, wave.len()));
            }
            applied += apply(self.client, wave, self.namespace, &self.options, self.recorder).await?.len();
            let goal = Goal::of(wave, self.namespace);
            match rollout::wait(self.client, &goal, self.limits, self.recorder, self.stop).await? {
                Outcome::Finished => {}
                Outcome::Stopped => return Ok(Deployed::Stopped),
                Outcome::Stuck { causes, .. } if self.roll_back => return self.take_back(causes, before).await,
                Outcome::Stuck { causes, .. } => return Ok(Deployed::Failed { causes, rolled_back: Vec::new(), whole_again: false }),
            }
        }
        Ok(Deployed::Done { objects: applied })
    }

    /// The templates of the Deployments that stand already.
    async fn templates(&self, objects: &[Value]) -> Result<Templates> {
        let mut templates = Templates::new();
        for object in objects.iter().filter(|o| o["kind"] == "Deployment") {
            let object = ObjectRef::of(object)?;
            let namespace = object.namespace.clone().unwrap_or_else(|| self.namespace.to_owned());
            let api = Api::<Deployment>::namespaced(self.client.clone(), &namespace);
            let found = api.get_opt(&object.name).await.with_context(|| format!("failed to read {object}"))?;
            if let Some(template) = found.and_then(|d| d.spec).map(|s| s.template) {
                templates.insert((namespace, object.name), template);
            }
        }
        Ok(templates)
    }

    async fn take_back(&self, causes: Vec<String>, before: Templates) -> Result<Deployed> {
        let mut rolled_back = Vec::new();
        let mut goal = Goal::default();
        for ((namespace, name), template) in before {
            let api = Api::<Deployment>::namespaced(self.client.clone(), &namespace);
            let now = api.get_opt(&name).await?.and_then(|d| d.spec).map(|s| s.template);
            if now.as_ref() == Some(&template) {
                continue;
            }
            self.recorder.progress(format!("rolling Deployment {name} back"));
            revisions::set_template(self.client, &namespace, &name, template).await?;
            goal.workloads.insert(Workload { kind: WorkloadKind::Deployment, namespace, name: name.clone() });
            rolled_back.push(name);
        }
        let waited = rollout::wait(self.client, &goal, self.limits, self.recorder, self.stop).await?;
        let whole_again = !rolled_back.is_empty() && waited == Outcome::Finished;
        Ok(Deployed::Failed { causes, rolled_back, whole_again })
    }
}

/// The names in `order` that no object bears: a step of the procedure that would silently do nothing.
pub fn unknown_steps(objects: &[Value], order: &[Vec<String>]) -> Vec<String> {
    let named = |o: &Value| Some(format!("{}/{}", o["kind"].as_str()?, o["metadata"]["name"].as_str()?));
    let known: BTreeSet<String> = objects.iter().filter_map(named).collect();
    order.iter().flatten().filter(|step| !known.contains(*step)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(kind: &str, name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}})
    }

    #[test]
    fn what_all_need_comes_first_and_an_hpa_with_what_it_scales() {
        let hpa = json!({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "api"}}});
        let objects = [object("Ingress", "in"), hpa, object("Deployment", "api"), object("StatefulSet", "db"), object("Secret", "s"), object("Deployment", "other")];
        let order = [vec!["StatefulSet/db".to_owned()], vec!["Deployment/api".to_owned()]];
        let names: Vec<Vec<_>> = waves(&objects, &order).iter().map(|w| w.iter().map(|o| o["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect()).collect();
        assert_eq!(names, [vec!["db", "s"], vec!["h", "api"], vec!["in", "other"]]);
        assert_eq!(waves(&objects, &[]).len(), 1);
    }

    #[test]
    fn a_step_that_no_object_bears_is_named() {
        let order = [vec!["Deployment/api".to_owned(), "Deployment/apy".to_owned()]];
        assert_eq!(unknown_steps(&[object("Deployment", "api")], &order), ["Deployment/apy"]);
    }
}
