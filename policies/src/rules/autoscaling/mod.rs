//! HPAs that can scale.

pub mod dangling_hpa;
pub mod duplicate_hpa;
pub mod hpa_min_lt_max;
pub mod hpa_min_replicas;
pub mod hpa_vpa_conflict;
pub mod hpa_with_static_replicas;
pub mod hpa_without_requests;
