//! What a NetworkPolicy lets out, and the same without port 53. Pure.

use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::core::{Selector, SelectorExt};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const DNS: i64 = 53;
const LAST_PORT: i64 = 65_535;
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// True when a policy says what pods with these labels may send.
pub fn applies_to(policy: &NetworkPolicy, labels: &BTreeMap<String, String>) -> bool {
    let Some(spec) = &policy.spec else { return false };
    let types = spec.policy_types.clone().unwrap_or_default();
    // Without types, a policy with egress rules is one of egress.
    let egress = types.iter().any(|t| t == "Egress") || (types.is_empty() && spec.egress.as_ref().is_some_and(|e| !e.is_empty()));
    let selector = spec.pod_selector.clone().unwrap_or_default();
    egress && Selector::try_from(selector).is_ok_and(|s| s.matches(labels))
}

/// Every port of a protocol but 53.
fn all_but_dns(protocol: &str) -> Vec<Value> {
    range(protocol, 1, DNS - 1).into_iter().chain(range(protocol, DNS + 1, LAST_PORT)).collect()
}

fn range(protocol: &str, from: i64, to: i64) -> Option<Value> {
    match from.cmp(&to) {
        std::cmp::Ordering::Less => Some(json!({"protocol": protocol, "port": from, "endPort": to})),
        std::cmp::Ordering::Equal => Some(json!({"protocol": protocol, "port": from})),
        std::cmp::Ordering::Greater => None,
    }
}

/// One port of a rule without 53.
fn port_without_dns(port: &Value) -> Vec<Value> {
    let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
    match port.get("port") {
        None | Some(Value::Null) => all_but_dns(protocol),
        Some(Value::Number(number)) => {
            let from = number.as_i64().unwrap_or_default();
            let to = port.get("endPort").and_then(Value::as_i64).unwrap_or(from);
            if !(from..=to).contains(&DNS) {
                return vec![port.clone()];
            }
            range(protocol, from, DNS - 1).into_iter().chain(range(protocol, DNS + 1, to)).collect()
        }
        // CoreDNS names its ports `dns` and `dns-tcp`.
        Some(Value::String(name)) if name.starts_with("dns") => Vec::new(),
        Some(_) => vec![port.clone()],
    }
}

/// A rule without port 53; None when nothing else was in it.
fn rule_without_dns(rule: &Value) -> Option<Value> {
    let ports = rule.get("ports").and_then(Value::as_array).filter(|p| !p.is_empty());
    let kept: Vec<Value> = match ports {
        Some(ports) => ports.iter().flat_map(port_without_dns).collect(),
        None => PROTOCOLS.iter().flat_map(|p| all_but_dns(p)).collect(),
    };
    let mut rule = rule.clone();
    rule["ports"] = Value::Array(kept);
    (!rule["ports"].as_array().is_some_and(Vec::is_empty)).then_some(rule)
}

/// The spec for the pods with a label alone, that lets out all but port 53. What it lets in stays.
pub fn for_pods_alone(spec: &Value, label: &(String, String)) -> Value {
    let mut own = spec.clone();
    own["podSelector"]["matchLabels"][&label.0] = json!(label.1);
    let rules = spec.get("egress").and_then(Value::as_array).map(|rules| rules.iter().filter_map(rule_without_dns).collect());
    own["egress"] = Value::Array(rules.unwrap_or_default());
    own
}

/// The spec for all that it was for, but for the pods with a label.
pub fn without_pods(spec: &Value, label: &(String, String)) -> Value {
    let mut rest = spec.clone();
    let mut expressions = spec.pointer("/podSelector/matchExpressions").and_then(Value::as_array).cloned().unwrap_or_default();
    expressions.push(json!({"key": label.0, "operator": "NotIn", "values": [label.1]}));
    rest["podSelector"]["matchExpressions"] = Value::Array(expressions);
    rest
}

/// The spec for pods that no policy limits: they may send to every port but 53, anywhere.
pub fn instead_of_none(label: &(String, String)) -> Value {
    for_pods_alone(&json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}), label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label() -> (String, String) {
        ("app".to_owned(), "api".to_owned())
    }

    fn ports(spec: &Value, rule: usize) -> Vec<String> {
        let ports = spec["egress"][rule]["ports"].as_array().cloned().unwrap_or_default();
        let show = |p: &Value| format!("{} {}{}", p["protocol"].as_str().unwrap_or("?"), p["port"], p.get("endPort").map_or(String::new(), |e| format!("-{e}")));
        ports.iter().map(show).collect()
    }

    #[test]
    fn a_rule_for_dns_alone_goes_and_others_stay_as_they_are() {
        let spec = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{"from": []}], "egress": [
            {"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}]},
            {"to": [{"podSelector": {}}], "ports": [{"port": 5432, "protocol": "TCP"}, {"port": "dns", "protocol": "UDP"}, {"port": "http"}]}]});
        let own = for_pods_alone(&spec, &label());
        assert_eq!(own["egress"].as_array().map(Vec::len), Some(1));
        assert_eq!(ports(&own, 0), ["TCP 5432", "? \"http\""]);
        assert_eq!((&own["podSelector"]["matchLabels"]["app"], &own["ingress"]), (&json!("api"), &spec["ingress"]));
        let rest = without_pods(&spec, &label());
        assert_eq!(rest["podSelector"]["matchExpressions"][0], json!({"key": "app", "operator": "NotIn", "values": ["api"]}));
        assert_eq!(rest["egress"], spec["egress"]);
    }

    #[test]
    fn ranges_are_split_around_53() {
        let own = for_pods_alone(&json!({"egress": [{"ports": [{"port": 50, "endPort": 60}, {"port": 52, "endPort": 53}, {"protocol": "UDP"}]}, {}]}), &label());
        assert_eq!(ports(&own, 0), ["TCP 50-52", "TCP 54-60", "TCP 52", "UDP 1-52", "UDP 54-65535"]);
        assert_eq!(ports(&own, 1).len(), 6, "no ports are all ports");
        assert_eq!(ports(&instead_of_none(&label()), 0).len(), 6);
    }

    #[test]
    fn only_policies_of_what_the_pods_send_are_changed() {
        let applies = |spec: Value| {
            let policy: NetworkPolicy = serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).expect("policy");
            applies_to(&policy, &BTreeMap::from([label()]))
        };
        assert!(applies(json!({"podSelector": {}, "policyTypes": ["Egress"]})));
        assert!(applies(json!({"podSelector": {"matchLabels": {"app": "api"}}, "egress": [{}]})));
        assert!(!applies(json!({"podSelector": {}, "policyTypes": ["Ingress"]})));
        assert!(!applies(json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Egress"]})));
    }
}
