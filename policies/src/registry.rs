//! The explicit list of rules. A test fails when a rule's file is not in it.

use crate::rule::Rule;
use crate::rules::{autoscaling, availability, images, network, pod_security, rbac, resources, schema, secrets, storage};

/// Every rule, by id.
pub static RULES: &[&Rule] = &[
    &availability::min_replicas::RULE,
    &availability::missing_pdb::RULE,
    &availability::pdb_blocks_drain::RULE,
    &availability::pdb_vs_hpa_min::RULE,
    &availability::anti_affinity_or_spread::RULE,
    &availability::readiness_probe::RULE,
    &availability::liveness_probe::RULE,
    &availability::probe_port_exists::RULE,
    &autoscaling::hpa_without_requests::RULE,
    &autoscaling::hpa_min_lt_max::RULE,
    &autoscaling::hpa_with_static_replicas::RULE,
    &autoscaling::dangling_hpa::RULE,
    &images::latest_tag::RULE,
    &secrets::env_var_secret::RULE,
    &secrets::placeholder_secret::RULE,
    &secrets::missing_secret_ref::RULE,
    &network::pod_without_networkpolicy::RULE,
    &network::dangling_service::RULE,
    &network::invalid_target_port::RULE,
    &network::ingress_tls::RULE,
    &network::dangling_ingress::RULE,
    &rbac::wildcard_in_rules::RULE,
    &rbac::dangling_role_binding::RULE,
    &resources::cpu_requests::RULE,
    &resources::memory_requests::RULE,
    &resources::memory_limits::RULE,
    &schema::mismatching_selector::RULE,
    &schema::duplicate_object::RULE,
    &pod_security::privileged::RULE,
    &pod_security::privilege_escalation::RULE,
    &pod_security::host_namespaces::RULE,
    &pod_security::host_path::RULE,
    &pod_security::run_as_non_root::RULE,
    &pod_security::drop_all_capabilities::RULE,
    &pod_security::seccomp_runtime_default::RULE,
    &pod_security::read_only_root_fs::RULE,
    &pod_security::automount_sa_token::RULE,
    &pod_security::host_process::RULE,
    &pod_security::proc_mount::RULE,
    &pod_security::apparmor::RULE,
    &pod_security::selinux::RULE,
    &pod_security::unsafe_sysctls::RULE,
    &pod_security::capabilities_baseline::RULE,
    &pod_security::host_port::RULE,
    &pod_security::host_probes_lifecycle::RULE,
    &pod_security::seccomp_unconfined::RULE,
    &pod_security::restricted_volume_types::RULE,
    &pod_security::run_as_user_nonzero::RULE,
    &storage::missing_pvc_ref::RULE,
    &storage::statefulset_headless_service::RULE,
];

/// A rule by its id or its name.
pub fn find(id_or_name: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.id == id_or_name || rule.name == id_or_name)
}
