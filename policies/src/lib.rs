//! Manifests in, findings out. Pure: no cluster, no network, no clock, no async.
//!
//! One rule is one file below `rules/<family>/`; its doc comment is its manual page. [`registry::RULES`] is the explicit
//! list of them, `sets/*.yaml` chooses among them and grades them, `tests/data/<rule>/{pass,fail}` proves them.
//!
//! Rules that look at several objects go through an [`index::Index`] that is built once per set of manifests.

mod amount;
pub mod corpus;
mod credentials;
pub mod custom;
mod demand;
mod engine;
mod fix;
mod flows;
mod image;
pub mod index;
pub mod kubernetes;
pub mod mend;
mod parallel;
mod privilege;
pub mod reach;
pub mod registry;
pub mod rule;
mod rules;
mod schema;
pub mod schemas;
mod seccomp;
pub mod selector;
pub mod set;
mod share;
mod waiver;
pub mod workload;

pub use engine::check;
pub use kubernetes::Kubernetes;
pub use set::{PolicySet, PolicySetError};
