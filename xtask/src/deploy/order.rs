//! In which order objects are applied: what others need comes first.

use super::object::ObjectRef;

/// The kinds in the order of their dependencies. A kind that is not here comes between the workloads and the HPAs:
/// it is a custom resource, and what it needs is above.
const ORDER: &[&str] = &[
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "StorageClass",
    "ResourceQuota",
    "LimitRange",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Secret",
    "ConfigMap",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Service",
    "NetworkPolicy",
    "StatefulSet",
    "Deployment",
    "DaemonSet",
    "Job",
    "CronJob",
];

/// Kinds that come after everything else, in this order. An aggregated API or a webhook must not stand before its server.
const LAST: &[&str] = &[
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "Ingress",
    "HTTPProxy",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// The place of a kind in the order; smaller comes first.
pub fn rank(kind: &str) -> usize {
    let place = |list: &[&str]| list.iter().position(|k| *k == kind);
    match (place(ORDER), place(LAST)) {
        (Some(at), _) => at,
        (None, Some(at)) => ORDER.len() + 1 + at,
        (None, None) => ORDER.len(),
    }
}

/// Sorts by kind; objects of one kind keep the order of the manifests.
pub fn sort<T>(objects: &mut [(ObjectRef, T)]) {
    objects.sort_by_key(|(object, _)| rank(&object.kind));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_need_comes_first() {
        let kinds = ["Namespace", "CustomResourceDefinition", "ServiceAccount", "Secret", "Service", "StatefulSet", "Deployment", "Kafka", "HorizontalPodAutoscaler", "Ingress", "APIService"];
        let ranks: Vec<_> = kinds.iter().map(|k| rank(k)).collect();
        assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:?}");
    }

    #[test]
    fn policies_stand_before_the_pods_they_guard() {
        assert!(rank("NetworkPolicy") < rank("StatefulSet"));
        assert!(rank("ResourceQuota") < rank("Deployment"));
    }

    #[test]
    fn one_kind_keeps_the_order_of_the_manifests() {
        let object = |kind: &str, name: &str| ObjectRef { api_version: "v1".into(), kind: kind.into(), namespace: None, name: name.into() };
        let mut objects = vec![(object("Service", "z"), ()), (object("Secret", "b"), ()), (object("Service", "a"), ())];
        sort(&mut objects);
        let names: Vec<_> = objects.iter().map(|(o, ())| o.name.as_str()).collect();
        assert_eq!(names, ["b", "z", "a"]);
    }
}
