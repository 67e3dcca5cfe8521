//! TLS secrets that entry points name and the objects do not contain.

use super::certificates::{CertificateAuthority, CertificateError};
use super::object::ObjectRef;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The label of secrets that the suite made, so that it never replaces another's.
pub const MADE_LABEL: &str = "gauntlet.dev/certificate";

/// A secret by namespace and name.
pub type SecretName = (String, String);

/// The TLS secrets that Ingresses and HTTPProxies among `objects` name and `objects` do not contain, with the hosts that
/// they must be good for. Objects without a namespace are in `namespace`.
pub fn missing(objects: &[Value], namespace: &str) -> BTreeMap<SecretName, BTreeSet<String>> {
    let mut named: BTreeMap<SecretName, BTreeSet<String>> = BTreeMap::new();
    let mut present = BTreeSet::new();
    for object in objects {
        let Ok(reference) = ObjectRef::of(object) else { continue };
        let own = reference.namespace.unwrap_or_else(|| namespace.to_owned());
        match reference.kind.as_str() {
            "Secret" => {
                present.insert((own, reference.name));
            }
            "Ingress" => {
                for (secret, hosts) in ingress(object) {
                    named.entry((own.clone(), secret)).or_default().extend(hosts);
                }
            }
            "HTTPProxy" => {
                let host = &object["spec"]["virtualhost"];
                if let (Some(secret), Some(name)) = (host["tls"]["secretName"].as_str(), host["fqdn"].as_str()) {
                    // `namespace/name` is a secret delegated from another namespace.
                    let (space, secret) = secret.split_once('/').unwrap_or((&own, secret));
                    named.entry((space.to_owned(), secret.to_owned())).or_default().insert(name.to_owned());
                }
            }
            _ => {}
        }
    }
    named.retain(|secret, hosts| !present.contains(secret) && !hosts.is_empty());
    named
}

/// Each TLS entry with its hosts; an entry without hosts is for all hosts of the rules.
fn ingress(object: &Value) -> Vec<(String, Vec<String>)> {
    let texts = |v: &Value| -> Vec<String> { v.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect() };
    let rules = object["spec"]["rules"].as_array().into_iter().flatten();
    let all: Vec<_> = rules.filter_map(|r| r["host"].as_str()).map(str::to_owned).collect();
    let entries = object["spec"]["tls"].as_array().into_iter().flatten();
    let named = entries.filter_map(|t| {
        let hosts = texts(&t["hosts"]);
        Some((t["secretName"].as_str()?.to_owned(), if hosts.is_empty() { all.clone() } else { hosts }))
    });
    named.collect()
}

/// The Secret with a certificate for `hosts`.
///
/// # Errors
/// When a host is no name.
pub fn secret(authority: &CertificateAuthority, name: &SecretName, hosts: &BTreeSet<String>) -> Result<Value, CertificateError> {
    let hosts: Vec<_> = hosts.iter().cloned().collect();
    let (cert, key) = authority.issue(&hosts)?;
    Ok(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": name.1, "namespace": name.0, "labels": {MADE_LABEL: "suite"}},
        "stringData": {"tls.crt": cert, "tls.key": key, "ca.crt": authority.ca_pem()},
    }))
}

/// The Secrets to apply besides `objects`. One that stands in the cluster and was not made by the suite is left alone.
///
/// # Errors
/// When the cluster cannot be asked, or a host is no name.
pub async fn secrets(client: &Client, authority: &CertificateAuthority, objects: &[Value], namespace: &str) -> anyhow::Result<Vec<Value>> {
    let mut made = Vec::new();
    for (name, hosts) in missing(objects, namespace) {
        let standing = Api::<Secret>::namespaced(client.clone(), &name.0).get_opt(&name.1).await?;
        let foreign = standing.is_some_and(|s| !s.metadata.labels.is_some_and(|l| l.contains_key(MADE_LABEL)));
        if !foreign {
            made.push(secret(authority, &name, &hosts)?);
        }
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::super::fake_api::{start, status};
    use super::*;
    use wiremock::matchers::{method, path};
    use wiremock::{Mock, ResponseTemplate};

    fn objects() -> Vec<Value> {
        vec![
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "order"}, "spec": {
                "tls": [{"secretName": "order-tls", "hosts": ["orders.example.org"]}, {"secretName": "all-tls"}],
                "rules": [{"host": "orders.example.org"}, {"host": "admin.example.org"}]}}),
            json!({"apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", "metadata": {"name": "order", "namespace": "edge"}, "spec": {"virtualhost": {"fqdn": "p.example.org", "tls": {"secretName": "p-tls"}}}}),
        ]
    }

    fn own(name: &str) -> SecretName {
        ("globeco".into(), name.into())
    }

    #[test]
    fn named_and_absent_secrets_are_found_with_their_hosts() {
        let found = missing(&objects(), "globeco");
        assert_eq!(found[&own("order-tls")], BTreeSet::from(["orders.example.org".to_owned()]));
        assert_eq!(found[&own("all-tls")].len(), 2, "an entry without hosts is for all rules");
        assert!(found.contains_key(&("edge".into(), "p-tls".into())));
    }

    #[test]
    fn a_secret_among_the_objects_is_not_made() {
        let mut with = objects();
        with.push(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "order-tls"}}));
        assert!(!missing(&with, "globeco").contains_key(&own("order-tls")));
    }

    #[tokio::test]
    async fn anothers_secret_in_the_cluster_is_left_alone() {
        let (server, client) = start().await;
        let foreign = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "order-tls"}});
        Mock::given(method("GET")).and(path("/api/v1/namespaces/globeco/secrets/order-tls")).respond_with(ResponseTemplate::new(200).set_body_json(foreign)).mount(&server).await;
        Mock::given(method("GET")).respond_with(status(404, "NotFound", "not found")).mount(&server).await;
        let dir = tempfile::tempdir().expect("temp dir");
        let authority = CertificateAuthority::load_or_create(dir.path()).expect("authority");
        let made = secrets(&client, &authority, &objects(), "globeco").await.expect("asked");
        let names: Vec<_> = made.iter().map(|s| s["metadata"]["name"].as_str().unwrap_or_default()).collect();
        assert_eq!(names, ["p-tls", "all-tls"]);
    }
}
