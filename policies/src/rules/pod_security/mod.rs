//! What a pod may do on its node.

pub mod apparmor;
pub mod automount_sa_token;
pub mod capabilities_baseline;
pub mod cri_socket_mount;
pub mod default_service_account;
pub mod drop_all_capabilities;
pub mod high_uid_gid;
pub mod host_namespaces;
pub mod host_path;
pub mod host_port;
pub mod host_probes_lifecycle;
pub mod host_process;
pub mod privilege_escalation;
pub mod privileged;
pub mod proc_mount;
pub mod psa_admission;
pub mod psa_namespace_labels;
pub mod read_only_root_fs;
pub mod restricted_volume_types;
pub mod run_as_non_root;
pub mod run_as_user_nonzero;
pub mod seccomp_runtime_default;
pub mod seccomp_unconfined;
pub mod selinux;
pub mod unsafe_sysctls;
pub mod writable_host_mount;
