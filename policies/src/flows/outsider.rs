//! A program that the manifests do not hold: an ingress controller, a Prometheus.

use crate::reach::{Direction, Peer, Pod, Port, Reach, Side};
use crate::workload::Workload;
use std::collections::HashSet;

/// A program outside of the manifests, of which little is known: what cannot be known is taken for possible.
pub(crate) struct Outsider {
    /// Parts of images that would be this program, were it in the manifests.
    pub images: &'static [&'static str],
    /// Namespaces where it certainly is not.
    pub elsewhere: HashSet<String>,
}

impl Outsider {
    /// Whether the policies of a workload may let it in on a port.
    pub fn may_enter<'a>(&self, reach: &Reach<'_, 'a>, to: &Workload<'a>, port: Port<'_>) -> Side<'a> {
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

    fn may_be(&self, reach: &Reach<'_, '_>, own: &str, peer: &Peer<'_>) -> bool {
        match peer {
            Peer::Block(..) => true,
            Peer::Nobody => false,
            Peer::Pods { namespaces: None, pods, .. } => {
                let known = reach.index().select(own, pods);
                // Labels that no workload has may be those of a program that is not here.
                (known.is_empty() && !pods.is_empty()) || known.into_iter().any(|workload| self.is(workload))
            }
            Peer::Pods { namespaces: Some(selector), pods, .. } => match selector.values_of("kubernetes.io/metadata.name") {
                None => true,
                Some(names) => names.iter().any(|name| {
                    let mut known = reach.index().workloads_in(name).peekable();
                    let here = known.peek().is_none() || known.any(|workload| self.is(workload) && pods.matches(&workload.labels));
                    here && !self.elsewhere.contains(*name)
                }),
            },
        }
    }

    /// True: a workload of the manifests is this program.
    pub fn is(&self, workload: &Workload<'_>) -> bool {
        let images = workload.running_containers();
        images.iter().filter_map(|container| container.field.str_at("image")).any(|image| self.images.iter().any(|part| image.contains(part)))
    }
}
