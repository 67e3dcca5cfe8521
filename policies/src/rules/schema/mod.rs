//! Objects that fit together and that the API server takes.

pub mod api_versions;
pub mod cron;
pub mod cron_schedule;
pub mod deprecated_api;
pub mod duplicate_env_var;
pub mod duplicate_key;
pub mod duplicate_object;
pub mod invalid_value;
pub mod label_values;
pub mod mismatching_selector;
pub mod missing_field;
pub mod removed_api;
pub mod restart_policy;
mod same_fields;
pub mod undescribed_kind;
pub mod unknown_field;
pub mod unknown_kind;
pub mod use_namespace;
pub mod wrong_type;
