//! What chaos asks of the provider of a cluster: to stop and start the machine behind a node.

use futures::future::BoxFuture;

/// Why a node could not be controlled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeControlError {
    /// The machine behind the node does not exist any more: its cluster was deleted. Nothing is left to recover.
    #[error("find the machine of node {0}: it is gone")]
    Gone(String),
    /// This provider does not own the machines of its nodes.
    #[error("control node {node}: {reason}")]
    NotOurs {
        /// The node.
        node: String,
        /// Why not.
        reason: String,
    },
    /// The provider tried and failed.
    #[error("{action} node {node}: {cause}")]
    Failed {
        /// `stop`, `start` or `inspect`.
        action: &'static str,
        /// The node.
        node: String,
        /// The cause, as the engine said it.
        cause: String,
    },
}

/// Stops and starts the machine behind a node. Implemented by the provider of the cluster (for kind: the node's
/// container). Every call is idempotent: stopping a stopped node and starting a running one succeed.
pub trait NodeControl: Send + Sync {
    /// Stops the machine and returns when it is stopped.
    fn stop<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<(), NodeControlError>>;
    /// Starts the machine and returns when it runs (not when the node is Ready).
    fn start<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<(), NodeControlError>>;
    /// True when the machine runs.
    fn is_running<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<bool, NodeControlError>>;
}

/// For clusters whose nodes are not the suite's to stop. Every call is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotOurNodes;

fn refuse<T: Send + 'static>(node: &str) -> BoxFuture<'static, Result<T, NodeControlError>> {
    let reason = "the suite did not create this cluster".to_owned();
    let refused = NodeControlError::NotOurs { node: node.to_owned(), reason };
    Box::pin(std::future::ready(Err(refused)))
}

impl NodeControl for NotOurNodes {
    fn stop<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<(), NodeControlError>> {
        refuse(node)
    }
    fn start<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<(), NodeControlError>> {
        refuse(node)
    }
    fn is_running<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<bool, NodeControlError>> {
        refuse(node)
    }
}

#[cfg(test)]
pub(crate) mod fake {
    //! A provider in memory.
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    /// Nodes by name; true runs.
    #[derive(Default)]
    pub struct Machines(pub Mutex<BTreeMap<String, bool>>);

    impl Machines {
        pub fn with(nodes: &[(&str, bool)]) -> Self {
            Machines(Mutex::new(nodes.iter().map(|(n, up)| ((*n).to_owned(), *up)).collect()))
        }
        fn set(&self, node: &str, up: bool) -> Result<(), NodeControlError> {
            match self.0.lock().expect("lock").get_mut(node) {
                Some(state) => *state = up,
                None => return Err(NodeControlError::Gone(node.to_owned())),
            }
            Ok(())
        }
    }

    impl NodeControl for Machines {
        fn stop<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<(), NodeControlError>> {
            Box::pin(async move { self.set(node, false) })
        }
        fn start<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<(), NodeControlError>> {
            Box::pin(async move { self.set(node, true) })
        }
        fn is_running<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<bool, NodeControlError>> {
            Box::pin(async move {
                self.0.lock().expect("lock").get(node).copied().ok_or_else(|| NodeControlError::Gone(node.to_owned()))
            })
        }
    }
}
