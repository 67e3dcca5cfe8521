//! The suite's own cluster: kind on the machine's Docker.

use super::config::{Fill, render, tuned};
use super::nodes::{CLUSTER_LABEL, KindNodes, containers};
use super::published::{free_ports, loopback};
use super::state::State;
use super::{BringUp, Cluster, Provider, addons, addresses, cleaning, health, load_images};
use crate::machine::Facts;
use crate::provision::cache::{Cache, KeyBuilder};
use crate::provision::context::{Context, Step};
use crate::provision::docker::docker;
use crate::provision::needed::Needed;
use crate::provision::process::{capture, run_logged};
use crate::provision::{self, Provisioned};
use anyhow::{Context as _, Result};
use futures::future::BoxFuture;
use gauntlet_reports::run::ClusterInfo;
use kube::config::{KubeConfigOptions, Kubeconfig};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;

/// Cluster and network name.
pub const NAME: &str = "gauntlet";
const NODES: usize = 4;

const NOT_OUR_RUNTIME: &str = "; its Docker was started by somebody else, and asks for a capability that this machine does not grant: stop that dockerd, \
    and run the command again, which starts one that does not";

/// True when the nodes failed for the want of the wrapper that our own dockerd has.
fn lacks_our_runtime(error: &str) -> bool {
    error.contains("unable to apply caps")
}

/// Where the cluster's own kubeconfig is kept.
fn kubeconfig(cache: &Cache) -> PathBuf {
    cache.cluster(NAME).join("kubeconfig")
}

/// A client for the suite's cluster by its own kubeconfig, whether or not it answers.
///
/// # Errors
/// When there is no kubeconfig, or it cannot be read.
pub async fn client(cache: &Cache) -> Result<kube::Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig(cache))?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(gauntlet_chaos::api_client::without_retries(config)?)
}

/// Gives the suite's kind cluster.
pub struct KindProvider {
    /// Cache, repository, recorder.
    pub ctx: Context,
    /// The machine.
    pub facts: Facts,
    /// What the platforms that will run here need.
    pub needed: Needed,
}

impl KindProvider {
    fn folder(&self) -> PathBuf {
        self.ctx.cache.cluster(NAME)
    }

    fn kubeconfig(&self) -> PathBuf {
        kubeconfig(&self.ctx.cache)
    }

    fn key(&self, provisioned: &Provisioned) -> Result<String> {
        let node = &provisioned.node_image;
        let mut key = KeyBuilder::default().text("node", &node.key).files(&self.ctx.fixtures().join("node/cluster.yaml"))?;
        for file in addons::files(&self.ctx.fixtures(), node.own)? {
            key = key.files(&file)?;
        }
        Ok(key.finish().to_string())
    }

    async fn run(&self, how: BringUp) -> Result<Cluster> {
        let provisioned = provision::provision(&self.ctx, &self.facts, &self.needed).await?;
        let key = self.key(&provisioned)?;
        let step = self.ctx.step("cluster");
        let mut state = match self.warm(&key, how, &step).await {
            Some(state) => state,
            None => self.create(&provisioned, &key, &step).await?,
        };
        let client = client(&self.ctx.cache).await?;
        let add_ons = async {
            if state.complete { Ok(()) } else { addons::install(&client, &self.ctx, provisioned.node_image.own, NODES, &step).await }
        };
        let load = load_images::load(NAME, &provisioned.loaded, &state.loaded, &self.ctx.cache, &step);
        let loaded = if provisioned.node_image.own {
            // All that the add-ons run is baked into our node: loading beside them would only make them wait.
            add_ons.await?;
            step.says("every add-on serves");
            load.await?
        } else {
            // An add-on that is not baked in is among what is loaded: it waits for it, and retries.
            let (loaded, installed) = tokio::join!(load, add_ons);
            installed?;
            loaded?
        };
        state.loaded.extend(loaded);
        state.complete = true;
        state.save(&self.folder())?;
        let info = self.info(&client, &provisioned, &state).await?;
        step.done(format!("{} nodes Ready, metrics answer, {}", info.nodes.len(), info.kubernetes));
        Ok(Cluster {
            client,
            info,
            nodes: Arc::new(KindNodes::new(NAME)),
            kubeconfig: self.kubeconfig(),
            published: Some((loopback(state.http_port), loopback(state.https_port))),
            authority: self.ctx.cache.root().join("authority"),
        })
    }

    /// Makes what is needed and loads it into the cluster that stands, whatever its content: for a deployment by hand.
    ///
    /// # Errors
    /// When there is no cluster, or something cannot be made or loaded.
    pub async fn load(&self) -> Result<()> {
        let mut state = State::load(&self.folder()).with_context(|| format!("the cluster {NAME} does not stand; `cargo xtask up` makes it"))?;
        let images = provision::provision_standing(&self.ctx, &self.facts, &self.needed).await?;
        let step = self.ctx.step("images");
        let loaded = load_images::load(NAME, &images, &state.loaded, &self.ctx.cache, &step).await?;
        step.done(format!("{} loaded", loaded.len()));
        state.loaded.extend(loaded);
        state.save(&self.folder())
    }

