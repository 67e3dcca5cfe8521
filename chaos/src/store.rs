//! The way to a data store that is inside the cluster: a forwarded port on 127.0.0.1, and the driver on it.

use crate::error::ChaosError;
use futures::TryStreamExt;
use gauntlet_fixtures::platform::Store;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{Api, Client};
use mongodb::bson::{Bson, RawDocumentBuf, doc};
use mongodb::options::{AuthMechanism, ClientOptions, Credential, ServerAddress};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A port of a pod on 127.0.0.1. Each connection is forwarded on its own, so that a broken one does not take the others
/// with it. Dropping it closes the port.
pub struct PortForward {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl PortForward {
    /// Opens a free port of 127.0.0.1 and forwards its connections to the pod.
    ///
    /// # Errors
    /// When no port can be opened. Whether the pod answers shows on the connections.
    pub async fn open(client: &Client, namespace: &str, pod: &str, port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let pod = pod.to_owned();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut inbound, _)) = listener.accept().await {
                let (pods, pod) = (pods.clone(), pod.clone());
                connections.spawn(async move {
                    let forwarded = pods.portforward(&pod, &[port]).await;
                    let Ok(mut forwarded) = forwarded.inspect_err(|e| tracing::debug!(error = %e, pod, "forward a port")) else { return };
                    if let Some(mut outbound) = forwarded.take_stream(port) {
                        let _ = tokio::io::copy_bidirectional(&mut inbound, &mut outbound).await;
                    }
                    forwarded.abort();
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(PortForward { address, task })
    }
}

impl Drop for PortForward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// User and password of a store.
#[derive(Clone)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl Login {
    /// Reads it from the Secret that platform.yaml names. None when it names none: the store asks for no login.
    ///
    /// # Errors
    /// When the Secret or one of its keys is missing.
    pub async fn read(client: &Client, namespace: &str, store: &Store) -> Result<Option<Self>, ChaosError> {
        let Some(secret) = &store.secret else { return Ok(None) };
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let data = secrets.get(secret).await.map_err(ChaosError::kubernetes(format!("read secret {secret}")))?.data.unwrap_or_default();
        let key = |key: &Option<String>| {
            let Some(key) = key else { return Ok(String::new()) };
            let bytes = data.get(key).ok_or_else(|| ChaosError::Store {
                store: store.name.clone(),
                cause: format!("Secret {secret} has no key {key}"),
            })?;
            Ok::<_, ChaosError>(String::from_utf8_lossy(&bytes.0).trim_end_matches('\n').to_owned())
        };
        let user = store.username.clone().map_or_else(|| key(&store.username_key), Ok)?;
        Ok(Some(Login { user, password: key(&store.password_key)? }))
    }
}

/// How a MongoDB-wire server may want its logins, in the order in which they are tried: the protocol's own first; PLAIN is
/// what FerretDB takes, which hands the login to its PostgreSQL.
fn credentials(login: &Login) -> Vec<Credential> {
    let credential = |mechanism: AuthMechanism, source: &str| {
        Credential::builder()
            .username(login.user.clone())
            .password(login.password.clone())
            .source(source.to_owned())
            .mechanism(mechanism)
            .build()
    };
    vec![
        credential(AuthMechanism::ScramSha256, "admin"),
        credential(AuthMechanism::ScramSha1, "admin"),
        credential(AuthMechanism::Plain, "$external"),
    ]
}

/// A MongoDB-wire store of a platform, or its restored copy.
pub struct MongoStore {
    name: String,
    /// The platform's database in it.
    pub database: mongodb::Database,
    _forward: PortForward,
}

impl MongoStore {
    /// Connects to the first pod of the store's StatefulSet.
    ///
    /// # Errors
    /// When no login is accepted; says what each answered.
    pub async fn open(client: &Client, namespace: &str, store: &Store) -> Result<Self, ChaosError> {
        let wrong = |cause: String| ChaosError::Store { store: store.name.clone(), cause };
        let login = Login::read(client, namespace, store).await?;
        let login = login.ok_or_else(|| wrong("platform.yaml names no Secret with its login".into()))?;
        let pod = format!("{}-0", store.stateful_set);
        let forward = PortForward::open(client, namespace, &pod, store.port).await.map_err(|e| wrong(e.to_string()))?;
        let mut answers = Vec::new();
        for credential in credentials(&login) {
            let mechanism = credential.mechanism.clone();
            match connect(forward.address, credential, &store.database).await {
                Ok(database) => return Ok(MongoStore { name: store.name.clone(), database, _forward: forward }),
                Err(error) => answers.push(format!("{mechanism:?}: {error}")),
            }
        }
        Err(wrong(answers.join("; ")))
    }

    fn wrong(&self) -> impl Fn(mongodb::error::Error) -> ChaosError + '_ {
        |error| ChaosError::Store { store: self.name.clone(), cause: error.to_string() }
    }

    /// Collections of the database, without the server's own.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn collections(&self) -> Result<BTreeSet<String>, ChaosError> {
        let names = self.database.list_collection_names().await.map_err(self.wrong())?;
        Ok(names.into_iter().filter(|n| !n.starts_with("system.")).collect())
    }

    /// Every document of a collection, as BSON bytes.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn documents(&self, collection: &str) -> Result<Vec<RawDocumentBuf>, ChaosError> {
        let cursor = self.database.collection::<RawDocumentBuf>(collection).find(doc! {}).await.map_err(self.wrong())?;
        cursor.try_collect().await.map_err(self.wrong())
    }

    /// The keys of a ledger that are in the store.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn keys(&self, collection: &str, field: &str, prefix: &str) -> Result<BTreeSet<String>, ChaosError> {
        let projection = doc! { field: 1 };
        let collection = self.database.collection::<mongodb::bson::Document>(collection);
        let cursor = collection.find(doc! {}).projection(projection).await.map_err(self.wrong())?;
        let documents: Vec<_> = cursor.try_collect().await.map_err(self.wrong())?;
        // Filtered here: what a server makes of a regular expression is not what is being tested.
        let keys = documents.iter().filter_map(|d| value_at(d, field)).filter(|k| k.starts_with(prefix));
        Ok(keys.map(str::to_owned).collect())
    }
}

/// The text at a field path with dots.
fn value_at<'a>(document: &'a mongodb::bson::Document, path: &str) -> Option<&'a str> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    match (document.get(first)?, rest) {
        (Bson::String(text), None) => Some(text),
        (Bson::Document(inner), Some(rest)) => value_at(inner, rest),
        _ => None,
    }
}

async fn connect(address: SocketAddr, credential: Credential, database: &str) -> Result<mongodb::Database, mongodb::error::Error> {
    let options = ClientOptions::builder()
        .hosts(vec![ServerAddress::Tcp { host: address.ip().to_string(), port: Some(address.port()) }])
        .direct_connection(true)
        .credential(credential)
        .connect_timeout(Duration::from_secs(5))
        .server_selection_timeout(Duration::from_secs(10))
        .build();
    let database = mongodb::Client::with_options(options)?.database(database);
    // A ping needs no login on some servers; a listing does.
    database.list_collection_names().await?;
    Ok(database)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_below_dots_and_only_texts() {
        let document = doc! { "a": { "b": "k-1" }, "n": 3 };
        assert_eq!(value_at(&document, "a.b"), Some("k-1"));
        assert_eq!(value_at(&document, "a"), None);
        assert_eq!(value_at(&document, "n"), None);
        assert_eq!(value_at(&document, "x.y"), None);
    }
}
