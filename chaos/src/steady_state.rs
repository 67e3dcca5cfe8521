//! Conditions over the view of a cluster. They compose, and a condition that does not hold says why.

use crate::cluster_view::ClusterView;
use std::collections::BTreeSet;

/// Something that can be true of a cluster. The error is the reason why it is not.
pub trait Condition: Send + Sync {
    /// Ok when it holds.
    ///
    /// # Errors
    /// The reason, as a fragment for a person, such as `Deployment/order has 2 of 3 pods ready`.
    fn check(&self, view: &ClusterView) -> Result<(), String>;
}

impl<F: Fn(&ClusterView) -> Result<(), String> + Send + Sync> Condition for F {
    fn check(&self, view: &ClusterView) -> Result<(), String> {
        self(view)
    }
}

/// Holds when every one holds; says every reason.
pub struct All(pub Vec<Box<dyn Condition>>);

impl Condition for All {
    fn check(&self, view: &ClusterView) -> Result<(), String> {
        let reasons: Vec<_> = self.0.iter().filter_map(|c| c.check(view).err()).collect();
        if reasons.is_empty() { Ok(()) } else { Err(reasons.join("; ")) }
    }
}

/// Holds when one holds.
pub struct Any(pub Vec<Box<dyn Condition>>);

impl Condition for Any {
    fn check(&self, view: &ClusterView) -> Result<(), String> {
        let mut reasons = Vec::new();
        for condition in &self.0 {
            match condition.check(view) {
                Ok(()) => return Ok(()),
                Err(reason) => reasons.push(reason),
            }
        }
        Err(reasons.join(", and "))
    }
}

/// Holds when the other does not; the text is the reason why not.
pub struct Not<C>(pub C, pub String);

impl<C: Condition> Condition for Not<C> {
    fn check(&self, view: &ClusterView) -> Result<(), String> {
        if self.0.check(view).is_ok() { Err(self.1.clone()) } else { Ok(()) }
    }
}

/// Every workload (or the named one) has as many ready pods as its spec asks for, on nodes that are Ready.
///
/// Counted over pods, not only read from `readyReplicas`: right after a node died its pods still count there. Pods whose
/// UID was hit by the fault never count.
#[derive(Debug, Clone, Default)]
pub struct WorkloadsFull {
    /// Only this workload; all of the namespace when absent.
    pub only: Option<String>,
    /// UIDs of the pods that the fault took.
    pub lost: BTreeSet<String>,
}

impl Condition for WorkloadsFull {
    fn check(&self, view: &ClusterView) -> Result<(), String> {
        let wanted = |id: &str| self.only.as_deref().is_none_or(|only| only == id);
        let mut reasons = Vec::new();
        if let Some(only) = self.only.as_deref().filter(|o| !view.workloads.iter().any(|w| w.id == **o)) {
            reasons.push(format!("{only} does not exist"));
        }
        for workload in view.workloads.iter().filter(|w| wanted(&w.id)) {
            let serving = view.pods_of(&workload.id).filter(|p| {
                p.ready && !p.terminating && !self.lost.contains(&p.uid) && view.node(&p.node).is_some_and(|n| n.ready)
            });
            let ready = serving.count() as i32;
            if ready < workload.desired {
                reasons.push(format!("{} has {ready} of {} pods ready on ready nodes", workload.id, workload.desired));
            } else if workload.ready != workload.desired {
                reasons.push(format!("{} reports {} of {} pods ready", workload.id, workload.ready, workload.desired));
            } else if !workload.observed {
                reasons.push(format!("{}'s latest generation is not observed yet", workload.id));
            }
        }
        if reasons.is_empty() { Ok(()) } else { Err(reasons.join("; ")) }
    }
}

/// The workload, when there is one, asks for at least so many pods: one that was scaled to nothing is full too.
pub struct AtLeast(pub Option<(String, i32)>);

impl Condition for AtLeast {
    fn check(&self, view: &ClusterView) -> Result<(), String> {
        let Some((id, least)) = &self.0 else { return Ok(()) };
        match view.workloads.iter().find(|w| w.id == *id) {
            Some(w) if w.desired >= *least => Ok(()),
            Some(w) => Err(format!("{id} asks for {} of {least} pods", w.desired)),
            None => Err(format!("{id} does not exist")),
        }
    }
}

/// Every node is Ready and takes pods.
pub fn nodes_in_service(view: &ClusterView) -> Result<(), String> {
    let out: Vec<_> = view
        .nodes
        .iter()
        .filter(|n| !n.ready || n.unschedulable)
        .map(|n| if n.ready { format!("node {} is cordoned", n.name) } else { format!("node {} is Ready={}", n.name, n.ready_status) })
        .collect();
    if out.is_empty() { Ok(()) } else { Err(out.join("; ")) }
}

