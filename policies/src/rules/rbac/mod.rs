//! Who may do what through the API server.

pub mod access_to_create_pods;
pub mod access_to_secrets;
pub mod anonymous_binding;
pub mod bind_escalate_impersonate;
pub mod cluster_admin_binding;
pub mod dangling_role_binding;
pub mod nodes_proxy;
pub mod non_existent_service_account;
pub mod pod_exec_attach;
pub mod token_create;
pub mod webhook_config_write;
pub mod wildcard_in_rules;
