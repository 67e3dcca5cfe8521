//! Watches PodDisruptionBudgets through a voluntary fault: healthy pods must never be fewer than the budget promises.

use crate::cluster_watch::SteadyPace;
use futures::StreamExt;
use gauntlet_reports::event::EventKind;
use gauntlet_reports::recorder::Recorder;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;

/// The worst that was seen of one budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lowest {
    /// `currentHealthy` at the worst moment.
    pub healthy: i32,
    /// `desiredHealthy` at that moment.
    pub desired: i32,
    /// When, on the run's clock, in ms.
    pub at_ms: u64,
}

impl Lowest {
    /// Healthy pods beyond those that are promised; negative: the budget was broken.
    pub fn margin(&self) -> i32 {
        self.healthy - self.desired
    }
}

/// What is known of each budget, by name.
pub type Worst = BTreeMap<String, Lowest>;

/// Takes one state of a budget into account.
pub fn observe(worst: &mut Worst, name: &str, seen: Lowest) {
    match worst.get(name) {
        Some(known) if known.margin() <= seen.margin() => {}
        _ => drop(worst.insert(name.to_owned(), seen)),
    }
}

/// A watch that keeps the worst state of each budget of a namespace.
pub struct BudgetGuard {
    worst: Arc<Mutex<Worst>>,
    task: JoinHandle<()>,
}

impl BudgetGuard {
    /// Starts watching. Each change of `currentHealthy` is also a sample of the run.
    pub fn start(client: &Client, namespace: &str, recorder: &Recorder) -> Self {
        let worst = Arc::new(Mutex::new(Worst::new()));
        let api: Api<PodDisruptionBudget> = Api::namespaced(client.clone(), namespace);
        let (recorder, kept) = (recorder.clone(), worst.clone());
        let task = tokio::spawn(async move {
            let events = watcher(api, watcher::Config::default()).backoff(SteadyPace).applied_objects();
            let mut events = std::pin::pin!(events);
            let mut last: BTreeMap<String, i32> = BTreeMap::new();
            while let Some(event) = events.next().await {
                let Ok(budget) = event else { continue };
                let (name, status) = (budget.metadata.name.unwrap_or_default(), budget.status.unwrap_or_default());
                let (healthy, desired, at_ms) = (status.current_healthy, status.desired_healthy, recorder.clock().now_ms());
                observe(&mut kept.lock().unwrap_or_else(PoisonError::into_inner), &name, Lowest { healthy, desired, at_ms });
                if last.insert(name.clone(), healthy) != Some(healthy) {
                    let labels = [("budget".to_owned(), name)].into();
                    recorder.emit(EventKind::Sample { series: "currently_healthy".into(), labels, value: f64::from(healthy) });
                }
            }
        });
        BudgetGuard { worst, task }
    }

    /// Ends the watch and gives the worst state of each budget.
    pub fn finish(self) -> Worst {
        self.worst.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for BudgetGuard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_moment_is_kept() {
        let mut worst = Worst::new();
        let at = |healthy, at_ms| Lowest { healthy, desired: 2, at_ms };
        for seen in [at(3, 1), at(1, 2), at(2, 3), at(1, 4)] {
            observe(&mut worst, "order", seen);
        }
        assert_eq!(worst["order"], at(1, 2));
        assert_eq!(worst["order"].margin(), -1);
    }
}