/// No pod of the namespace is on its way out.
pub fn no_terminating_pods(view: &ClusterView) -> Result<(), String> {
    let leaving: Vec<_> = view.pods.iter().filter(|p| p.terminating).map(|p| p.name.as_str()).collect();
    if leaving.is_empty() { Ok(()) } else { Err(format!("still terminating: {}", leaving.join(", "))) }
}

/// The pods with these UIDs are gone from the API.
pub struct PodsGone(pub BTreeSet<String>);

impl Condition for PodsGone {
    fn check(&self, view: &ClusterView) -> Result<(), String> {
        let there: Vec<_> = view.pods.iter().filter(|p| self.0.contains(&p.uid)).map(|p| p.name.as_str()).collect();
        if there.is_empty() { Ok(()) } else { Err(format!("still there: {}", there.join(", "))) }
    }
}

/// The node is not Ready.
pub struct NodeDown(pub String);

impl Condition for NodeDown {
    fn check(&self, view: &ClusterView) -> Result<(), String> {
        match view.node(&self.0) {
            Some(node) if node.ready => Err(format!("node {} is still Ready=True", self.0)),
            Some(_) => Ok(()),
            None => Err(format!("node {} is not listed", self.0)),
        }
    }
}

/// The platform at rest: workloads full, nodes in service, nothing terminating.
pub fn at_rest() -> All {
    All(vec![Box::new(WorkloadsFull::default()), Box::new(nodes_in_service), Box::new(no_terminating_pods)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_view::sample::{SERVICE, STORE, cluster};

    #[test]
    fn a_whole_cluster_is_at_rest() {
        assert_eq!(at_rest().check(&cluster()), Ok(()));
    }

    #[test]
    fn pods_on_a_dead_node_do_not_count_though_the_status_still_counts_them() {
        let mut view = cluster();
        view.nodes[2].ready = false;
        view.nodes[2].ready_status = "Unknown".into();
        let reason = WorkloadsFull::default().check(&view).expect_err("two pods are on it");
        assert_eq!(reason, format!("{SERVICE} has 1 of 3 pods ready on ready nodes"));
        let store = WorkloadsFull { only: Some(STORE.into()), ..Default::default() };
        assert_eq!(store.check(&view), Ok(()));
        assert_eq!(NodeDown("worker-2".into()).check(&view), Ok(()));
        assert!(NodeDown("worker-1".into()).check(&view).is_err());
        assert!(at_rest().check(&view).expect_err("node").contains("worker-2 is Ready=Unknown"));
    }

    #[test]
    fn a_lost_pod_never_counts() {
        let lost = WorkloadsFull { only: Some(SERVICE.into()), lost: ["uid-order-a".to_owned()].into() };
        assert!(lost.check(&cluster()).is_err());
        assert!(PodsGone(["uid-order-a".to_owned()].into()).check(&cluster()).is_err());
        assert_eq!(PodsGone(["uid-other".to_owned()].into()).check(&cluster()), Ok(()));
    }

    #[test]
    fn a_stale_status_and_a_missing_workload_are_not_full() {
        let mut view = cluster();
        view.workloads[0].observed = false;
        assert!(WorkloadsFull::default().check(&view).is_err());
        let missing = WorkloadsFull { only: Some("Deployment/none".into()), ..Default::default() };
        assert_eq!(missing.check(&view), Err("Deployment/none does not exist".to_owned()));
    }

    #[test]
    fn conditions_compose() {
        let (yes, no) = (|_: &ClusterView| Ok(()), |_: &ClusterView| Err("no".to_owned()));
        let view = cluster();
        assert_eq!(Any(vec![Box::new(no), Box::new(yes)]).check(&view), Ok(()));
        assert_eq!(Any(vec![Box::new(no), Box::new(no)]).check(&view), Err("no, and no".to_owned()));
        assert_eq!(All(vec![Box::new(no), Box::new(yes)]).check(&view), Err("no".to_owned()));
        assert_eq!(Not(yes, "it holds".into()).check(&view), Err("it holds".to_owned()));
    }

    #[test]
    fn cordoned_and_terminating_are_not_rest() {
        let mut view = cluster();
        view.nodes[1].unschedulable = true;
        view.pods[0].terminating = true;
        let reason = at_rest().check(&view).expect_err("not at rest");
        assert!(reason.contains("worker-1 is cordoned") && reason.contains("still terminating: order-a"), "{reason}");
    }
}
