//! Volumes and the identities of stores.

pub mod backup_coverage;
pub mod emptydir_size_limit;
pub mod missing_pvc_ref;
pub mod pvc_size;
pub mod pvc_storageclass;
pub mod rwo_volume_multi_replica;
pub mod statefulset_headless_service;
