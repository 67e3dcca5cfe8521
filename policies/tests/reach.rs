//! Reachability by NetworkPolicies, both ways.

use gauntlet_fixtures::manifest::{Dialect, Object, parse};
use gauntlet_policies::index::Index;
use gauntlet_policies::reach::{Endpoint, Pod, Port, Reach, Side};
use std::net::IpAddr;

const TCP_80: Port<'static> = Port { number: 80, protocol: "TCP" };

fn objects(text: &str) -> Vec<Object> {
    let documents = parse(text.as_bytes(), "x.yaml", Dialect::Kubectl).expect("parses");
    documents.into_iter().map(|document| Object::from_node(document).expect("object")).collect()
}

/// Two pods of shop, one of other, and what a test adds.
fn world(policies: &[&str]) -> Vec<Object> {
    let pod = |name: &str, namespace: &str, more: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}}}}}\n\
             spec: {{{more}containers: [{{name: c, image: 'c:1', ports: [{{name: http, containerPort: 80}}, {{name: dns, containerPort: 53, protocol: UDP}}]}}]}}\n"
        )
    };
    let mut text = pod("web", "shop", "") + &pod("db", "shop", "") + &pod("far", "other", "") + &pod("node", "shop", "hostNetwork: true, ");
    text.push_str("---\napiVersion: v1\nkind: Namespace\nmetadata: {name: other, labels: {team: red}}\n");
    for (at, policy) in policies.iter().enumerate() {
        let head = format!("---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p{at}, namespace: shop}}\n");
        text.push_str(&format!("{head}spec: {{{policy}}}\n"));
    }
    objects(&text)
}

fn end<'a>(index: &Index<'a>, name: &str) -> Endpoint<'a> {
    match name.parse::<IpAddr>() {
        Ok(address) => Endpoint::Address(address),
        Err(_) if name == "kubelet" => Endpoint::Node,
        Err(_) => {
            let workload = index.workloads().iter().find(|workload| workload.object.name == name);
            Endpoint::Pod(Pod::of(workload.expect("there is such a pod")))
        }
    }
}

fn allowed(policies: &[&str], from: &str, to: &str, port: Port<'_>) -> bool {
    let objects = world(policies);
    let index = Index::new(&objects);
    Reach::new(&index).allowed(&end(&index, from), &end(&index, to), port).is_allowed()
}

#[rstest::rstest]
#[case::no_policy_is_open(&[], "far", "web", true)]
#[case::default_deny(&["podSelector: {}, policyTypes: [Ingress]"], "db", "web", false)]
#[case::absent_types_mean_ingress(&["podSelector: {}"], "db", "web", false)]
#[case::absent_types_leave_egress_open(&["podSelector: {matchLabels: {app: db}}"], "db", "web", true)]
#[case::empty_egress_without_types_leaves_egress_open(&["podSelector: {matchLabels: {app: db}}, egress: []"], "db", "web", true)]
#[case::egress_rules_without_types_hold_egress(&["podSelector: {matchLabels: {app: db}}, egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]"], "db", "web", false)]
#[case::stated_types_make_rules_of_the_other_void(&["podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]"], "db", "web", true)]
#[case::egress_denies_at_the_source(&["podSelector: {matchLabels: {app: db}}, policyTypes: [Egress]"], "db", "web", false)]
#[case::an_empty_rule_allows_all(&["podSelector: {}, ingress: [{}]"], "far", "web", true)]
#[case::empty_lists_allow_all(&["podSelector: {}, ingress: [{from: [], ports: []}]"], "far", "web", true)]
#[case::no_rules_allow_nothing(&["podSelector: {}, ingress: []"], "db", "web", false)]
#[case::policies_add_up(&["podSelector: {}", "podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}]}]"], "db", "web", true)]
#[case::a_pod_selector_alone_is_of_the_own_namespace(&["podSelector: {}, ingress: [{from: [{podSelector: {}}]}]"], "far", "web", false)]
#[case::an_empty_namespace_selector_is_every_namespace(&["podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]"], "far", "web", true)]
#[case::namespaces_by_their_own_label(&["podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: red}}}]}]"], "far", "web", true)]
#[case::namespaces_by_their_name(&["podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: other}}}]}]"], "far", "web", true)]
#[case::both_selectors_in_one_peer_must_fit(&["podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: red}}, podSelector: {matchLabels: {app: near}}}]}]"], "far", "web", false)]
#[case::two_peers_are_alternatives(&["podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: red}}}, {podSelector: {matchLabels: {app: near}}}]}]"], "far", "web", true)]
#[case::expressions(&["podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}"], "db", "web", true)]
#[case::a_block(&["podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]"], "203.0.113.7", "web", true)]
#[case::an_exception_of_a_block(&["podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.7/32]}}]}]"], "203.0.113.7", "web", false)]
#[case::an_exception_holds_for_its_peer_only(&["podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.7/32]}}, {ipBlock: {cidr: 203.0.0.0/16}}]}]"], "203.0.113.7", "web", true)]
#[case::selectors_are_no_addresses(&["podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]"], "203.0.113.7", "web", false)]
#[case::every_address_holds_pods(&["podSelector: {matchLabels: {app: web}}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}}]}]"], "db", "web", true)]
#[case::without_private_ones_it_does_not(&["podSelector: {matchLabels: {app: web}}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}]"], "db", "web", false)]
#[case::egress_to_an_address(&["podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: '2001:db8::/32'}}]}]"], "web", "2001:db8::1", true)]
#[case::probes_are_always_let_in(&["podSelector: {}"], "kubelet", "web", true)]
#[case::a_pod_in_the_nodes_network_is_not_held(&["podSelector: {}, policyTypes: [Ingress, Egress]"], "far", "node", true)]
#[case::a_pod_in_the_nodes_network_is_no_peer(&["podSelector: {}, ingress: [{from: [{podSelector: {}}]}]"], "node", "web", false)]
fn peers(#[case] policies: &[&str], #[case] from: &str, #[case] to: &str, #[case] expected: bool) {
    assert_eq!(allowed(policies, from, to, TCP_80), expected);
}

