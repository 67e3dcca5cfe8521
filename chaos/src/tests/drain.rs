//! A drain against an API server that refuses evictions beyond the budget, and against one that does not.

use super::fake_api::{Shared, State, shop, start};
use crate::cluster_view::sample;
use crate::cluster_watch::ClusterWatch;
use crate::eviction::Evictions;
use crate::experiment::{Effect, Experiment, FaultContext};
use crate::experiments::drain_node::DrainNode;
use crate::node_control::NotOurNodes;
use gauntlet_fixtures::platform::Experiment as Spec;
use gauntlet_reports::clock::Clock;
use gauntlet_reports::recorder::Recorder;
use tokio_util::sync::CancellationToken;

fn spec(rto_seconds: u64) -> Spec {
    Spec { rto_seconds, ..sample::spec("drain-node", sample::SERVICE) }
}

/// Drains `worker-2` of the shop.
async fn drain(state: State, rto_seconds: u64) -> (Effect, Evictions, Result<String, String>, Shared) {
    let (_server, shared, client) = start(state).await;
    let watch = ClusterWatch::start(&client, "shop").await.expect("watch");
    let (recorder, stop, spec) = (Recorder::in_memory(Clock::start()), CancellationToken::new(), spec(rto_seconds));
    let ctx = FaultContext { client: &client, watch: &watch, nodes: &NotOurNodes, recorder: &recorder, stop: &stop, spec: &spec };
    let plan = (0..).map(|seed| DrainNode.plan(&watch.view(), &spec, seed).expect("plan")).find(|p| p.target.to_string() == "node/worker-2");
    let plan = plan.expect("some seed draws worker-2");
    let effect = DrainNode.apply(&ctx, &plan).await.expect("apply");
    let proof = DrainNode.prove(&ctx, &plan, &effect).await.map_err(|e| e.to_string());
    let evictions = effect.evictions.clone().expect("evictions");
    (effect, evictions, proof, shared)
}

#[tokio::test]
async fn a_drain_waits_for_the_budget_and_sees_429_beyond_it() {
    let (effect, seen, proof, shared) = drain(shop(), 60).await;
    assert_eq!(seen.admitted.len(), 2);
    assert!(seen.refused >= 1, "the second pod had to wait: {seen:?}");
    assert!(seen.probes_refused >= 1, "{seen:?}");
    assert_eq!((seen.violations.len(), seen.left.len(), seen.budgets), (0, 0, vec!["order".to_owned()]));
    assert_eq!(effect.lost, ["uid-order-b".to_owned(), "uid-order-c".to_owned()].into());
    assert!(proof.expect("proven").contains("worker-2 is cordoned"));
    let log = shared.lock().expect("lock").log.clone();
    assert_eq!(log[0], "PATCH /api/v1/nodes/worker-2", "cordoned before the first eviction");
    assert!(log.iter().filter(|l| !l.ends_with("dry")).all(|l| !l.contains("order-a")), "a pod of another node is only asked about: {log:?}");
}

#[tokio::test]
async fn a_budget_that_is_not_honoured_is_a_violation() {
    let (_, seen, _, _) = drain(State { lenient: true, ..shop() }, 60).await;
    assert!(!seen.violations.is_empty(), "{seen:?}");
    assert_eq!(seen.refused + seen.probes_refused, 0);
}

#[tokio::test]
async fn pods_that_a_budget_never_lets_go_are_left_with_the_reason() {
    let (_, seen, _, _) = drain(State { heal_after: u32::MAX, ..shop() }, 2).await;
    assert_eq!(seen.admitted.len(), 1);
    assert_eq!(seen.left.len(), 1);
    assert!(seen.left[0].contains("TooManyRequests"), "{seen:?}");
}

#[tokio::test]
async fn without_a_budget_nothing_is_probed() {
    let (_, seen, proof, _) = drain(State { budget: None, ..shop() }, 60).await;
    assert_eq!((seen.admitted.len(), seen.budgets.len(), seen.least_allowed), (2, 0, None));
    assert!(proof.is_ok());
}
