//! HTTP load by goose journeys, and the autoscaler under it: an independent calculator judges what the HPA decides.
//! Beside them the WebSocket soak: see [`soak`]; and a generator whose requests leave when they are due: [`open_loop`].
//!
//! The load itself runs in a child process ([`goose_child`]); [`runner`] is its parent side and serves the load stage as
//! well as experiments and drills that need load in the background.

pub mod goose_child;
pub mod open_loop;
pub mod oracle;
pub mod plan;
mod processor_time;
pub mod profile;
pub mod protocol;
pub mod runner;
pub mod series;
pub mod soak;
pub mod stage;
pub mod template;
pub mod timing;
mod tls;
