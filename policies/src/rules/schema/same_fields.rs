//! API versions whose kinds read the same under another version: only the name changes.
//!
//! Source: the deprecation guide of Kubernetes, where it notes no change of the fields.

use gauntlet_fixtures::manifest::Object;

/// Old version, its kinds, and the version with the same fields and defaults.
const SAME: [(&str, &[&str], &str); 12] = [
    ("apps/v1beta2", &["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"], "apps/v1"),
    ("extensions/v1beta1", &["NetworkPolicy"], "networking.k8s.io/v1"),
    ("apiregistration.k8s.io/v1beta1", &["APIService"], "apiregistration.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", &["Lease"], "coordination.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", &["IngressClass"], "networking.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", &["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"], "rbac.authorization.k8s.io/v1"),
    ("scheduling.k8s.io/v1beta1", &["PriorityClass"], "scheduling.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", &["CSIDriver", "CSINode", "CSIStorageCapacity", "StorageClass", "VolumeAttachment"], "storage.k8s.io/v1"),
    ("autoscaling/v2beta2", &["HorizontalPodAutoscaler"], "autoscaling/v2"),
    ("batch/v1beta1", &["CronJob"], "batch/v1"),
    ("node.k8s.io/v1beta1", &["RuntimeClass"], "node.k8s.io/v1"),
    ("policy/v1beta1", &["PodDisruptionBudget"], "policy/v1"),
];

/// Why the version may be changed without a look at the fields.
pub(super) const WHY_SAFE: &str = "The new version has the same fields and the same defaults, and the cluster stores the same object.";

/// The version under which the object means the same.
pub(super) fn successor(object: &Object) -> Option<&'static str> {
    let (old, _, new) = SAME.iter().find(|(old, kinds, _)| *old == object.api_version && kinds.contains(&object.kind.as_str()))?;
    let selector = object.root.at(&["spec", "selector"]);
    let selects = selector.is_some_and(|selector| selector.entries().iter().any(|entry| !entry.value.entries().is_empty() || !entry.value.items().is_empty()));
    match *old {
        // An empty selector selected nothing, and selects everything now.
        "policy/v1beta1" => selects.then_some(*new),
        // Without one, the new version refuses the object.
        "apps/v1beta2" => selects.then_some(*new),
        _ => Some(*new),
    }
}
