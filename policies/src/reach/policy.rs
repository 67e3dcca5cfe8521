//! A NetworkPolicy, as the API server completes it.

use super::{Cidr, Endpoint, Pod, Port, Reach};
use crate::index::namespace_of;
use crate::selector::Selector;
use crate::workload::DeclaredPort;
use gauntlet_fixtures::manifest::{Field, Object};

/// A direction of traffic, as seen from the selected pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Into the pod.
    Ingress,
    /// Out of the pod.
    Egress,
}

/// A NetworkPolicy.
#[derive(Debug, Clone)]
pub struct Policy<'a> {
    /// The object.
    pub object: &'a Object,
    /// Its namespace.
    pub namespace: &'a str,
    /// The pods of its namespace that it holds.
    pub selector: Selector<'a>,
    ingress: Option<Vec<Rule<'a>>>,
    egress: Option<Vec<Rule<'a>>>,
}

/// What one entry of `ingress` or `egress` allows.
#[derive(Debug, Clone)]
pub struct Rule<'a> {
    /// Where it stands.
    pub field: Field<'a>,
    /// With whom; none: with everybody.
    pub peers: Option<Vec<Peer<'a>>>,
    /// On which ports; none: on all.
    pub ports: Option<Vec<PortRule<'a>>>,
}

/// With whom a rule allows traffic.
#[derive(Debug, Clone)]
pub enum Peer<'a> {
    /// Pods.
    Pods {
        /// Of these namespaces; none: of the policy's own.
        namespaces: Option<Selector<'a>>,
        /// With these labels.
        pods: Selector<'a>,
        /// Where it stands.
        field: Field<'a>,
    },
    /// Addresses of a block without its exceptions.
    Block(Cidr, Vec<Cidr>),
    /// Nothing that the API server accepts.
    Nobody,
}

/// On which ports a rule allows traffic.
#[derive(Debug, Clone)]
pub struct PortRule<'a> {
    /// Where it stands.
    pub field: Field<'a>,
    /// `TCP` when none is stated.
    pub protocol: &'a str,
    /// First and last number; all when neither a number nor a name is stated.
    pub range: (i64, i64),
    /// The name of a port of the destination.
    pub name: Option<&'a str>,
}

/// True: a policy holds the pods that it selects in a direction. Without `policyTypes` that is ingress, and egress when it
/// has at least one egress rule.
pub fn isolates(policy: &Object, direction: Direction) -> bool {
    let root = Field::root(&policy.root);
    let types = root.items_at("spec.policyTypes");
    let name = if direction == Direction::Ingress { "Ingress" } else { "Egress" };
    match types.is_empty() {
        true => direction == Direction::Ingress || !root.items_at("spec.egress").is_empty(),
        false => types.iter().any(|item| item.str() == Some(name)),
    }
}

impl<'a> Policy<'a> {
    /// Reads a policy.
    pub fn of(object: &'a Object) -> Self {
        let root = Field::root(&object.root);
        let rules = |direction, key: &str, peers: &str| {
            let list = root.items_at(&format!("spec.{key}"));
            isolates(object, direction).then(|| list.into_iter().map(|rule| Rule::of(rule, peers)).collect())
        };
        Self {
            object,
            namespace: namespace_of(object),
            selector: root.at("spec.podSelector").map(|field| Selector::from_label_selector(&field)).unwrap_or_default(),
            ingress: rules(Direction::Ingress, "ingress", "from"),
            egress: rules(Direction::Egress, "egress", "to"),
        }
    }

    /// True: it selects the pod.
    pub fn selects(&self, pod: &Pod<'_>) -> bool {
        self.namespace == pod.namespace && self.selector.matches(&pod.labels)
    }

    /// Its rules for a direction; none when it says nothing about that direction.
    pub fn rules(&self, direction: Direction) -> Option<&[Rule<'a>]> {
        let rules = if direction == Direction::Ingress { &self.ingress } else { &self.egress };
        rules.as_deref()
    }
}

impl<'a> Rule<'a> {
    fn of(field: Field<'a>, peers: &str) -> Self {
        let some = |key: &str| Some(field.items_at(key)).filter(|items| !items.is_empty());
        let peers = some(peers).map(|items| items.into_iter().map(Peer::of).collect());
        let ports = some("ports").map(|items| items.into_iter().map(PortRule::of).collect());
        Self { peers, ports, field }
    }

    /// True: it names the port. Names are those of the destination's ports.
    pub fn has_port(&self, port: Port<'_>, declared: &[DeclaredPort<'_>]) -> bool {
        self.ports.as_ref().is_none_or(|rules| rules.iter().any(|rule| rule.has(port, declared)))
    }

    /// True: it names the other end; `own` is the policy's namespace.
    pub fn has_peer(&self, reach: &Reach<'_, '_>, own: &str, other: &Endpoint<'_>) -> bool {
        self.peers.as_ref().is_none_or(|peers| peers.iter().any(|peer| peer.is(reach, own, other)))
    }
}

impl<'a> Peer<'a> {
    fn of(field: Field<'a>) -> Self {
        if let Some(block) = field.get("ipBlock") {
            let except = block.items_at("except").iter().filter_map(|item| Cidr::parse(item.str()?)).collect();
            return block.str_at("cidr").and_then(Cidr::parse).map_or(Peer::Nobody, |cidr| Peer::Block(cidr, except));
        }
        let selector = |key| field.get(key).map(|selector| Selector::from_label_selector(&selector));
        match (selector("namespaceSelector"), selector("podSelector")) {
            (None, None) => Peer::Nobody,
            (namespaces, pods) => Peer::Pods { namespaces, pods: pods.unwrap_or_default(), field },
        }
    }

    /// True: it is the other end.
    pub fn is(&self, reach: &Reach<'_, '_>, own: &str, other: &Endpoint<'_>) -> bool {
        match (self, other) {
            (Peer::Pods { namespaces, pods, .. }, Endpoint::Pod(pod)) if !pod.host_network => {
                let there = match namespaces {
                    Some(selector) => selector.matches(&reach.namespace_labels(pod.namespace)),
                    None => pod.namespace == own,
                };
                there && pods.matches(&pod.labels)
            }
            (Peer::Block(block, except), Endpoint::Address(address)) => {
                block.contains(*address) && !except.iter().any(|except| except.contains(*address))
            }
            // The addresses of pods and nodes are not in the manifests: only a block of all private ones certainly holds them.
            (Peer::Block(block, except), Endpoint::Pod(_)) => block.holds_pods(except),
            _ => false,
        }
    }
}

impl<'a> PortRule<'a> {
    fn of(field: Field<'a>) -> Self {
        let first = field.i64_at("port");
        let range = first.map_or((0, 65535), |first| (first, field.i64_at("endPort").unwrap_or(first)));
        Self { protocol: field.str_at("protocol").unwrap_or("TCP"), name: field.str_at("port"), range, field }
    }

    /// True: it names the port.
    pub fn has(&self, port: Port<'_>, declared: &[DeclaredPort<'_>]) -> bool {
        let number = i64::from(port.number);
        self.protocol == port.protocol
            && match self.name {
                Some(name) => declared.iter().any(|known| {
                    known.name == Some(name) && known.number == port.number && known.protocol == port.protocol
                }),
                None => (self.range.0..=self.range.1).contains(&number),
            }
    }
}
