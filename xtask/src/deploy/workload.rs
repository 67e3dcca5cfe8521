//! The workloads of a platform, and how far their rollout is.

use super::object::ObjectRef;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Kinds that roll out pods and report on it. Ordered: stores first, for what waits for a store only shows its absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkloadKind {
    /// apps/v1 StatefulSet.
    StatefulSet,
    /// apps/v1 DaemonSet.
    DaemonSet,
    /// apps/v1 Deployment.
    Deployment,
}

impl WorkloadKind {
    /// All of them.
    pub const ALL: [WorkloadKind; 3] = [WorkloadKind::StatefulSet, WorkloadKind::DaemonSet, WorkloadKind::Deployment];

    /// Kubernetes' name of the kind.
    pub fn as_str(self) -> &'static str {
        match self {
            WorkloadKind::Deployment => "Deployment",
            WorkloadKind::StatefulSet => "StatefulSet",
            WorkloadKind::DaemonSet => "DaemonSet",
        }
    }

    /// Kubernetes' plural.
    pub fn plural(self) -> &'static str {
        match self {
            WorkloadKind::Deployment => "deployments",
            WorkloadKind::StatefulSet => "statefulsets",
            WorkloadKind::DaemonSet => "daemonsets",
        }
    }
}

/// A workload by kind and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Workload {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for Workload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind.as_str(), self.namespace, self.name)
    }
}

/// The workloads among `objects`; those without a namespace are in `namespace`.
pub fn workloads(objects: &[Value], namespace: &str) -> Vec<Workload> {
    let refs = objects.iter().filter_map(|o| ObjectRef::of(o).ok()).filter(|o| o.group() == "apps");
    refs.filter_map(|o| {
        let kind = WorkloadKind::ALL.into_iter().find(|k| k.as_str() == o.kind)?;
        Some(Workload { kind, namespace: o.namespace.unwrap_or_else(|| namespace.to_owned()), name: o.name })
    })
    .collect()
}

/// What a rollout must reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Goal {
    /// The workloads that must be rolled out.
    pub workloads: BTreeSet<Workload>,
    /// The `minReplicas` of the workloads that an HPA scales. Their manifests state no replicas, so a new Deployment
    /// starts with one pod, and is rolled out only when its HPA has brought it to its minimum.
    pub at_least: BTreeMap<Workload, i64>,
}

impl Goal {
    /// The goal of `objects`; those without a namespace are in `namespace`.
    pub fn of(objects: &[Value], namespace: &str) -> Self {
        let autoscalers = objects.iter().filter(|o| o["kind"] == "HorizontalPodAutoscaler");
        let at_least = autoscalers.filter_map(|hpa| {
            let target = &hpa["spec"]["scaleTargetRef"];
            let kind = WorkloadKind::ALL.into_iter().find(|k| target["kind"] == k.as_str())?;
            let namespace = hpa["metadata"]["namespace"].as_str().unwrap_or(namespace).to_owned();
            let workload = Workload { kind, namespace, name: target["name"].as_str()?.to_owned() };
            Some((workload, hpa["spec"]["minReplicas"].as_i64().unwrap_or(1)))
        });
        Goal { at_least: at_least.collect(), workloads: workloads(objects, namespace).into_iter().collect() }
    }

    /// `progress` of `workload` towards this goal.
    pub fn measure(&self, workload: &Workload, progress: Progress) -> Progress {
        match self.at_least.get(workload) {
            Some(least) if progress.finished && progress.wanted < *least => {
                let missing = format!("{} pods are wanted now, its HPA's minReplicas is {least}", progress.wanted);
                Progress { finished: false, missing, ..progress }
            }
            _ => progress,
        }
    }
}

/// How far a rollout is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Pods that serve.
    pub ready: i64,
    /// Pods that are wanted.
    pub wanted: i64,
    /// True when the controller has seen the newest spec and every pod is updated, ready and available.
    pub finished: bool,
    /// What is still missing; the controller's own words when it gave up.
    pub missing: String,
    /// True when the controller itself says that it does not progress (`ProgressDeadlineExceeded`).
    pub gave_up: bool,
}

