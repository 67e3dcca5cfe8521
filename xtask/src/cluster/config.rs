//! The kind configuration: the template of `fixtures/node/cluster.yaml` filled in, and what it tunes.

use anyhow::{Context as _, Result};
use gauntlet_fixtures::manifest::{Dialect, parse};
use std::collections::BTreeMap;

/// Where kubeadm's configuration holds the arguments of each program.
const ARGUMENTS: [(&str, &str); 4] = [
    ("kube-apiserver", "/apiServer/extraArgs"),
    ("kube-controller-manager", "/controllerManager/extraArgs"),
    ("etcd", "/etcd/local/extraArgs"),
    ("kubelet", "/nodeRegistration/kubeletExtraArgs"),
];

/// What the template is filled in with.
#[derive(Debug, Clone, Copy)]
pub struct Fill {
    /// Published port for HTTP.
    pub http_port: u16,
    /// Published port for HTTPS.
    pub https_port: u16,
    /// The node image is our own.
    pub own_node: bool,
    /// runc goes through the wrapper.
    pub wrapper: bool,
}

/// Fills in the template.
pub fn render(template: &str, fill: Fill) -> String {
    let keep = |line: &&str| (fill.own_node || !line.trim_end().ends_with("# own")) && (fill.wrapper || !line.trim_end().ends_with("# wrapper"));
    let mut text: String = template.lines().filter(keep).flat_map(|line| [line, "\n"]).collect();
    for (name, port) in [("{{httpPort}}", fill.http_port), ("{{httpsPort}}", fill.https_port)] {
        text = text.replace(name, &port.to_string());
    }
    text
}

/// The controller settings that differ from Kubernetes' defaults: name to value, read from the configuration itself.
///
/// # Errors
/// When the configuration is no YAML.
pub fn tuned(config: &str) -> Result<BTreeMap<String, String>> {
    let mut tuned = BTreeMap::new();
    let documents = parse(config.as_bytes(), "cluster.yaml", Dialect::Kustomize).context("failed to read the kind configuration")?;
    let patches = documents.iter().filter_map(|d| d.get("kubeadmConfigPatches")).flat_map(|p| p.items());
    for text in patches.filter_map(|patch| patch.as_str()) {
        for patch in parse(text.as_bytes(), "kubeadmConfigPatches", Dialect::Kustomize).context("failed to read a kubeadm patch")? {
            let json = patch.to_json();
            let kubelet = json["kind"] == "KubeletConfiguration";
            for (section, pointer) in ARGUMENTS {
                for (name, value) in json.pointer(pointer).and_then(|v| v.as_object()).into_iter().flatten() {
                    tuned.insert(format!("{section} --{name}"), text_of(value));
                }
            }
            for (name, value) in json.as_object().into_iter().flatten().filter(|(n, _)| kubelet && !["kind", "apiVersion"].contains(&n.as_str())) {
                tuned.insert(format!("kubelet {name}"), text_of(value));
            }
        }
    }
    Ok(tuned)
}

fn text_of(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = include_str!("../../../fixtures/node/cluster.yaml");
    const FILL: Fill = Fill { http_port: 18080, https_port: 18443, own_node: true, wrapper: true };

    #[test]
    fn the_report_states_what_the_configuration_tunes() {
        let tuned = tuned(&render(TEMPLATE, FILL)).expect("reads");
        assert!(tuned.contains_key("kube-controller-manager --horizontal-pod-autoscaler-sync-period"), "{tuned:?}");
        assert!(tuned.contains_key("kube-controller-manager --node-monitor-grace-period"));
        assert!(tuned.contains_key("kubelet nodeStatusUpdateFrequency") && tuned.contains_key("kubelet --housekeeping-interval"));
    }

    #[test]
    fn the_official_image_keeps_its_own_network_and_names() {
        let text = render(TEMPLATE, Fill { own_node: false, wrapper: false, ..FILL });
        assert!(!text.contains("disableDefaultCNI") && !text.contains("imageRepository: gauntlet") && !text.contains("KubeletInUserNamespace"));
        assert!(parse(text.as_bytes(), "cluster.yaml", Dialect::Kustomize).is_ok());
    }

    #[test]
    fn nothing_is_published_but_on_loopback() {
        let text = render(TEMPLATE, FILL);
        assert!(text.contains("hostPort: 18443") && !text.contains("{{"));
        assert_eq!(text.matches("hostPort").count(), text.matches("listenAddress: 127.0.0.1").count());
        assert!(text.contains("apiServerAddress: 127.0.0.1"));
    }
}
