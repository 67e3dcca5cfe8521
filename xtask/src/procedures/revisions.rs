//! The revisions of a Deployment, as `kubectl rollout history` and `kubectl rollout undo` know them: its ReplicaSets, numbered
//! by the annotation `deployment.kubernetes.io/revision`.

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use kube::api::{Api, ListParams, PostParams};
use kube::{Client, ResourceExt};

const REVISION: &str = "deployment.kubernetes.io/revision";

/// One revision of a Deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// Its number; the highest is the newest.
    pub number: i64,
    /// The images of its containers, in their order.
    pub images: Vec<String>,
    /// Pods that run it now.
    pub replicas: i32,
    /// The template to go back to.
    pub template: PodTemplateSpec,
}

/// The revisions that `sets` hold for the Deployment with this UID, oldest first. Pure.
fn of_sets(sets: Vec<ReplicaSet>, uid: &str) -> Vec<Revision> {
    let owned = |set: &ReplicaSet| set.owner_references().iter().any(|o| o.uid == uid && o.controller == Some(true));
    let revision = |set: ReplicaSet| {
        let number = set.annotations().get(REVISION)?.parse().ok()?;
        let replicas = set.status.as_ref().map_or(0, |s| s.replicas);
        let mut template = set.spec?.template?;
        // The controller adds this label itself; with an old one the template would never match.
        if let Some(labels) = template.metadata.as_mut().and_then(|m| m.labels.as_mut()) {
            labels.remove("pod-template-hash");
        }
        let images = template.spec.iter().flat_map(|s| &s.containers).filter_map(|c| c.image.clone()).collect();
        Some(Revision { number, images, replicas, template })
    };
    let mut all: Vec<_> = sets.into_iter().filter(owned).filter_map(revision).collect();
    all.sort_by_key(|r| r.number);
    all
}

/// The revisions of a Deployment, oldest first.
///
/// # Errors
/// When it is not there.
pub async fn history(client: &Client, namespace: &str, name: &str) -> Result<Vec<Revision>> {
    let deployment = Api::<Deployment>::namespaced(client.clone(), namespace).get(name).await.with_context(|| format!("failed to read Deployment {name}"))?;
    let sets = Api::<ReplicaSet>::namespaced(client.clone(), namespace).list(&ListParams::default()).await?;
    Ok(of_sets(sets.items, &deployment.uid().unwrap_or_default()))
}

/// The revision to go back to: the one that is named, else the newest before the present one.
///
/// # Errors
/// When there is none.
pub fn target(history: &[Revision], number: Option<i64>) -> Result<&Revision> {
    let known = || history.iter().map(|r| r.number.to_string()).collect::<Vec<_>>().join(", ");
    match number {
        Some(number) => history.iter().find(|r| r.number == number).with_context(|| format!("there is no revision {number}; there are: {}", known())),
        None if history.len() < 2 => bail!("there is no earlier revision to go back to (only {})", known()),
        None => Ok(&history[history.len() - 2]),
    }
}

/// Changes of a Deployment that one rollback may collide with: its controllers write to it too.
const COLLISIONS: u32 = 10;

/// Puts a template in the place of the Deployment's present one. Gives the new generation. The replicas stay as they are.
///
/// # Errors
/// When the API server refuses, or others never stop changing the Deployment.
pub async fn set_template(client: &Client, namespace: &str, name: &str, template: PodTemplateSpec) -> Result<i64> {
    let api = Api::<Deployment>::namespaced(client.clone(), namespace);
    for left in (0..COLLISIONS).rev() {
        let mut deployment = api.get(name).await.with_context(|| format!("failed to read Deployment {name}"))?;
        deployment.metadata.managed_fields = None;
        deployment.spec.get_or_insert_default().template = template.clone();
        match api.replace(name, &PostParams::default(), &deployment).await {
            Ok(changed) => return Ok(changed.metadata.generation.unwrap_or_default()),
            // Its status or its replicas changed between the two requests.
            Err(kube::Error::Api(status)) if status.code == 409 && left > 0 => {}
            Err(error) => return Err(error).with_context(|| format!("failed to change Deployment {name}")),
        }
    }
    bail!("failed to change Deployment {name}: others changed it {COLLISIONS} times meanwhile")
}

