//! One file, one experiment. Each file's doc comment is its manual page; [`registry`](crate::registry) lists them.

pub mod delete_pod;
pub mod dns_outage;
pub mod drain_node;
pub mod fill_volume;
pub mod run_script;
pub mod scale_to_zero;
pub mod stop_node;
pub mod zone_outage;
