//! What keeps platforms that share a cluster from judging each other's doings.
//!
//! Platforms are verified side by side: most of a run is waiting. Two things must not overlap. Stages that measure speed
//! (load, soak) have the machine's processors one at a time, and so has a platform that comes up: its pods take all of them
//! for a while. Who finds them taken does another of its stages first. A fault
//! that takes a node takes it from every platform: such faults come last, one after the other, when no platform has another
//! stage left.

use gauntlet_reports::run::StageName;
use std::sync::Arc;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, Semaphore, SemaphorePermit};

/// Platforms that are verified side by side: with five at once two cores did nothing else than start pods, and nobody got
/// ready in time.
pub const LANES: usize = 3;

/// The gates of one run. Waiting is in the order of asking: nobody starves.
#[derive(Debug)]
pub struct Gates {
    lanes: Semaphore,
    speed: Semaphore,
    nodes: Arc<RwLock<()>>,
}

impl Default for Gates {
    fn default() -> Self {
        Gates { lanes: Semaphore::new(LANES), speed: Semaphore::new(1), nodes: Arc::default() }
    }
}

/// A stage that may begin, and the right to it.
pub type Turn<'a> = (StageName, Option<SemaphorePermit<'a>>);

impl Gates {
    /// A lane for one platform; None only when the run ends.
    pub async fn lane(&self) -> Option<SemaphorePermit<'_>> {
        self.lanes.acquire().await.ok()
    }

    /// The right to bring a platform up; None only when the run ends.
    pub async fn deploy(&self) -> Option<SemaphorePermit<'_>> {
        self.speed.acquire().await.ok()
    }

    /// Held by a platform while it is judged and all nodes are there.
    pub async fn all_nodes(&self) -> OwnedRwLockReadGuard<()> {
        Arc::clone(&self.nodes).read_owned().await
    }

    /// The right to take a node: every platform that was being judged is through with all else.
    pub async fn nodes(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.nodes).write_owned().await
    }

    /// Takes the stage that a platform does next out of those that are left: the first one, unless it would have to wait for
    /// the processors and another one would not. None when nothing is left.
    pub async fn next<'a>(&'a self, left: &mut Vec<StageName>) -> Option<Turn<'a>> {
        let first = *left.first()?;
        let other = left.iter().copied().find(|s| !measures_speed(*s));
        let turn = if measures_speed(first) {
            match (self.speed.try_acquire(), other) {
                (Ok(permit), _) => (first, Some(permit)),
                (Err(_), Some(other)) => (other, None),
                (Err(_), None) => (first, self.speed.acquire().await.ok()),
            }
        } else {
            // The processors may lie idle.
            match left.iter().copied().find(|s| measures_speed(*s)).and_then(|s| Some((s, self.speed.try_acquire().ok()?))) {
                Some((measured, permit)) => (measured, Some(permit)),
                None => (first, None),
            }
        };
        left.retain(|s| *s != turn.0);
        Some(turn)
    }
}

fn measures_speed(stage: StageName) -> bool {
    matches!(stage, StageName::Load | StageName::Soak)
}

/// True: the fault takes a node, and so reaches every platform that has a pod there.
pub fn takes_a_node(fault: &str) -> bool {
    matches!(fault, "drain-node" | "stop-node" | "zone-outage")
}

#[cfg(test)]
mod tests {
    use super::*;
    use StageName::{Chaos, Drill, Load, Soak};
    use futures::FutureExt as _;

    #[tokio::test]
    async fn a_node_is_taken_only_when_no_other_platform_is_judged() {
        let gates = Gates::default();
        let judged = gates.all_nodes().await;
        let mut waiting = Box::pin(gates.nodes());
        assert!(waiting.as_mut().now_or_never().is_none());
        // Who comes later waits behind the fault.
        assert!(gates.all_nodes().now_or_never().is_none());
        drop(judged);
        let taken = waiting.await;
        assert!(gates.all_nodes().now_or_never().is_none());
        drop(taken);
        assert!(gates.all_nodes().now_or_never().is_some());
    }

    /// The stages that a platform does, while another one measures speed (or not).
    fn order(taken: bool) -> Vec<StageName> {
        let gates = Gates::default();
        let mut other = taken.then(|| gates.speed.try_acquire().expect("free"));
        let mut left = vec![Load, Soak, Chaos, Drill];
        let mut done = Vec::new();
        while !left.is_empty() {
            match gates.next(&mut left).now_or_never().flatten() {
                Some((stage, _permit)) => done.push(stage),
                // It waits: the other one ends.
                None => drop(other.take()),
            }
        }
        done
    }

    #[test]
    fn who_finds_the_processors_taken_does_something_else_first() {
        assert_eq!(order(false), [Load, Soak, Chaos, Drill]);
        assert_eq!(order(true), [Chaos, Drill, Load, Soak]);
    }

    #[tokio::test]
    async fn processors_that_are_free_again_are_used_first() {
        let gates = Gates::default();
        let other = gates.speed.try_acquire().expect("free");
        let mut left = vec![Load, Chaos, Drill];
        let (first, _permit) = gates.next(&mut left).await.expect("a stage");
        drop(other);
        let (second, permit) = gates.next(&mut left).await.expect("a stage");
        assert_eq!((first, second, left), (Chaos, Load, vec![Drill]));
        // Nobody measures speed beside it.
        assert!(permit.is_some() && gates.speed.try_acquire().is_err());
    }

    #[test]
    fn every_fault_of_a_node_is_known() {
        for fault in gauntlet_chaos::registry::faults() {
            assert_eq!(takes_a_node(fault), fault.ends_with("-node") || fault == "zone-outage", "{fault}");
        }
    }
}