/// Reads the progress from a Deployment, StatefulSet or DaemonSet as the API server gives it.
pub fn progress(kind: WorkloadKind, object: &Value) -> Progress {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
    let status = |field: &str| number(&format!("/status/{field}")).unwrap_or(0);
    let (wanted, total, updated, ready, available) = match kind {
        WorkloadKind::Deployment | WorkloadKind::StatefulSet => {
            let wanted = number("/spec/replicas").unwrap_or(1);
            (wanted, status("replicas"), status("updatedReplicas"), status("readyReplicas"), status("availableReplicas"))
        }
        WorkloadKind::DaemonSet => {
            let wanted = status("desiredNumberScheduled");
            (wanted, wanted, status("updatedNumberScheduled"), status("numberReady"), status("numberAvailable"))
        }
    };
    let observed = status("observedGeneration") >= number("/metadata/generation").unwrap_or(0) && number("/status/observedGeneration").is_some();
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let gave_up = conditions.into_iter().find(|c| c["type"] == "Progressing" && c["reason"] == "ProgressDeadlineExceeded");
    let missing = if !observed {
        "the controller has not seen the newest spec".to_owned()
    } else if updated < wanted {
        format!("{updated} of {wanted} pods are of the newest template")
    } else if total > wanted {
        format!("{} old pods are still there", total - wanted)
    } else if ready < wanted {
        format!("{ready} of {wanted} pods are ready")
    } else if available < wanted {
        format!("{available} of {wanted} pods are available")
    } else {
        String::new()
    };
    Progress { ready, wanted, finished: missing.is_empty(), gave_up: gave_up.is_some() && observed && !missing.is_empty(), missing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn deployment(status: Value) -> Value {
        json!({"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status})
    }

    #[rstest]
    #[case::done(json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}), "")]
    #[case::unseen(json!({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}), "the controller has not seen the newest spec")]
    #[case::no_status(json!({}), "the controller has not seen the newest spec")]
    #[case::old_template(json!({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 1, "readyReplicas": 3}), "1 of 3 pods are of the newest template")]
    #[case::old_pods(json!({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 3, "readyReplicas": 4, "availableReplicas": 4}), "1 old pods are still there")]
    #[case::not_ready(json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 2}), "2 of 3 pods are ready")]
    #[case::not_available(json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 1}), "1 of 3 pods are available")]
    fn deployment_progress(#[case] status: Value, #[case] missing: &str) {
        let progress = progress(WorkloadKind::Deployment, &deployment(status));
        assert_eq!((progress.missing.as_str(), progress.finished), (missing, missing.is_empty()));
    }

    #[test]
    fn the_controller_may_give_up() {
        let conditions = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
        let stuck = deployment(json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "conditions": conditions}));
        assert!(progress(WorkloadKind::Deployment, &stuck).gave_up);
    }

    #[test]
    fn daemon_sets_count_nodes() {
        let object = json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberReady": 1, "numberAvailable": 1}});
        assert_eq!(progress(WorkloadKind::DaemonSet, &object).missing, "1 of 2 pods are ready");
    }

    #[test]
    fn a_workload_that_an_hpa_scales_is_finished_at_the_hpas_minimum() {
        let hpa = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}, "spec": {"minReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "a"}}});
        let goal = Goal::of(&[json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}), hpa], "globeco");
        let workload = goal.workloads.first().expect("one").clone();
        let at = |wanted: i64| goal.measure(&workload, Progress { ready: wanted, wanted, finished: true, missing: String::new(), gave_up: false });
        assert!(at(3).finished);
        assert_eq!((at(1).finished, at(1).missing.as_str()), (false, "1 pods are wanted now, its HPA's minReplicas is 3"));
    }

    #[test]
    fn workloads_are_found_among_the_objects() {
        let objects = [
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}),
            json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "b", "namespace": "other"}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "c"}}),
        ];
        let found: Vec<_> = workloads(&objects, "globeco").iter().map(ToString::to_string).collect();
        assert_eq!(found, ["Deployment globeco/a", "StatefulSet other/b"]);
    }
}
