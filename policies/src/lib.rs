//! Manifests in, findings out. Pure: no cluster, no network, no clock, no async.
//!
//! One rule is one file below `rules/<family>/`; its doc comment is its manual page. [`registry::RULES`] is the explicit
//! list of them, `sets/*.yaml` chooses among them and grades them, `tests/data/<rule>/{pass,fail}` proves them.
//!
//! Rules that look at several objects go through an [`index::Index`] that is built once per set of manifests.

mod engine;
mod flows;
pub mod index;
mod quantity;
pub mod reach;
pub mod registry;
pub mod rule;
mod rules;
pub mod selector;
pub mod set;
mod waiver;
pub mod workload;

pub use engine::check;
pub use set::{PolicySet, PolicySetError};
