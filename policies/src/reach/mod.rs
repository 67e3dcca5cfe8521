//! Who may talk to whom on which port, by the NetworkPolicies of a set of objects.
//!
//! A connection needs both ends: the policies that select its source must let it out, those that select its
//! destination must let it in. A direction in which no policy selects the pod is open. Policies add up: one that allows
//! is enough. Traffic of a pod's own node is always let in, and pods in the node's network are held by no policy.

mod cidr;
mod policy;

pub use cidr::Cidr;
pub use policy::{Direction, Peer, Policy, PortRule, Rule, isolates};

use crate::index::{Index, namespace_of};
use crate::selector::{Labels, labels_of};
use crate::workload::{DeclaredPort, Workload};
use gauntlet_fixtures::manifest::{Field, Object};
use std::collections::HashMap;
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

/// What the policies of one end say.
#[derive(Debug, Clone, PartialEq)]
pub enum Side<'a> {
    /// No policy holds this end in this direction.
    Open,
    /// These policies allow it.
    Allowed(Vec<&'a Object>),
    /// These policies hold this end, and none of them allows it.
    Denied(Vec<&'a Object>),
}

impl Side<'_> {
    /// True: not denied.
    pub fn is_allowed(&self) -> bool {
        !matches!(self, Side::Denied(_))
    }
}

impl fmt::Display for Side<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, policies) = match self {
            Side::Open => return f.write_str("open: no policy selects it"),
            Side::Allowed(policies) => ("allowed by", policies),
            Side::Denied(policies) => ("denied: no rule for it in", policies),
        };
        let names: Vec<String> = policies.iter().map(|policy| policy.display_name()).collect();
        write!(f, "{word} {}", names.join(", "))
    }
}

/// Whether a connection is possible, and what decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict<'a> {
    /// What lets it out of its source.
    pub egress: Side<'a>,
    /// What lets it into its destination.
    pub ingress: Side<'a>,
}

impl Verdict<'_> {
    /// True: both ends allow it.
    pub fn is_allowed(&self) -> bool {
        self.egress.is_allowed() && self.ingress.is_allowed()
    }
}

/// The policies of a set of objects, ready to be asked.
pub struct Reach<'i, 'a> {
    index: &'i Index<'a>,
    policies: HashMap<*const Object, Policy<'a>>,
    by_namespace: HashMap<&'a str, Vec<&'a Object>>,
    namespaces: HashMap<&'a str, Labels<'a>>,
}

impl<'i, 'a> Reach<'i, 'a> {
    /// Reads the policies of an index.
    pub fn new(index: &'i Index<'a>) -> Self {
        let mut reach = Self { index, policies: HashMap::new(), by_namespace: HashMap::new(), namespaces: HashMap::new() };
        for object in index.of_kind("NetworkPolicy").iter().copied().filter(|policy| policy.group() == "networking.k8s.io") {
            reach.policies.insert(std::ptr::from_ref(object), Policy::of(object));
            reach.by_namespace.entry(namespace_of(object)).or_default().push(object);
        }
        for object in index.of_kind("Namespace") {
            reach.namespaces.insert(&object.name, labels_of(&Field::root(&object.root)));
        }
        reach
    }

    /// The index that was read.
    pub fn index(&self) -> &'i Index<'a> {
        self.index
    }

    /// The labels of a namespace. Kubernetes itself adds `kubernetes.io/metadata.name`.
    pub fn namespace_labels<'n>(&self, namespace: &'n str) -> Labels<'n>
    where
        'a: 'n,
    {
        let mut labels: Labels<'n> = self.namespaces.get(namespace).cloned().unwrap_or_default();
        labels.insert("kubernetes.io/metadata.name", namespace);
        labels
    }

    /// The policies that select a pod; none for a pod in the node's network.
    pub fn policies(&self, pod: &Pod<'_>) -> Vec<&Policy<'a>> {
        if pod.host_network {
            return Vec::new();
        }
        let known = pod.object.and_then(|object| self.index.workload(object));
        if let Some(workload) = known {
            let policies = self.index.network_policies(workload).iter();
            return policies.filter_map(|policy| self.policies.get(&std::ptr::from_ref(*policy))).collect();
        }
        let policies = self.by_namespace.get(pod.namespace).into_iter().flatten();
        policies.filter_map(|policy| self.policies.get(&std::ptr::from_ref(*policy))).filter(|policy| policy.selects(pod)).collect()
    }

    /// Whether a connection from one end to a port of the other is possible.
    pub fn allowed(&self, from: &Endpoint<'_>, to: &Endpoint<'_>, port: Port<'_>) -> Verdict<'a> {
        let egress = match from {
            Endpoint::Pod(pod) if !matches!(to, Endpoint::Node) => self.side(Direction::Egress, pod, to, to, port),
            _ => Side::Open,
        };
        let ingress = match to {
            Endpoint::Pod(pod) if !matches!(from, Endpoint::Node) => self.side(Direction::Ingress, pod, from, to, port),
            _ => Side::Open,
        };
        Verdict { egress, ingress }
    }

    /// Who reaches whom among the workloads, on every port that the destination declares.
    pub fn matrix(&self) -> Vec<Flow<'i, 'a>> {
        let workloads = self.index.workloads();
        let ends: Vec<Endpoint<'a>> = workloads.iter().map(|workload| Endpoint::Pod(Pod::of(workload))).collect();
        let mut flows = Vec::new();
        for (to, destination) in workloads.iter().zip(&ends) {
            for declared in to.declared_ports() {
                let port = Port { number: declared.number, protocol: declared.protocol };
                let verdict = |source| self.allowed(source, destination, port);
                flows.extend(workloads.iter().zip(&ends).map(|(from, source)| Flow { from, to, port, verdict: verdict(source) }));
            }
        }
        flows
    }

    fn side(&self, direction: Direction, held: &Pod<'_>, other: &Endpoint<'_>, to: &Endpoint<'_>, port: Port<'_>) -> Side<'a> {
        let isolating: Vec<_> = self.policies(held).into_iter().filter_map(|policy| Some((policy, policy.rules(direction)?))).collect();
        if isolating.is_empty() {
            return Side::Open;
        }
        let ports: &[DeclaredPort<'_>] = if let Endpoint::Pod(pod) = to { &pod.ports } else { &[] };
        let names = |rule: &Rule<'a>, policy: &Policy<'a>| rule.has_port(port, ports) && rule.has_peer(self, policy.namespace, other);
        let allowing = isolating.iter().filter(|(policy, rules)| rules.iter().any(|rule| names(rule, policy)));
        let allowing: Vec<&'a Object> = allowing.map(|(policy, _)| policy.object).collect();
        if allowing.is_empty() { Side::Denied(isolating.iter().map(|(policy, _)| policy.object).collect()) } else { Side::Allowed(allowing) }
    }
}

/// A possible connection between two workloads.
#[derive(Debug, Clone)]
pub struct Flow<'i, 'a> {
    /// Its source.
    pub from: &'i Workload<'a>,
    /// Its destination.
    pub to: &'i Workload<'a>,
    /// The destination's port.
    pub port: Port<'a>,
    /// Whether it is possible.
    pub verdict: Verdict<'a>,
}
