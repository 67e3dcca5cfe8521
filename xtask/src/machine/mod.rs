//! What the machine has: the facts that `doctor` shows and provisioning decides by.

mod facts;
mod host;
mod own;

#[cfg(test)]
pub use facts::Privilege;
pub use facts::{Engine, Facts, engine_version};
pub use host::host;
pub use own::own_program;
