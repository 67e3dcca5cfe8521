//! What keeps platforms that share a cluster from judging each other's doings.
//!
//! Platforms are verified side by side: most of a run is waiting. Two things must not overlap. Stages that measure speed
//! (load, soak) have the machine's processors one at a time. A fault that takes a node takes it from every platform, so it is
//! applied only while no other platform is being judged.

use gauntlet_reports::run::StageName;
use std::sync::Arc;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, Semaphore, SemaphorePermit};

/// Platforms that are verified side by side.
pub const LANES: usize = 3;

/// The gates of one run. Waiting is in the order of asking: nobody starves.
#[derive(Debug)]
pub struct Gates {
    lanes: Semaphore,
    speed: Semaphore,
    nodes: Arc<RwLock<()>>,
}

/// Held while a stage runs.
#[derive(Debug)]
pub struct Pass<'a> {
    _speed: Option<SemaphorePermit<'a>>,
    _nodes: OwnedRwLockReadGuard<()>,
}

impl Default for Gates {
    fn default() -> Self {
        Gates { lanes: Semaphore::new(LANES), speed: Semaphore::new(1), nodes: Arc::default() }
    }
}

impl Gates {
    /// A lane for one platform; None only when the run ends.
    pub async fn lane(&self) -> Option<SemaphorePermit<'_>> {
        self.lanes.acquire().await.ok()
    }

    /// The right to run a stage that changes no node.
    pub async fn stage(&self, name: StageName) -> Pass<'_> {
        // In this order everywhere: whoever waits for the processors must not hold up a fault.
        let speed = match name {
            StageName::Load | StageName::Soak => self.speed.acquire().await.ok(),
            _ => None,
        };
        Pass { _speed: speed, _nodes: Arc::clone(&self.nodes).read_owned().await }
    }

    /// The right to take a node: no other platform runs a stage meanwhile.
    pub async fn nodes(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.nodes).write_owned().await
    }
}

/// True: the fault takes a node, and so reaches every platform that has a pod there.
pub fn takes_a_node(fault: &str) -> bool {
    matches!(fault, "drain-node" | "stop-node" | "zone-outage")
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn a_node_is_taken_only_while_no_other_stage_runs() {
        let gates = Gates::default();
        let drill = gates.stage(StageName::Drill).await;
        let mut waiting = Box::pin(gates.nodes());
        assert!(waiting.as_mut().now_or_never().is_none());
        // Who comes later waits behind the fault.
        assert!(gates.stage(StageName::Deploy).now_or_never().is_none());
        drop(drill);
        let taken = waiting.await;
        assert!(gates.stage(StageName::Deploy).now_or_never().is_none());
        drop(taken);
        assert!(gates.stage(StageName::Deploy).now_or_never().is_some());
    }

    #[tokio::test]
    async fn only_one_stage_at_a_time_measures_speed() {
        let gates = Gates::default();
        let load = gates.stage(StageName::Load).await;
        assert!(gates.stage(StageName::Soak).now_or_never().is_none());
        assert!(gates.stage(StageName::Chaos).now_or_never().is_some());
        drop(load);
        assert!(gates.stage(StageName::Soak).now_or_never().is_some());
    }

    #[test]
    fn every_fault_of_a_node_is_known() {
        for fault in gauntlet_chaos::registry::faults() {
            assert_eq!(takes_a_node(fault), fault.ends_with("-node") || fault == "zone-outage", "{fault}");
        }
    }
}
