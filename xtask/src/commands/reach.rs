//! `cargo xtask reach`: who may talk to whom, by the NetworkPolicies of some manifests. Needs no cluster.

use anyhow::{Context as _, Result, bail};
use gauntlet_fixtures::manifest::read_objects;
use gauntlet_policies::index::Index;
use gauntlet_policies::reach::{Endpoint, Flow, Pod, Port, Reach, has_other_policies};
use gauntlet_policies::workload::Workload;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

/// Says whether one end may connect to another, and which policies decide; or who reaches whom.
///
/// An end is `NAMESPACE/NAME` or `NAME` of a workload, an IP address outside of the cluster, or `node` (the kubelet's probes). The
/// destination may be a Service too; its port is the Service's then.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 allowed, 1 denied, 2 could not judge.\n\nExamples:\n  \
    cargo xtask reach fixtures/platforms/globeco/manifests/overlays/production --matrix\n  \
    cargo xtask reach my-manifests/ --from web --to postgres:5432\n  \
    cargo xtask reach my-manifests/ --from 203.0.113.7 --to shop/web:8080\n  \
    cargo xtask reach my-manifests/ --from web --to kube-dns:53/UDP")]
pub struct ReachArgs {
    /// A kustomization, a folder of plain files or a file.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Where the connection comes from.
    #[arg(long, value_name = "END", requires = "to", required_unless_present = "matrix")]
    pub from: Option<String>,
    /// Where it goes to, with its port: `END:PORT` or `END:PORT/PROTOCOL`.
    #[arg(long, value_name = "END:PORT", requires = "from")]
    pub to: Option<String>,
    /// Every workload against every declared port.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub matrix: bool,
}

/// Judges and prints. The answer is the exit code.
///
/// # Errors
/// When the manifests cannot be read, or an end is not among them.
pub fn run(args: &ReachArgs) -> Result<u8> {
    let objects = read_objects(&args.path)?;
    let index = Index::new(&objects);
    let reach = Reach::new(&index);
    if has_other_policies(&index) {
        eprintln!("note: there are policies of other kinds too; only NetworkPolicies are judged");
    }
    let (Some(from), Some(to)) = (&args.from, &args.to) else {
        print!("{}", matrix(&reach.matrix()));
        return Ok(0);
    };
    let source = end(&index, from)?;
    let (name, port) = target(to)?;
    let mut denied = false;
    for (destination, port, told) in destinations(&reach, name, port)? {
        let verdict = reach.allowed(&source, &destination, port);
        println!("{from} -> {told}:{port}: {verdict}");
        denied |= !verdict.is_allowed();
    }
    Ok(u8::from(denied))
}

/// An end and its port: `postgres:5432`, `kube-dns:53/UDP`.
fn target(text: &str) -> Result<(&str, Port<'_>)> {
    let (name, port) = text.rsplit_once(':').with_context(|| format!("{text} names no port: END:PORT is wanted, such as postgres:5432"))?;
    let (number, protocol) = port.split_once('/').unwrap_or((port, "TCP"));
    let number = number.parse().ok().filter(|n| *n > 0).with_context(|| format!("{number} is no port: 1 to 65535 is wanted"))?;
    if !["TCP", "UDP", "SCTP"].contains(&protocol) {
        bail!("{protocol} is no protocol: TCP, UDP or SCTP is wanted");
    }
    Ok((name.trim_start_matches('[').trim_end_matches(']'), Port { number, protocol }))
}

/// The workloads of a name: with its namespace, or in any.
fn workloads<'i, 'a>(index: &'i Index<'a>, name: &str) -> Vec<&'i Workload<'a>> {
    let (namespace, name) = name.split_once('/').map_or((None, name), |(namespace, name)| (Some(namespace), name));
    let named = |w: &&Workload<'_>| w.object.name == name && namespace.is_none_or(|n| n == w.namespace);
    index.workloads().iter().filter(named).collect()
}

