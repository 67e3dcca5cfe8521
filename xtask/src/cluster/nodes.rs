//! The containers behind the nodes of our kind cluster: found by kind's label, used by id.

use crate::provision::docker::docker;
use crate::provision::process::capture;
use futures::future::BoxFuture;
use gauntlet_chaos::node_control::{NodeControl, NodeControlError};

/// The label by which kind marks a cluster's containers.
pub const CLUSTER_LABEL: &str = "io.x-k8s.kind.cluster";

/// A node's container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeContainer {
    /// Container id.
    pub id: String,
    /// Container and node name.
    pub name: String,
    /// It runs.
    pub running: bool,
}

/// The containers of a cluster, running or not. None when the engine does not answer.
pub async fn containers(cluster: &str) -> Option<Vec<NodeContainer>> {
    let filter = format!("label={CLUSTER_LABEL}={cluster}");
    let mut command = docker(&["ps", "-a", "--no-trunc", "--filter", &filter, "--format", "{{.ID}}\t{{.Names}}\t{{.State}}"]);
    let text = capture(&mut command).await.ok()?;
    Some(text.lines().filter_map(parse_line).collect())
}

fn parse_line(line: &str) -> Option<NodeContainer> {
    let mut fields = line.split('\t');
    let (id, name, state) = (fields.next()?, fields.next()?, fields.next()?);
    Some(NodeContainer { id: id.to_owned(), name: name.to_owned(), running: state == "running" })
}

/// Stops and starts the node containers of one cluster of ours, and no other container.
pub struct KindNodes {
    cluster: String,
}

impl KindNodes {
    /// The nodes of a cluster.
    pub fn new(cluster: &str) -> Self {
        KindNodes { cluster: cluster.to_owned() }
    }

    async fn find(&self, node: &str, action: &'static str) -> Result<NodeContainer, NodeControlError> {
        let all = containers(&self.cluster).await.ok_or_else(|| NodeControlError::Failed {
            action,
            node: node.to_owned(),
            cause: "the container engine does not answer".to_owned(),
        })?;
        all.into_iter().find(|c| c.name == node).ok_or_else(|| NodeControlError::Gone(node.to_owned()))
    }

    async fn act(&self, node: &str, action: &'static str, args: &[&str]) -> Result<(), NodeControlError> {
        let container = self.find(node, action).await?;
        let mut command = docker(args);
        command.arg(&container.id);
        capture(&mut command).await.map(drop).map_err(|error| NodeControlError::Failed { action, node: node.to_owned(), cause: error.to_string() })
    }
}

impl NodeControl for KindNodes {
    fn stop<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<(), NodeControlError>> {
        // A node that loses power says no goodbye: no grace period.
        Box::pin(self.act(node, "stop", &["stop", "--time", "0"]))
    }

    fn start<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<(), NodeControlError>> {
        Box::pin(self.act(node, "start", &["start"]))
    }

    fn is_running<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<bool, NodeControlError>> {
        Box::pin(async move { Ok(self.find(node, "inspect").await?.running) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_docker_ps_is_a_node() {
        let node = parse_line("4f5e\tgauntlet-worker\texited").expect("parses");
        assert_eq!((node.name.as_str(), node.running), ("gauntlet-worker", false));
        assert_eq!(parse_line("4f5e"), None);
    }
}
