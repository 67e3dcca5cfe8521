//! Who reaches whom.

pub mod dangling_ingress;
pub mod dangling_networkpolicy;
pub mod dangling_networkpolicy_peer;
pub mod dangling_service;
pub mod dns_ndots;
pub mod duplicate_service_selector;
pub mod external_ips;
pub mod ingress_tls;
pub mod invalid_target_port;
pub mod namespace_default_deny;
pub mod netpol_allows_undeclared_flow;
pub mod netpol_blocks_declared_flow;
pub mod nodeport_loadbalancer;
pub mod pod_without_networkpolicy;