fn end<'a>(index: &Index<'a>, name: &str) -> Result<Endpoint<'a>> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(Endpoint::Address(address));
    }
    if name == "node" {
        return Ok(Endpoint::Node);
    }
    match workloads(index, name).as_slice() {
        [one] => Ok(Endpoint::Pod(Pod::of(one))),
        [] => bail!("there is no workload {name}; there are: {}", names(index)),
        several => bail!("{name} is the name of {} workloads: say NAMESPACE/{name}", several.len()),
    }
}

fn names(index: &Index<'_>) -> String {
    index.workloads().iter().map(|w| format!("{}/{}", w.namespace, w.object.name)).collect::<Vec<_>>().join(", ")
}

/// Where a connection ends: a workload, an address, or each workload behind a Service, with the pod's own port.
fn destinations<'a>(reach: &Reach<'_, 'a>, name: &str, port: Port<'a>) -> Result<Vec<(Endpoint<'a>, Port<'a>, String)>> {
    let index = reach.index();
    let (namespace, short) = name.split_once('/').map_or((None, name), |(namespace, short)| (Some(namespace), short));
    let service = |s: &&&gauntlet_fixtures::manifest::Object| s.name == short && namespace.is_none_or(|n| n == gauntlet_policies::index::namespace_of(s));
    if workloads(index, name).is_empty()
        && let Some(service) = index.of_kind("Service").iter().find(service)
    {
        let behind = reach.behind(service, port.number);
        if behind.is_empty() {
            bail!("the Service {name} has no port {} that leads to a workload of these manifests", port.number);
        }
        return Ok(behind.into_iter().map(|(w, port)| (Endpoint::Pod(Pod::of(w)), port, format!("{name} ({})", w.object.display_name()))).collect());
    }
    Ok(vec![(end(index, name)?, port, name.to_owned())])
}

/// A line for each destination's port: who gets there, and who does not.
fn matrix(flows: &[Flow<'_, '_>]) -> String {
    let mut lines: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for flow in flows {
        let (allowed, denied) = lines.entry(format!("{}:{}", flow.to.object.display_name(), flow.port)).or_default();
        let list = if flow.verdict.is_allowed() { allowed } else { denied };
        list.push(flow.from.object.display_name());
    }
    let mut text = String::new();
    for (to, (allowed, denied)) in lines {
        text.push_str(&format!("{to}\n"));
        for (word, mut names) in [("allowed from", allowed), ("denied to", denied)] {
            names.sort();
            if !names.is_empty() {
                text.push_str(&format!("  {word}: {}\n", names.join(", ")));
            }
        }
    }
    if text.is_empty() { "no workload declares a port\n".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn fixture() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/platforms/globeco/manifests/overlays/production")
    }

    fn asked(from: &str, to: &str) -> Result<u8> {
        run(&ReachArgs { path: fixture(), from: Some(from.into()), to: Some(to.into()), matrix: false })
    }

    #[test]
    fn the_service_reaches_its_database_and_a_stranger_does_not() {
        assert_eq!(asked("globeco-order-generation-service", "globeco-order-generation-service-mongodb:27017").expect("judged"), 0);
        assert_eq!(asked("203.0.113.7", "globeco-order-generation-service-mongodb:27017").expect("judged"), 1);
        assert_eq!(asked("node", "globeco-order-generation-service:8080").expect("judged"), 0);
    }

    #[test]
    fn what_is_not_there_is_told() {
        let told = |from: &str, to: &str| asked(from, to).expect_err("no such end").to_string();
        assert!(told("nobody", "globeco-order-generation-service:8080").contains("there is no workload nobody; there are: globeco/"));
        assert!(told("node", "globeco-order-generation-service").contains("names no port"));
        assert!(told("node", "globeco-order-generation-service:0").contains("is no port"));
        assert!(told("node", "globeco-order-generation-service:53/ICMP").contains("is no protocol"));
    }

    #[test]
    fn the_matrix_has_a_line_for_each_port() {
        let objects = read_objects(&fixture()).expect("reads");
        let index = Index::new(&objects);
        let text = matrix(&Reach::new(&index).matrix());
        assert!(text.contains("StatefulSet globeco/globeco-order-generation-service-mongodb:27017/TCP\n  allowed from: "), "{text}");
    }
}
