//! Objects that fit together and that the API server takes.

pub mod api_versions;
pub mod cron;
pub mod cron_schedule;
pub mod deprecated_api;
pub mod duplicate_env_var;
pub mod duplicate_key;
pub mod duplicate_object;
pub mod label_values;
pub mod mismatching_selector;
pub mod removed_api;
pub mod restart_policy;
mod same_fields;
pub mod use_namespace;
