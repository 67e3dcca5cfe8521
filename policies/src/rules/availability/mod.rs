//! Staying up while pods and nodes go.

pub mod anti_affinity_or_spread;
pub mod liveness_probe;
pub mod min_replicas;
pub mod missing_pdb;
pub mod pdb_blocks_drain;
pub mod pdb_vs_hpa_min;
pub mod probe_port_exists;
pub mod readiness_probe;