#[rstest::rstest]
#[case("{port: 80}", 80, "TCP", true)]
#[case("{port: 80}", 80, "UDP", false)]
#[case("{port: 80}", 81, "TCP", false)]
#[case("{protocol: UDP}", 80, "UDP", true)]
#[case("{protocol: UDP}", 80, "TCP", false)]
#[case("{port: http}", 80, "TCP", true)]
#[case("{port: http}", 8080, "TCP", false)]
#[case("{port: dns, protocol: UDP}", 53, "UDP", true)]
#[case("{port: dns}", 53, "UDP", false)]
#[case("{port: 8000, endPort: 9000}", 9000, "TCP", true)]
#[case("{port: 8000, endPort: 9000}", 9001, "TCP", false)]
#[case("{port: 80, protocol: SCTP}", 80, "SCTP", true)]
fn ports(#[case] rule: &str, #[case] number: u16, #[case] protocol: &str, #[case] expected: bool) {
    let port = Port { number, protocol };
    // Names are those of the destination, in both directions.
    let ingress = format!("podSelector: {{}}, ingress: [{{ports: [{rule}]}}]");
    let egress = format!("podSelector: {{matchLabels: {{app: db}}}}, policyTypes: [Egress], egress: [{{ports: [{rule}]}}]");
    assert_eq!(allowed(&[&ingress], "db", "web", port), expected, "ingress");
    assert_eq!(allowed(&[&egress], "db", "web", port), expected, "egress");
}

#[test]
fn a_name_means_nothing_outside_of_the_cluster() {
    let egress = "podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: http}]}]";
    assert!(!allowed(&[egress], "web", "203.0.113.7", TCP_80));
}

#[test]
fn the_verdict_names_the_policies_that_decide() {
    let objects = world(&["podSelector: {}, policyTypes: [Ingress, Egress]", "podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}]}]"]);
    let index = Index::new(&objects);
    let verdict = Reach::new(&index).allowed(&end(&index, "db"), &end(&index, "web"), TCP_80);
    assert!(!verdict.is_allowed());
    assert_eq!(verdict.ingress.to_string(), "allowed by NetworkPolicy shop/p1");
    assert_eq!(verdict.egress.to_string(), "denied: no rule for it in NetworkPolicy shop/p0");
    let verdict = Reach::new(&index).allowed(&end(&index, "far"), &end(&index, "db"), TCP_80);
    assert_eq!(verdict.egress, Side::Open);
}

#[test]
fn a_services_port_is_translated_before_policies_see_it() {
    let mut objects = world(&["podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}]}]"]);
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n\
                   spec: {selector: {app: web}, ports: [{port: 8080, targetPort: http}]}\n";
    objects.extend(self::objects(service));
    let index = Index::new(&objects);
    let reach = Reach::new(&index);
    let behind = reach.behind(index.find("Service", "shop", "web").expect("there"), 8080);
    assert_eq!(behind.iter().map(|(to, port)| (to.object.name.as_str(), *port)).collect::<Vec<_>>(), [("web", TCP_80)]);
    let verdict = reach.allowed(&end(&index, "far"), &Endpoint::Pod(Pod::of(behind[0].0)), behind[0].1);
    assert_eq!(verdict.to_string(), "allowed (egress open: no policy selects it; ingress allowed by NetworkPolicy shop/p0)");
    assert_eq!(reach.behind(index.find("Service", "shop", "web").expect("there"), 80).len(), 0);
}

#[test]
fn the_matrix_says_who_reaches_whom() {
    let objects = world(&["podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: http}]}]"]);
    let index = Index::new(&objects);
    let matrix = Reach::new(&index).matrix();
    let to_web: Vec<String> = matrix
        .iter()
        .filter(|flow| flow.to.object.name == "web")
        .map(|flow| format!("{} {} {}", flow.from.object.name, flow.port, flow.verdict.is_allowed()))
        .collect();
    insta::assert_snapshot!(to_web.join("\n"), @r"
    web 80/TCP false
    db 80/TCP true
    far 80/TCP false
    node 80/TCP false
    web 53/UDP false
    db 53/UDP false
    far 53/UDP false
    node 53/UDP false
    ");
}
