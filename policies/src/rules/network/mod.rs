//! Who reaches whom.

pub mod dangling_ingress;
pub mod dangling_service;
pub mod ingress_tls;
pub mod invalid_target_port;
pub mod pod_without_networkpolicy;
