//! What the machine has: the facts that `doctor` shows and provisioning decides by.

mod facts;
mod host;

pub use facts::{Engine, Facts, Privilege, engine_version};
pub use host::host;
