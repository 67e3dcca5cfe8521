//! A namespace as it stands on a cluster, for the policies. Read-only: nothing is written, so the context needs no allow-list.

use crate::cluster::existing::config_of;
use crate::procedures::configuration;
use anyhow::{Context as _, Result};
use gauntlet_fixtures::manifest::{Loaded, load_text};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;
use kube::config::Kubeconfig;
use serde_json::{Value, json};

/// Reads a namespace of a context of the user's kubeconfig; none: the current context, and its namespace.
///
/// # Errors
/// When there is no such context, the cluster does not answer, or it has no such namespace.
pub async fn read(context: Option<&str>, namespace: Option<&str>) -> Result<Loaded> {
    let kubeconfig = Kubeconfig::read().context("failed to read the kubeconfig")?;
    let name = context.map(str::to_owned).or_else(|| kubeconfig.current_context.clone()).context("the kubeconfig names no current context: say --context")?;
    let config = config_of(kubeconfig, &name).await?;
    let namespace = namespace.map_or_else(|| config.default_namespace.clone(), str::to_owned);
    let client = kube::Client::try_from(config)?;
    let objects = objects(&client, &namespace).await.with_context(|| format!("failed to read the namespace {namespace} of the context {name:?}"))?;
    Ok(load_text(rendered(&objects)?.as_bytes(), &format!("{name}/{namespace}")))
}

/// The namespace and what is declared in it; not what the cluster makes of that, such as pods of a Deployment.
async fn objects(client: &kube::Client, namespace: &str) -> Result<Vec<Value>> {
    let api = Api::<Namespace>::all(client.clone());
    let itself = api.get_opt(namespace).await.context("the API server does not answer")?.with_context(|| format!("there is no namespace {namespace}"))?;
    let mut objects = vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": itself.metadata.labels}})];
    objects.extend(configuration::read(client, namespace).await?);
    Ok(objects)
}

/// One document for each object. JSON is YAML.
fn rendered(objects: &[Value]) -> Result<String> {
    let mut text = String::new();
    for object in objects {
        text.push_str("---\n");
        text.push_str(&serde_json::to_string_pretty(object)?);
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::fake_api;
    use wiremock::matchers::{method, path};
    use wiremock::{Mock, ResponseTemplate};

    #[tokio::test]
    async fn what_stands_is_read_as_it_was_declared() {
        let (server, client) = fake_api::start().await;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "a"}, "uid": "1"}});
        Mock::given(method("GET")).and(path("/api/v1/namespaces/shop")).respond_with(ResponseTemplate::new(200).set_body_json(namespace)).mount(&server).await;
        fake_api::serve_kinds(&server, "apps/v1", &[("Deployment", "deployments", true)]).await;
        let web = json!({"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "7"}, "spec": {"replicas": 1}, "status": {"replicas": 1}});
        fake_api::serve_list(&server, "/apis/apps/v1/namespaces/shop/deployments", vec![web]).await;
        let seen = objects(&client, "shop").await.expect("reads");
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"replicas": 1}});
        assert_eq!(seen[0]["metadata"]["labels"], json!({"team": "a"}));
        assert_eq!(seen[1..], [deployment]);
        let loaded = load_text(rendered(&seen).expect("text").as_bytes(), "here/shop");
        assert_eq!((loaded.documents(), loaded.errors.len()), (2, 0));
        assert_eq!(loaded.sets[0].objects[1].display_name(), "Deployment shop/web");
    }

    #[tokio::test]
    async fn a_namespace_that_is_not_there_is_told() {
        let (server, client) = fake_api::start().await;
        let gone = fake_api::status(404, "NotFound", "namespaces \"shop\" not found");
        Mock::given(method("GET")).and(path("/api/v1/namespaces/shop")).respond_with(gone).mount(&server).await;
        assert!(objects(&client, "shop").await.expect_err("none").to_string().contains("there is no namespace shop"));
    }
}
