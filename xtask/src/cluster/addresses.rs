//! Whether the nodes still have the addresses that the cluster knows them by.
//!
//! A container engine that is started anew hands out addresses in the order in which the containers come up. Nodes may
//! then have changed addresses with each other: the kubelet keeps the old one in the Node object, the node stays Ready,
//! and routes lead to the wrong node, so that no pod of one worker reaches a pod of another.

use super::nodes::NodeContainer;
use crate::provision::docker::docker;
use crate::provision::process::capture;
use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams};
use std::collections::BTreeMap;

/// Addresses by node name.
type Addresses = BTreeMap<String, Vec<String>>;

const FORMAT: &str = "{{.Name}}\t{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";

/// Compares the InternalIP of every Node with the addresses of its container.
///
/// # Errors
/// When they differ: names the nodes. When the API server or the engine does not answer.
pub async fn check(client: &kube::Client, containers: &[NodeContainer]) -> Result<()> {
    let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await.context("the API server does not list its nodes")?;
    let known = nodes.items.iter().map(|n| (n.metadata.name.clone().unwrap_or_default(), internal(n))).collect();
    let mut inspect = docker(&["inspect", "--format", FORMAT]);
    inspect.args(containers.iter().map(|c| &c.id));
    let real = capture(&mut inspect).await?.lines().filter_map(parse_line).collect();
    let moved = moved(&known, &real);
    if !moved.is_empty() {
        bail!("the container engine gave nodes other addresses than the cluster knows: {}", moved.join("; "));
    }
    Ok(())
}

fn internal(node: &Node) -> Vec<String> {
    let addresses = node.status.as_ref().and_then(|s| s.addresses.as_deref()).unwrap_or_default();
    addresses.iter().filter(|a| a.type_ == "InternalIP").map(|a| a.address.clone()).collect()
}

fn parse_line(line: &str) -> Option<(String, Vec<String>)> {
    let (name, addresses) = line.split_once('\t')?;
    Some((name.trim_start_matches('/').to_owned(), addresses.split_whitespace().map(str::to_owned).collect()))
}

/// The nodes that have none of the addresses that the cluster knows.
fn moved(known: &Addresses, real: &Addresses) -> Vec<String> {
    let has = |name: &String, address: &String| real.get(name).is_some_and(|all| all.contains(address));
    let lost = known.iter().filter(|(name, addresses)| !addresses.iter().any(|a| has(name, a)));
    let say = |name: &String| real.get(name).filter(|all| !all.is_empty()).map_or_else(|| "no address".to_owned(), |all| all.join(", "));
    lost.map(|(name, addresses)| format!("{name} is known as {} and has {}", addresses.join(", "), say(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(pairs: &[(&str, &str)]) -> Addresses {
        pairs.iter().map(|(name, address)| ((*name).to_owned(), vec![(*address).to_owned()])).collect()
    }

    #[test]
    fn nodes_that_changed_addresses_are_named() {
        let known = addresses(&[("worker", "172.19.0.3"), ("worker2", "172.19.0.2"), ("worker3", "172.19.0.5")]);
        let real = addresses(&[("worker", "172.19.0.2"), ("worker2", "172.19.0.3"), ("worker3", "172.19.0.5")]);
        assert_eq!(moved(&known, &real), ["worker is known as 172.19.0.3 and has 172.19.0.2", "worker2 is known as 172.19.0.2 and has 172.19.0.3"]);
        assert_eq!(moved(&known, &known), Vec::<String>::new());
    }

    #[test]
    fn a_node_without_a_container_has_moved() {
        let known = addresses(&[("worker", "172.19.0.3")]);
        assert_eq!(moved(&known, &Addresses::new()), ["worker is known as 172.19.0.3 and has no address"]);
    }

    #[test]
    fn a_line_of_docker_inspect_gives_name_and_addresses() {
        let several = ("gauntlet-worker".to_owned(), vec!["172.19.0.3".to_owned(), "10.0.0.3".to_owned()]);
        assert_eq!(parse_line("/gauntlet-worker\t172.19.0.3 10.0.0.3 "), Some(several));
        assert_eq!(parse_line("/gauntlet-worker\t"), Some(("gauntlet-worker".to_owned(), Vec::new())));
        assert_eq!(parse_line(""), None);
    }
}
