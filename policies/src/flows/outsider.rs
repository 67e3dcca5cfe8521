//! A program that the manifests do not hold: an ingress controller, a Prometheus.

use crate::index::Index;
use crate::reach::{Direction, Peer, Pod, Port, Reach, Side};
use crate::workload::Workload;
use gauntlet_fixtures::manifest::Node;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// A program outside of the manifests, of which little is known: what cannot be known is taken for possible.
pub(crate) struct Outsider<'i, 'a> {
    /// Namespaces where it certainly is not.
    elsewhere: HashSet<String>,
    /// Workloads of the manifests that are this program after all, by namespace.
    here: HashMap<&'a str, Vec<&'i Workload<'a>>>,
    /// What is known of a peer, by where it stands: many flows ask for the same one.
    peers: RefCell<HashMap<*const Node, bool>>,
}

impl<'i, 'a> Outsider<'i, 'a> {
    /// A program that is known by parts of its image.
    pub fn new(index: &'i Index<'a>, images: &[&str], elsewhere: HashSet<String>) -> Self {
        let is = |workload: &&Workload<'_>| {
            let containers = workload.running_containers();
            let mut names = containers.iter().filter_map(|container| container.field.str_at("image"));
            names.any(|image| images.iter().any(|part| image.contains(part)))
        };
        let mut here: HashMap<&str, Vec<&Workload<'_>>> = HashMap::new();
        for workload in index.workloads().iter().filter(is) {
            here.entry(workload.namespace).or_default().push(workload);
        }
        Self { elsewhere, here, peers: RefCell::default() }
    }

    /// Whether the policies of a workload may let it in on a port.
    pub fn may_enter(&self, reach: &Reach<'_, 'a>, to: &Workload<'a>, port: Port<'_>) -> Side<'a> {
        let pod = Pod::of(to);
        let mut isolating = Vec::new();
        for policy in reach.policies(&pod) {
            let Some(rules) = policy.rules(Direction::Ingress) else { continue };
            isolating.push(policy.object);
            let is_open = rules.iter().filter(|rule| rule.has_port(port, &pod.ports)).any(|rule| {
                rule.peers.as_ref().is_none_or(|peers| peers.iter().any(|peer| self.may_be(reach, policy.namespace, peer)))
            });
            if is_open {
                return Side::Allowed(vec![policy.object]);
            }
        }
        if isolating.is_empty() { Side::Open } else { Side::Denied(isolating) }
    }

    fn may_be(&self, reach: &Reach<'_, 'a>, own: &str, peer: &Peer<'a>) -> bool {
        let Peer::Pods { field, .. } = peer else { return matches!(peer, Peer::Block(..)) };
        let at = std::ptr::from_ref(field.node);
        let known = self.peers.borrow().get(&at).copied();
        known.unwrap_or_else(|| {
            let answer = self.may_be_pods(reach, own, peer);
            self.peers.borrow_mut().insert(at, answer);
            answer
        })
    }

    fn may_be_pods(&self, reach: &Reach<'_, 'a>, own: &str, peer: &Peer<'a>) -> bool {
        let Peer::Pods { namespaces, pods, .. } = peer else { return false };
        let in_namespace = |name: &str| self.here.get(name).is_some_and(|known| known.iter().any(|workload| pods.matches(&workload.labels)));
        match namespaces {
            // Labels that no workload has may be those of a program that is not here.
            None => in_namespace(own) || (!pods.is_empty() && reach.index().select(own, pods).is_empty()),
            Some(selector) => selector.values_of("kubernetes.io/metadata.name").is_none_or(|names| {
                names.iter().any(|name| {
                    let unknown = reach.index().workloads_in(name).next().is_none();
                    !self.elsewhere.contains(*name) && (unknown || in_namespace(name))
                })
            }),
        }
    }
}
