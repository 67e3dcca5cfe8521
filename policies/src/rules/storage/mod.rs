//! Volumes and the identities of stores.

pub mod missing_pvc_ref;
pub mod statefulset_headless_service;