/// The revision that a Deployment goes back to: see [`target`].
///
/// # Errors
/// When there is none.
pub async fn former(client: &Client, namespace: &str, name: &str, number: Option<i64>) -> Result<Revision> {
    let history = history(client, namespace, name).await?;
    target(&history, number).cloned().with_context(|| format!("failed to roll Deployment {name} back"))
}

/// Every Deployment of a namespace that has a former revision, with that revision: what `rollback-all` goes back to.
///
/// # Errors
/// When the API server does not answer.
pub async fn with_former(client: &Client, namespace: &str) -> Result<Vec<(String, Revision)>> {
    let all = Api::<Deployment>::namespaced(client.clone(), namespace).list(&ListParams::default()).await.context("failed to list Deployments")?;
    let mut found = Vec::new();
    for name in all.items.iter().map(kube::ResourceExt::name_any) {
        let history = history(client, namespace, &name).await?;
        if let Ok(former) = target(&history, None) {
            found.push((name, former.clone()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(owner: &str, revision: &str, image: &str) -> ReplicaSet {
        serde_json::from_value(json!({
            "metadata": {"name": image, "annotations": {REVISION: revision}, "ownerReferences":
                [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "a", "uid": owner, "controller": true}]},
            "spec": {"selector": {}, "template": {"metadata": {"labels": {"app": "a", "pod-template-hash": "x"}},
                "spec": {"containers": [{"name": "a", "image": image}]}}}
        }))
        .expect("set")
    }

    #[test]
    fn revisions_are_sorted_by_number_and_only_the_deployments_own() {
        let all = of_sets(vec![set("u", "10", "v10"), set("u", "9", "v9"), set("other", "11", "v11")], "u");
        assert_eq!(all.iter().map(|r| r.number).collect::<Vec<_>>(), [9, 10]);
        let labels = all[0].template.metadata.clone().and_then(|m| m.labels).expect("labels");
        assert!(!labels.contains_key("pod-template-hash"));
        assert_eq!(target(&all, None).expect("one").images, ["v9"]);
        assert_eq!(target(&all, Some(10)).expect("one").number, 10);
    }

    #[test]
    fn without_an_earlier_revision_there_is_no_way_back() {
        let all = of_sets(vec![set("u", "1", "v1")], "u");
        assert!(target(&all, None).is_err());
        let unknown = target(&all, Some(7)).expect_err("unknown").to_string();
        assert!(unknown.contains("no revision 7") && unknown.contains("there are: 1"), "{unknown}");
    }

    #[tokio::test]
    async fn a_collision_with_a_controller_is_tried_again() {
        use crate::deploy::fake_api;
        use wiremock::matchers::{method, path};
        use wiremock::{Mock, ResponseTemplate};
        let (server, client) = fake_api::start().await;
        let place = "/apis/apps/v1/namespaces/shop/deployments/web";
        let live = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "generation": 3},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {}, "spec": {"containers": []}}}});
        Mock::given(method("GET")).and(path(place)).respond_with(ResponseTemplate::new(200).set_body_json(&live)).expect(2).mount(&server).await;
        let refused = fake_api::status(409, "Conflict", "the object has been modified");
        Mock::given(method("PUT")).and(path(place)).respond_with(refused).up_to_n_times(1).mount(&server).await;
        Mock::given(method("PUT")).and(path(place)).respond_with(ResponseTemplate::new(200).set_body_json(&live)).mount(&server).await;
        assert_eq!(set_template(&client, "shop", "web", PodTemplateSpec::default()).await.expect("changed"), 3);
    }
}
