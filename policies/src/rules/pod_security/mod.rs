//! What a pod may do on its node.

pub mod automount_sa_token;
pub mod drop_all_capabilities;
pub mod host_namespaces;
pub mod host_path;
pub mod privilege_escalation;
pub mod privileged;
pub mod read_only_root_fs;
pub mod run_as_non_root;
pub mod seccomp_runtime_default;
