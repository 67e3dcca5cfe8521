//! Credentials and where they stand.

pub mod env_var_secret;
pub mod missing_secret_ref;
pub mod placeholder_secret;
