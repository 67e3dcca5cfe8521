//! What must hold on the real cluster. `cargo xtask test` brings it up and runs these; without it they are ignored.
//!
//! They share one cluster, so each holds [`suite::turn`] while it runs.

mod defects;
mod killed;
mod network_policy;
mod nightly;
mod sixth;
mod suite;
