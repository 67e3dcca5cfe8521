//! Where a platform runs: a kind cluster of our own, or a cluster that the user named twice.

pub mod addons;
mod addresses;
pub mod cleaning;
pub mod config;
pub mod existing;
pub mod health;
pub mod kind;
pub mod load_images;
pub mod nodes;
pub mod published;
pub mod state;

use anyhow::Result;
use futures::future::BoxFuture;
use gauntlet_chaos::node_control::NodeControl;
use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_fixtures::platform::{Entrypoint, Platform};
use gauntlet_reports::run::ClusterInfo;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// A cluster that is up, with every add-on serving.
#[derive(Clone)]
pub struct Cluster {
    /// Speaks to its API server.
    pub client: kube::Client,
    /// For the report.
    pub info: ClusterInfo,
    /// Stops and starts its nodes.
    pub nodes: Arc<dyn NodeControl>,
    /// Its own kubeconfig; never the user's.
    pub kubeconfig: PathBuf,
    /// Where its ingress controller is published on this machine: HTTP and HTTPS.
    pub published: Option<(SocketAddr, SocketAddr)>,
    /// Where the suite's certificate authority is kept.
    pub authority: PathBuf,
}

impl Cluster {
    /// The platform's entry points as they are published on this machine, by name. An entry point without a host has
    /// no published address.
    pub fn endpoints(&self, platform: &Platform, ca_pem: &str) -> BTreeMap<String, Endpoint> {
        let Some((http, https)) = self.published else { return BTreeMap::new() };
        let endpoint = |entry: &Entrypoint| {
            let host = entry.host.clone()?;
            let address = if entry.tls { https } else { http };
            let ca_pem = entry.tls.then(|| ca_pem.to_owned());
            Some(Endpoint { address, host, tls: entry.tls, ca_pem, health_path: entry.health_path.clone() })
        };
        platform.entrypoints.iter().filter_map(|(name, entry)| Some((name.clone(), endpoint(entry)?))).collect()
    }
}

/// How a cluster is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct BringUp {
    /// Make a new one even when a warm one stands.
    pub fresh: bool,
}

/// What gives a cluster.
pub trait Provider: Send + Sync {
    /// Brings the cluster up, or takes the warm one after a health check and a cleaning.
    fn bring_up(&self, how: BringUp) -> BoxFuture<'_, Result<Cluster>>;
    /// Removes what this provider made, and nothing else. Gives what was removed, for a person.
    fn take_down(&self) -> BoxFuture<'_, Result<Vec<String>>>;
}
