//! The deploy stage: manifests applied server-side, the rollout watched, and the true cause named when it does not finish.
//!
//! The edges to the API server are thin ([`apply`], [`rollout`], [`snapshot`]); what judges is pure ([`diagnose`],
//! [`workload`], [`checks`]) and tested on objects as the API server gives them.

pub mod apply;
pub mod certificates;
pub mod checks;
pub mod diagnose;
pub mod entrypoint;
pub mod evidence;
pub mod kinds;
pub mod object;
pub mod order;
pub mod promises;
pub mod rewrite;
pub mod rollout;
pub mod settle;
pub mod snapshot;
pub mod stage;
pub mod tls;
pub mod transient;
pub mod workload;

#[cfg(test)]
pub(crate) mod fake_api;
