//! Experiments, journal, blast radius, steady state, recovery, ledgers and drills.
//!
//! A fault is planned (purely, from what the cluster lists), journaled on disk, applied, proven, recovered, and the
//! recovery is read back from the cluster. A fault that was not proven is never judged.

pub mod alert_judge;
pub mod alert_watch;
pub mod api_client;
pub mod budget_guard;
pub mod client_feed;
pub mod client_view;
pub mod cluster_view;
pub mod cluster_watch;
pub mod drill;
pub mod error;
pub mod eviction;
pub mod experiment;
pub mod experiment_run;
pub mod experiments;
pub mod json_text;
pub mod judge;
pub mod journal;
pub mod ledger;
pub mod network_policy;
pub mod node_control;
pub mod plan;
pub mod pod_exec;
pub mod port_forward;
pub mod rebalance;
pub mod recover;
pub mod registry;
pub mod resolver;
pub mod snapshot;
pub mod stage;
pub mod steady_state;
pub mod store;
pub mod store_watch;
pub mod stores;
pub mod targets;
pub mod volume;

#[cfg(test)]
mod tests;
