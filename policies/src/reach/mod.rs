//! Who may talk to whom on which port, by the NetworkPolicies of a set of objects.
//!
//! A connection needs both ends: the policies that select its source must let it out, those that select its
//! destination must let it in. A direction in which no policy selects the pod is open. Policies add up: one that allows
//! is enough. Traffic of a pod's own node is always let in, and pods in the node's network are held by no policy.

mod cidr;
mod endpoint;
mod policy;
mod verdict;

pub use cidr::Cidr;
pub use endpoint::{Endpoint, Pod, Port};
pub use policy::{Direction, Peer, Policy, PortRule, Rule, isolates};
pub use verdict::{Side, Verdict};

use crate::flows::behind;
use crate::index::{Index, namespace_of};
use crate::selector::{Labels, labels_of};
use crate::workload::{DeclaredPort, Workload};
use gauntlet_fixtures::manifest::{Field, Object};
use std::collections::HashMap;

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
        for object in network_policies(index) {
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

    /// The pods behind a Service's port, and their own port: policies see what the Service has translated.
    pub fn behind(&self, service: &'a Object, port: u16) -> Vec<(&'i Workload<'a>, Port<'a>)> {
        behind(self.index, service, |field| field.i64_at("port") == Some(i64::from(port)))
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

/// The NetworkPolicies of Kubernetes itself: a network plugin's own kind may have the same name.
pub fn network_policies<'a>(index: &Index<'a>) -> Vec<&'a Object> {
    index.of_kind("NetworkPolicy").iter().copied().filter(|policy| policy.group() == "networking.k8s.io").collect()
}

/// True: there are policies of other kinds too, which may allow or deny what NetworkPolicies do not.
pub fn has_other_policies(index: &Index<'_>) -> bool {
    const KINDS: [&str; 7] = [
        "AdminNetworkPolicy",
        "BaselineAdminNetworkPolicy",
        "ClusterNetworkPolicy",
        "CiliumNetworkPolicy",
        "CiliumClusterwideNetworkPolicy",
        "GlobalNetworkPolicy",
        "StagedNetworkPolicy",
    ];
    let foreign = |policy: &&Object| policy.group() != "networking.k8s.io";
    KINDS.iter().any(|kind| !index.of_kind(kind).is_empty()) || index.of_kind("NetworkPolicy").iter().any(foreign)
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
