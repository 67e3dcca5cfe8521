//! Every pod ready, no container restarted.

use crate::deploy::diagnose;
use crate::deploy::snapshot::{Snapshot, is_ready, name};
use crate::deploy::workload::Workload;
use gauntlet_reports::run::Assertion;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

fn of_workloads<'a>(snapshot: &'a Snapshot, workloads: &[Workload]) -> Vec<&'a Pod> {
    workloads.iter().flat_map(|w| diagnose::pods(snapshot, w)).collect()
}

/// `deploy.pods_ready`: every pod of every workload is Ready.
pub fn ready(snapshot: &Snapshot, workloads: &[Workload]) -> Assertion {
    let pods = of_workloads(snapshot, workloads);
    let behind: Vec<_> = pods.iter().filter(|p| !is_ready(p)).map(|p| name(*p)).collect();
    let expected = format!("every pod of {} workloads is Ready", workloads.len());
    let measured = format!("{} of {} pods are Ready", pods.len() - behind.len(), pods.len());
    let reason = if pods.is_empty() { "there is no pod".to_owned() } else { format!("not Ready: {}", behind.join(", ")) };
    Assertion::check("deploy.pods_ready", behind.is_empty() && !pods.is_empty(), expected, measured, reason)
}

/// `deploy.restarts_zero`: no container of a workload has restarted.
pub fn restarts(snapshot: &Snapshot, workloads: &[Workload]) -> Assertion {
    let pods = of_workloads(snapshot, workloads);
    let statuses = |p: &Pod| -> Vec<ContainerStatus> {
        let status = p.status.clone().unwrap_or_default();
        status.init_container_statuses.into_iter().flatten().chain(status.container_statuses.into_iter().flatten()).collect()
    };
    let mut restarted = Vec::new();
    let mut total = 0;
    for pod in &pods {
        for container in statuses(pod).into_iter().filter(|c| c.restart_count > 0) {
            total += container.restart_count;
            let end = container.last_state.as_ref().and_then(|s| s.terminated.as_ref());
            let why = end.map(|t| format!(", last exit code {} {}", t.exit_code, t.reason.as_deref().unwrap_or(""))).unwrap_or_default();
            restarted.push(format!("pod {} container {}: {} restarts{}", name(*pod), container.name, container.restart_count, why.trim_end()));
        }
    }
    Assertion::check("deploy.restarts_zero", restarted.is_empty(), "0 restarts", format!("{total} restarts in {} pods", pods.len()), restarted.join("; "))
}

#[cfg(test)]
mod tests {
    use super::super::objects::{pod, replica_set, typed};
    use super::*;
    use crate::deploy::workload::WorkloadKind;
    use gauntlet_reports::verdict::Verdict;
    use serde_json::{Value, json};

    fn order() -> [Workload; 1] {
        [Workload { kind: WorkloadKind::Deployment, namespace: "globeco".into(), name: "order".into() }]
    }

    fn snapshot(pods: Vec<Value>) -> Snapshot {
        Snapshot { pods: pods.into_iter().map(typed).collect(), replica_sets: vec![typed(replica_set())], ..Snapshot::default() }
    }

    #[test]
    fn all_ready() {
        let seen = ready(&snapshot(vec![pod("a", "n1", true), pod("b", "n2", true)]), &order());
        assert_eq!((seen.verdict, seen.measured.as_str()), (Verdict::Pass, "2 of 2 pods are Ready"));
    }

    #[test]
    fn the_pod_that_is_not_ready_is_named_and_no_pod_is_no_pass() {
        let seen = ready(&snapshot(vec![pod("a", "n1", true), pod("b", "n2", false)]), &order());
        assert_eq!((seen.verdict, seen.reason.as_str()), (Verdict::Fail, "not Ready: b"));
        assert_eq!(ready(&snapshot(vec![]), &order()).verdict, Verdict::Fail);
    }

    #[test]
    fn restarts_are_counted_with_their_cause() {
        let quiet = restarts(&snapshot(vec![pod("a", "n1", true)]), &order());
        assert_eq!(quiet.verdict, Verdict::Pass);
        let mut restless = pod("a", "n1", true);
        restless["status"]["containerStatuses"][0]["restartCount"] = json!(2);
        restless["status"]["containerStatuses"][0]["lastState"] = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
        let seen = restarts(&snapshot(vec![restless]), &order());
        assert_eq!((seen.verdict, seen.reason.as_str()), (Verdict::Fail, "pod a container order: 2 restarts, last exit code 137 OOMKilled"));
    }
}
