//! Where containers come from.

pub mod deprecated_registry;
pub mod image_digest;
pub mod image_pull_policy;
pub mod image_signature;
pub mod invalid_image_name;
pub mod latest_tag;
pub mod trusted_registry;
