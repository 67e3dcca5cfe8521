//! Credentials and where they stand.

pub mod env_var_secret;
pub mod missing_secret_ref;
pub mod placeholder_secret;
pub mod plaintext_secret_committed;
pub mod read_secret_from_env_var;
pub mod secret_encoding;
pub mod sensitive_configmap;
