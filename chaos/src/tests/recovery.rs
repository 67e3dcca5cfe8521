//! Recovery from a journal that a killed run left behind, against a fake API server.

use super::fake_api::{State, node, shop, start};
use crate::journal::{FaultState, Journal, NewFault, Recovery};
use crate::node_control::{NodeControl, fake::Machines};
use crate::recover::{Recovered, recover, recover_within};
use gauntlet_reports::clock::Clock;
use gauntlet_reports::recorder::Recorder;
use serde_json::json;
use std::time::Duration;
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(3);

fn journal(recovery: Recovery) -> (TempDir, Journal) {
    let dir = tempfile::tempdir().expect("temp dir");
    let journal = Journal::open(dir.path()).expect("open");
    let fault = NewFault {
        run_id: "run-1".into(),
        platform: "shop".into(),
        cluster: "kind-test".into(),
        experiment: "x".into(),
        fault: "x".into(),
        target: "node/worker-2".into(),
        recovery,
    };
    let record = journal.begin(fault).expect("begin");
    journal.mark(&record.id, FaultState::Applied).expect("applied");
    // As the next process finds it.
    let journal = Journal::open(dir.path()).expect("again");
    (dir, journal)
}

fn uncordon() -> Recovery {
    Recovery::Uncordon { node: "worker-2".into(), namespace: "shop".into() }
}

fn start_node() -> Recovery {
    Recovery::StartNode { node: "worker-2".into(), namespace: "shop".into() }
}

fn cordoned() -> State {
    let mut state = shop();
    state.nodes.insert("worker-2".into(), node("worker-2", "True", true));
    state
}

fn quiet() -> Recorder {
    Recorder::in_memory(Clock::start())
}

async fn once(state: State, recovery: Recovery, machines: &Machines) -> (Vec<Recovered>, usize) {
    let (_server, _shared, client) = start(state).await;
    let (_dir, journal) = journal(recovery);
    let recovered = recover_within(Some(client), machines, &journal, &quiet(), SOON).await;
    (recovered, journal.pending().len())
}

#[tokio::test]
async fn a_drained_node_takes_pods_again_and_recovering_twice_is_recovering_once() {
    let (_server, shared, client) = start(cordoned()).await;
    let (dir, journal) = journal(uncordon());
    let recorder = quiet();
    let first = recover(Some(client.clone()), &Machines::default(), &journal, &recorder).await;
    assert!(first[0].ok, "{first:?}");
    assert!(first[0].read_back.contains("worker-2 is Ready=True and takes pods; ready Deployment/order 3/3"), "{first:?}");
    assert_eq!(shared.lock().expect("lock").nodes["worker-2"]["spec"]["unschedulable"], json!(false));
    assert_eq!(recover(Some(client), &Machines::default(), &Journal::open(dir.path()).expect("open"), &recorder).await, []);
}

#[tokio::test]
async fn a_control_plane_that_is_still_starting_is_waited_for() {
    let (recovered, pending) = once(State { unavailable: 3, ..cordoned() }, uncordon(), &Machines::default()).await;
    assert_eq!((recovered[0].ok, pending), (true, 0), "{recovered:?}");
}

#[tokio::test]
async fn a_stopped_node_is_started_and_read_back() {
    let machines = Machines::with(&[("worker-2", false)]);
    let (recovered, pending) = once(shop(), start_node(), &machines).await;
    assert_eq!((recovered[0].ok, pending), (true, 0), "{recovered:?}");
    assert!(machines.is_running("worker-2").await.expect("known"));
}

#[tokio::test]
async fn a_node_that_does_not_become_ready_stays_in_the_journal() {
    let mut state = shop();
    state.nodes.insert("worker-2".into(), node("worker-2", "Unknown", false));
    let (recovered, pending) = once(state, start_node(), &Machines::with(&[("worker-2", false)])).await;
    assert_eq!((recovered[0].ok, pending), (false, 1));
    assert_eq!(recovered[0].read_back, "node worker-2 is Ready=Unknown");
}

#[tokio::test]
async fn a_node_whose_cluster_is_gone_is_done_with() {
    let (recovered, pending) = once(shop(), start_node(), &Machines::default()).await;
    assert_eq!((recovered[0].ok, pending), (true, 0), "{recovered:?}");
}

#[tokio::test]
async fn without_an_api_server_the_machine_runs_again_but_nothing_is_assumed() {
    let machines = Machines::with(&[("worker-2", false)]);
    let (_dir, journal) = journal(start_node());
    let recovered = recover_within(None, &machines, &journal, &quiet(), SOON).await;
    assert!(machines.is_running("worker-2").await.expect("known"));
    assert_eq!((recovered[0].ok, journal.pending().len()), (false, 1));
}

#[tokio::test]
async fn the_fault_is_gone_though_the_platform_is_not_whole() {
    let mut state = cordoned();
    state.pods.remove("order-a");
    let (recovered, pending) = once(state, uncordon(), &Machines::default()).await;
    assert_eq!((recovered[0].ok, pending), (false, 0), "the journal keeps faults, not platforms");
    assert!(recovered[0].read_back.contains("Deployment/order has 2 of 3"), "{recovered:?}");
}

#[tokio::test]
async fn only_our_own_namespaces_are_deleted() {
    let of = |labels: serde_json::Value| {
        let mut state = shop();
        state.namespaces.insert("shop-restore".into(), json!({"metadata": {"name": "shop-restore", "uid": "n", "labels": labels}}));
        state
    };
    let delete = || Recovery::DeleteNamespace { namespace: "shop-restore".into() };
    let (ours, pending) = once(of(json!({"app.kubernetes.io/managed-by": "gauntlet"})), delete(), &Machines::default()).await;
    assert_eq!((ours[0].ok, pending), (true, 0), "{ours:?}");
    let (theirs, pending) = once(of(json!({})), delete(), &Machines::default()).await;
    assert_eq!((theirs[0].ok, pending), (false, 1));
    assert!(theirs[0].read_back.contains("not ours to delete"), "{theirs:?}");
}
