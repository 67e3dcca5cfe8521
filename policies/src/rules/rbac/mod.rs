//! Who may do what through the API server.

pub mod dangling_role_binding;
pub mod wildcard_in_rules;
