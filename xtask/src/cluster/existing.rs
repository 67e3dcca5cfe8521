//! Any cluster of the user's kubeconfig. It must be named twice: on the command line, and in the allow-list.

use super::{BringUp, Cluster, Provider, health};
use anyhow::{Context as _, Result, bail};
use futures::future::BoxFuture;
use gauntlet_chaos::node_control::NotOurNodes;
use gauntlet_reports::run::ClusterInfo;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file that lists the contexts that may be touched, one name a line, `#` for comments.
///
/// # Errors
/// When no home is known.
pub fn allow_list() -> Result<PathBuf> {
    let env = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let config = env("XDG_CONFIG_HOME").or_else(|| env("HOME").map(|h| h.join(".config"))).context("HOME is not set")?;
    Ok(config.join("gauntlet/allowed-contexts"))
}

/// Refuses a context that the allow-list does not name.
///
/// # Errors
/// Says which file to write which line into.
pub fn check_allowed(context: &str, list: &Path) -> Result<()> {
    let text = std::fs::read_to_string(list).unwrap_or_default();
    let named = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).any(|name| name == context);
    if !named {
        bail!("the context {context:?} is not in the allow-list: faults would be applied to that cluster. If that is meant, add the line {context:?} (without quotes) to {}", list.display());
    }
    Ok(())
}

/// How a context of a kubeconfig is reached.
///
/// # Errors
/// When there is no such context: names those that there are.
pub async fn config_of(kubeconfig: Kubeconfig, context: &str) -> Result<kube::Config> {
    if !kubeconfig.contexts.iter().any(|c| c.name == context) {
        let names: Vec<_> = kubeconfig.contexts.iter().map(|c| c.name.as_str()).collect();
        bail!("the kubeconfig has no context {context:?}; it has: {}", names.join(", "));
    }
    let options = KubeConfigOptions { context: Some(context.to_owned()), ..Default::default() };
    Ok(kube::Config::from_custom_kubeconfig(kubeconfig, &options).await?)
}

/// Gives a cluster that stands already.
pub struct ExistingProvider {
    /// The context's name.
    pub context: String,
    /// The project's cache folder, for the certificate authority.
    pub cache: PathBuf,
}

impl ExistingProvider {
    async fn connect(&self) -> Result<Cluster> {
        check_allowed(&self.context, &allow_list()?)?;
        let kubeconfig = Kubeconfig::read().context("failed to read the kubeconfig")?;
        let config = config_of(kubeconfig, &self.context).await?;
        let client = gauntlet_chaos::api_client::without_retries(config)?;
        let version = client.apiserver_version().await.with_context(|| format!("the cluster of the context {:?} does not answer", self.context))?;
        let (unready, _) = health::unready_nodes(&client).await?;
        if !unready.is_empty() {
            bail!("these nodes of the context {:?} are not Ready: {}", self.context, unready.join(", "));
        }
        let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await?;
        let names = nodes.items.into_iter().filter_map(|n| n.metadata.name).collect();
        let info = ClusterInfo { provider: "existing".into(), name: self.context.clone(), kubernetes: version.git_version, nodes: names, ..ClusterInfo::default() };
        Ok(Cluster { client, info, nodes: Arc::new(NotOurNodes), kubeconfig: PathBuf::new(), published: None, authority: self.cache.join("authority") })
    }
}

impl Provider for ExistingProvider {
    fn bring_up(&self, _how: BringUp) -> BoxFuture<'_, Result<Cluster>> {
        Box::pin(self.connect())
    }

    fn take_down(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_must_be_named_twice() {
        let dir = tempfile::tempdir().expect("temp dir");
        let list = dir.path().join("allowed-contexts");
        let refused = check_allowed("prod", &list).expect_err("no list");
        assert!(refused.to_string().contains("allowed-contexts"));
        std::fs::write(&list, "# mine\nstaging # until May\n").expect("write");
        assert!(check_allowed("prod", &list).is_err());
        assert!(check_allowed("staging", &list).is_ok());
    }
}