    /// The standing cluster, when it is of this content, healthy and clean.
    async fn warm(&self, key: &str, how: BringUp, step: &Step) -> Option<State> {
        let state = State::load(&self.folder()).filter(|s| !how.fresh && s.key == key && s.complete)?;
        let nodes = containers(NAME).await?;
        if nodes.len() != NODES || !nodes.iter().any(|n| n.running) {
            return None;
        }
        step.says("a warm cluster stands: checking its health");
        for node in nodes.iter().filter(|n| !n.running) {
            capture(docker(&["start"]).arg(&node.id)).await.ok()?;
        }
        let limit = Duration::from_secs(if nodes.iter().all(|n| n.running) { 5 } else { 60 });
        let checked = async {
            let client = client(&self.ctx.cache).await?;
            health::nodes_ready(&client, NODES, limit).await?;
            addresses::check(&client, &nodes).await?;
            health::wait_aggregated(&client, "/apis/metrics.k8s.io/v1beta1/nodes", NODES, limit).await?;
            let removed = cleaning::clean(&client, Duration::from_secs(90)).await?;
            anyhow::Ok(removed)
        };
        match checked.await {
            Ok(removed) if removed.is_empty() => Some(state),
            Ok(removed) => {
                step.says(format!("removed the namespaces of earlier runs: {}", removed.join(", ")));
                Some(state)
            }
            Err(error) => {
                step.says(format!("the warm cluster is not healthy, making a new one: {error:#}"));
                None
            }
        }
    }

    fn kind(&self, provisioned: &Provisioned, args: &[&str]) -> Command {
        let mut command = Command::new(&provisioned.kind);
        // A network of our own: the default one may hold other people's clusters.
        command.args(args).env("KIND_EXPERIMENTAL_DOCKER_NETWORK", NAME).env("KUBECONFIG", self.kubeconfig());
        command
    }

    async fn create(&self, provisioned: &Provisioned, key: &str, step: &Step) -> Result<State> {
        self.remove_nodes().await?;
        let (http_port, https_port) = free_ports()?;
        let folder = self.folder();
        std::fs::create_dir_all(&folder)?;
        let template = std::fs::read_to_string(self.ctx.fixtures().join("node/cluster.yaml"))?;
        let own_node = provisioned.node_image.own;
        let config = folder.join("cluster.yaml");
        std::fs::write(&config, render(&template, Fill { http_port, https_port, own_node, wrapper: own_node && self.facts.needs_oci_wrapper() }))?;
        step.says("kind create cluster (1 control plane, 3 workers)");
        let mut command = self.kind(provisioned, &["create", "cluster", "--name", NAME, "--image", &provisioned.node_image.name, "--config"]);
        command.arg(&config).arg("--kubeconfig").arg(self.kubeconfig());
        if let Err(error) = run_logged(&mut command, step.log()).await {
            self.remove_nodes().await?;
            let hint = if lacks_our_runtime(&error.to_string()) { NOT_OUR_RUNTIME } else { "" };
            return Err(error).context(format!("kind could not create the cluster{hint}"));
        }
        let state = State { key: key.to_owned(), http_port, https_port, ..State::default() };
        state.save(&folder)?;
        Ok(state)
    }

    /// Removes this cluster's containers with their volumes, by id. Gives their names.
    async fn remove_nodes(&self) -> Result<Vec<String>> {
        let nodes = containers(NAME).await.unwrap_or_default();
        if nodes.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = docker(&["rm", "-f", "-v"]);
        command.args(nodes.iter().map(|n| &n.id));
        capture(&mut command).await.with_context(|| format!("failed to remove the containers of the cluster {NAME} ({CLUSTER_LABEL}={NAME})"))?;
        Ok(nodes.into_iter().map(|n| n.name).collect())
    }

    async fn info(&self, client: &kube::Client, provisioned: &Provisioned, state: &State) -> Result<ClusterInfo> {
        let version = client.apiserver_version().await?;
        let nodes = containers(NAME).await.unwrap_or_default();
        let mut names: Vec<_> = nodes.into_iter().map(|n| n.name).collect();
        names.sort();
        let config = std::fs::read_to_string(self.folder().join("cluster.yaml"))?;
        let mut tuned = tuned(&config)?;
        tuned.extend(addons::tuned(&self.ctx.fixtures())?);
        tuned.insert("published ports".into(), format!("127.0.0.1:{} (HTTP), 127.0.0.1:{} (HTTPS)", state.http_port, state.https_port));
        let substitutions = if provisioned.node_image.own { [("kindest/node".to_owned(), provisioned.node_image.name.clone())].into() } else { Default::default() };
        Ok(ClusterInfo { provider: "kind".into(), name: NAME.into(), kubernetes: version.git_version, nodes: names, tuned, substitutions })
    }

    async fn remove(&self) -> Result<Vec<String>> {
        let mut removed: Vec<_> = self.remove_nodes().await?.into_iter().map(|n| format!("node container {n}")).collect();
        let left = capture(&mut docker(&["network", "inspect", NAME, "--format", "{{len .Containers}}"])).await;
        if left.is_ok_and(|count| count == "0") {
            capture(&mut docker(&["network", "rm", NAME])).await.context("failed to remove our network")?;
            removed.push(format!("docker network {NAME}"));
        }
        if self.folder().exists() {
            std::fs::remove_dir_all(self.folder())?;
            removed.push(format!("{}", self.folder().display()));
        }
        Ok(removed)
    }
}

impl Provider for KindProvider {
    fn bring_up(&self, how: BringUp) -> BoxFuture<'_, Result<Cluster>> {
        Box::pin(self.run(how))
    }

    fn take_down(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(self.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_docker_without_our_runtime_is_told_from_other_failures() {
        let seen = "OCI runtime create failed: runc create failed: unable to start container process: unable to apply caps: operation not permitted: unknown";
        assert!(lacks_our_runtime(seen));
        assert!(!lacks_our_runtime("failed to init node with kubeadm"));
    }
}
