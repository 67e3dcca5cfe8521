//! The ends of a connection.

use crate::selector::Labels;
use crate::workload::{DeclaredPort, Workload};
use gauntlet_fixtures::manifest::Object;
use std::fmt;
use std::net::IpAddr;

/// One end of a connection.
#[derive(Debug, Clone)]
pub enum Endpoint<'a> {
    /// A pod.
    Pod(Pod<'a>),
    /// An address outside of the cluster.
    Address(IpAddr),
    /// The node that the other end runs on: where the kubelet's probes come from.
    Node,
}

/// A pod, as policies see it.
#[derive(Debug, Clone)]
pub struct Pod<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its labels.
    pub labels: Labels<'a>,
    /// The ports that it declares: policies may call them by name.
    pub ports: Vec<DeclaredPort<'a>>,
    /// True: it uses the node's network.
    pub host_network: bool,
    /// The object that makes it, when it is one of the manifests'.
    pub object: Option<&'a Object>,
}

impl<'a> Pod<'a> {
    /// A pod of a workload.
    pub fn of(workload: &Workload<'a>) -> Self {
        Self {
            namespace: workload.namespace,
            labels: workload.labels.clone(),
            ports: workload.declared_ports(),
            host_network: workload.uses_host_network(),
            object: Some(workload.object),
        }
    }
}

/// The destination's port, after a Service has translated it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port<'a> {
    /// Its number.
    pub number: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: &'a str,
}

impl fmt::Display for Port<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol)
    }
}
