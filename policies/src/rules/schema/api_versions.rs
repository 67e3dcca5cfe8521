//! API versions that Kubernetes deprecated and removed.

/// One version of some kinds of a group.
#[derive(Debug)]
pub struct Retired {
    /// `apiVersion`.
    pub version: &'static str,
    /// Kinds; all of the version when empty.
    pub kinds: &'static [&'static str],
    /// The minor release of Kubernetes 1 that deprecated it.
    pub deprecated: u32,
    /// The minor release that removed it; none: it is still served.
    pub removed: Option<u32>,
    /// What to use.
    pub instead: &'static str,
}

const fn gone(version: &'static str, kinds: &'static [&'static str], deprecated: u32, removed: u32, instead: &'static str) -> Retired {
    Retired { version, kinds, deprecated, removed: Some(removed), instead }
}

/// Every API version that a release of Kubernetes removed or deprecated for good. Alpha versions are left out: they
/// come and go, and no cluster serves them by default.
pub static RETIRED: &[Retired] = &[
    gone("extensions/v1beta1", &["Deployment", "DaemonSet", "ReplicaSet"], 8, 16, "apps/v1"),
    gone("extensions/v1beta1", &["NetworkPolicy"], 9, 16, "networking.k8s.io/v1"),
    gone("extensions/v1beta1", &["PodSecurityPolicy"], 11, 16, "Pod Security Admission"),
    gone("extensions/v1beta1", &["Ingress"], 14, 22, "networking.k8s.io/v1"),
    gone("apps/v1beta1", &[], 8, 16, "apps/v1"),
    gone("apps/v1beta2", &[], 9, 16, "apps/v1"),
    gone("admissionregistration.k8s.io/v1beta1", &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"], 16, 22, "admissionregistration.k8s.io/v1"),
    gone("apiextensions.k8s.io/v1beta1", &[], 16, 22, "apiextensions.k8s.io/v1"),
    gone("apiregistration.k8s.io/v1beta1", &[], 19, 22, "apiregistration.k8s.io/v1"),
    gone("authentication.k8s.io/v1beta1", &["TokenReview"], 19, 22, "authentication.k8s.io/v1"),
    gone("authorization.k8s.io/v1beta1", &[], 19, 22, "authorization.k8s.io/v1"),
    gone("certificates.k8s.io/v1beta1", &["CertificateSigningRequest"], 19, 22, "certificates.k8s.io/v1"),
    gone("coordination.k8s.io/v1beta1", &["Lease"], 19, 22, "coordination.k8s.io/v1"),
    gone("networking.k8s.io/v1beta1", &["Ingress", "IngressClass"], 19, 22, "networking.k8s.io/v1"),
    gone("rbac.authorization.k8s.io/v1beta1", &[], 17, 22, "rbac.authorization.k8s.io/v1"),
    gone("rbac.authorization.k8s.io/v1alpha1", &[], 17, 23, "rbac.authorization.k8s.io/v1"),
    gone("scheduling.k8s.io/v1beta1", &[], 14, 22, "scheduling.k8s.io/v1"),
    gone("storage.k8s.io/v1beta1", &["CSINode"], 17, 22, "storage.k8s.io/v1"),
    gone("storage.k8s.io/v1beta1", &["CSIDriver", "StorageClass", "VolumeAttachment"], 19, 22, "storage.k8s.io/v1"),
    gone("autoscaling/v2beta1", &[], 22, 25, "autoscaling/v2"),
    gone("batch/v1beta1", &["CronJob"], 21, 25, "batch/v1"),
    gone("discovery.k8s.io/v1beta1", &["EndpointSlice"], 21, 25, "discovery.k8s.io/v1"),
    gone("events.k8s.io/v1beta1", &["Event"], 22, 25, "events.k8s.io/v1"),
    gone("node.k8s.io/v1beta1", &["RuntimeClass"], 22, 25, "node.k8s.io/v1"),
    gone("policy/v1beta1", &["PodDisruptionBudget"], 21, 25, "policy/v1"),
    gone("policy/v1beta1", &["PodSecurityPolicy"], 21, 25, "Pod Security Admission"),
    gone("autoscaling/v2beta2", &[], 23, 26, "autoscaling/v2"),
    gone("flowcontrol.apiserver.k8s.io/v1beta1", &[], 23, 26, "flowcontrol.apiserver.k8s.io/v1"),
    gone("storage.k8s.io/v1beta1", &["CSIStorageCapacity"], 24, 27, "storage.k8s.io/v1"),
    gone("flowcontrol.apiserver.k8s.io/v1beta2", &[], 26, 29, "flowcontrol.apiserver.k8s.io/v1"),
    gone("flowcontrol.apiserver.k8s.io/v1beta3", &[], 29, 32, "flowcontrol.apiserver.k8s.io/v1"),
    gone("admissionregistration.k8s.io/v1beta1", &["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"], 31, 34, "admissionregistration.k8s.io/v1"),
    Retired { version: "v1", kinds: &["ComponentStatus"], deprecated: 19, removed: None, instead: "the components' own health endpoints" },
    Retired { version: "v1", kinds: &["Endpoints"], deprecated: 33, removed: None, instead: "EndpointSlice of discovery.k8s.io/v1" },
];

/// What is known of an object's version.
pub fn retired(version: &str, kind: &str) -> Option<&'static Retired> {
    RETIRED.iter().find(|entry| entry.version == version && (entry.kinds.is_empty() || entry.kinds.contains(&kind)))
}
