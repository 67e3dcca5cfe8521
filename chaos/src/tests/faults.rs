//! Faults that change more than one pod, applied and recovered, against a fake API server.

use super::fake_api::{Shared, State, node, shop, start};
use crate::cluster_view::sample::{self, SERVICE};
use crate::cluster_watch::ClusterWatch;
use crate::experiment::{Effect, Experiment, FaultContext, Plan};
use crate::experiments::dns_outage::{DnsOutage, put_back};
use crate::experiments::scale_to_zero::ScaleToZero;
use crate::experiments::zone_outage::ZoneOutage;
use crate::journal::{Journal, NewFault, OriginalPolicy, Recovery};
use crate::node_control::{NodeControl, fake::Machines};
use crate::recover::{Recovered, recover_within};
use gauntlet_reports::clock::Clock;
use gauntlet_reports::recorder::Recorder;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A fake cluster with machines, watched.
struct Bench {
    _server: wiremock::MockServer,
    shared: Shared,
    client: kube::Client,
    machines: Machines,
    watch: ClusterWatch,
    recorder: Recorder,
    stop: CancellationToken,
}

impl Bench {
    async fn of(state: State, machines: Machines) -> Self {
        let (server, shared, client) = start(state).await;
        let watch = ClusterWatch::start(&client, "shop").await.expect("watch");
        Bench { _server: server, shared, client, machines, watch, recorder: Recorder::in_memory(Clock::start()), stop: CancellationToken::new() }
    }

    fn plan(&self, experiment: &dyn Experiment, fault: &str) -> Plan {
        experiment.plan(&self.watch.view(), &sample::spec(fault, SERVICE), 1).expect("plan")
    }

    async fn apply(&self, experiment: &dyn Experiment, plan: &Plan, fault: &str) -> Result<(Effect, Result<String, String>), String> {
        let spec = sample::spec(fault, SERVICE);
        let ctx = FaultContext { client: &self.client, watch: &self.watch, nodes: &self.machines, recorder: &self.recorder, stop: &self.stop, spec: &spec };
        let effect = experiment.apply(&ctx, plan).await.map_err(|e| e.to_string())?;
        let proof = experiment.prove(&ctx, plan, &effect).await.map_err(|e| e.to_string());
        Ok((effect, proof))
    }

    async fn recover(&self, recovery: Recovery) -> (Recovered, usize) {
        let dir = tempfile::tempdir().expect("temp dir");
        let journal = Journal::open(dir.path()).expect("open");
        let texts = ["run-1", "shop", "kind-test", "x", "x", "x"].map(str::to_owned);
        let [run_id, platform, cluster, experiment, fault, target] = texts;
        journal.begin(NewFault { run_id, platform, cluster, experiment, fault, target, recovery }).expect("begin");
        let recovered = recover_within(Some(self.client.clone()), &self.machines, &journal, &self.recorder, Duration::from_secs(3)).await;
        (recovered[0].clone(), journal.pending().len())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.lock().expect("lock")
    }
}

/// The shop over three zones; two workers in zone b.
fn zoned() -> State {
    let mut state = shop();
    for (name, zone) in [("worker-1", "a"), ("worker-2", "b"), ("worker-3", "b"), ("worker-4", "c")] {
        let mut node = node(name, "True", false);
        node["metadata"]["labels"]["topology.kubernetes.io/zone"] = json!(zone);
        state.nodes.insert(name.into(), node);
    }
    // Only zone b runs the service.
    state.pods.remove("order-a");
    state.deployments.get_mut("order").expect("deployment")["spec"]["replicas"] = json!(2);
    state.deployments.get_mut("order").expect("deployment")["status"]["readyReplicas"] = json!(2);
    state
}

fn set_ready(state: &mut State, name: &str, status: &str) {
    *state.nodes.get_mut(name).and_then(|n| n.pointer_mut("/status/conditions/0/status")).expect("condition") = json!(status);
}

const ALL: [(&str, bool); 4] = [("worker-1", true), ("worker-2", true), ("worker-3", true), ("worker-4", true)];

#[tokio::test]
async fn every_machine_of_the_zone_stops_and_all_of_them_are_started_again() {
    let bench = Bench::of(zoned(), Machines::with(&ALL)).await;
    let plan = bench.plan(&ZoneOutage, "zone-outage");
    assert_eq!(plan.target.to_string(), "zone/b (worker-2, worker-3)");
    for name in ["worker-2", "worker-3"] {
        set_ready(&mut bench.state(), name, "Unknown");
    }
    let (_, proof) = bench.apply(&ZoneOutage, &plan, "zone-outage").await.expect("applied");
    assert!(proof.expect("proven").contains("worker-2, worker-3"));
    let running = async |name: &str| bench.machines.is_running(name).await.expect("known");
    assert_eq!([running("worker-1").await, running("worker-2").await, running("worker-3").await], [true, false, false]);
    for name in ["worker-2", "worker-3"] {
        set_ready(&mut bench.state(), name, "True");
    }
    let (recovered, pending) = bench.recover(plan.recovery).await;
    assert_eq!((recovered.ok, pending), (true, 0), "{recovered:?}");
    assert_eq!([running("worker-2").await, running("worker-3").await], [true, true]);
}

#[tokio::test]
async fn a_node_of_the_zone_that_does_not_come_back_stays_in_the_journal_and_the_others_run() {
    let mut state = zoned();
    set_ready(&mut state, "worker-3", "Unknown");
    let bench = Bench::of(state, Machines::with(&[("worker-2", false), ("worker-3", false)])).await;
    let nodes = vec!["worker-2".to_owned(), "worker-3".to_owned()];
    let (recovered, pending) = bench.recover(Recovery::StartNodes { nodes, namespace: "shop".into() }).await;
    assert_eq!((recovered.ok, pending), (false, 1));
    assert_eq!(recovered.read_back, "node worker-3 is Ready=Unknown");
    assert!(bench.machines.is_running("worker-2").await.expect("known") && bench.machines.is_running("worker-3").await.expect("known"));
}

#[tokio::test]
async fn a_machine_that_cannot_be_stopped_is_an_error_and_no_proof() {
    let bench = Bench::of(zoned(), Machines::with(&[("worker-2", true)])).await;
    let plan = bench.plan(&ZoneOutage, "zone-outage");
    let error = bench.apply(&ZoneOutage, &plan, "zone-outage").await.expect_err("one machine is gone");
    assert!(error.contains("worker-3"), "{error}");
}

#[tokio::test]
async fn a_workload_loses_all_its_pods_and_gets_them_back() {
    let bench = Bench::of(shop(), Machines::default()).await;
    let plan = bench.plan(&ScaleToZero, "scale-to-zero");
    let (effect, proof) = bench.apply(&ScaleToZero, &plan, "scale-to-zero").await.expect("applied");
    assert_eq!((effect.lost.len(), effect.graceful, proof.is_ok()), (3, true, true));
    assert_eq!(bench.state().pods.len(), 0);
    let (recovered, pending) = bench.recover(plan.recovery).await;
    assert_eq!((recovered.ok, pending), (true, 0), "{recovered:?}");
    assert_eq!(bench.state().deployments["order"]["spec"]["replicas"], json!(3));
}

#[tokio::test]
async fn replicas_that_do_not_come_up_are_told() {
    let bench = Bench::of(State { heals: false, ..shop() }, Machines::default()).await;
    let plan = bench.plan(&ScaleToZero, "scale-to-zero");
    bench.apply(&ScaleToZero, &plan, "scale-to-zero").await.expect("applied").1.expect("proven");
    let (recovered, pending) = bench.recover(plan.recovery).await;
    assert_eq!((recovered.ok, pending), (false, 0), "the fault is gone, the platform is not whole");
    assert!(recovered.read_back.contains("Deployment/order has 0 of 3"), "{recovered:?}");
}

/// Nothing in or out, but DNS for all, and the store for the service.
fn guarded() -> State {
    let policy = |name: &str, spec: Value| (name.to_owned(), json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": "shop", "uid": name}, "spec": spec}));
    let dns = json!([{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]);
    let policies = [
        policy("allow-dns", json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": dns}]})),
        policy("order", json!({"podSelector": {"matchLabels": {"app": "order"}}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 5432, "protocol": "TCP"}]}]})),
    ];
    State { policies: policies.into(), ..shop() }
}

/// The plan as `prepare` leaves it. (That asks a container, which this API server has not.)
fn prepared(bench: &Bench) -> Plan {
    let mut plan = bench.plan(&DnsOutage, "dns-outage");
    let originals: Vec<_> = bench.state().policies.iter().map(|(name, p)| OriginalPolicy { name: name.clone(), spec: p["spec"].clone() }).collect();
    let made = originals.iter().map(|o| format!("gauntlet-dns-{}", o.name)).collect();
    plan.recovery = Recovery::PutPoliciesBack { namespace: "shop".into(), originals, made };
    plan
}

#[tokio::test]
async fn dns_goes_for_the_pods_of_one_workload_and_comes_back() {
    let bench = Bench::of(guarded(), Machines::default()).await;
    let before = bench.state().policies.clone();
    let plan = prepared(&bench);
    let spec = sample::spec("dns-outage", SERVICE);
    let ctx = FaultContext { client: &bench.client, watch: &bench.watch, nodes: &bench.machines, recorder: &bench.recorder, stop: &bench.stop, spec: &spec };
    DnsOutage.apply(&ctx, &plan).await.expect("applied");
    let during = bench.state().policies.clone();
    assert_eq!(during.len(), 4);
    assert_eq!(during["allow-dns"]["spec"]["podSelector"]["matchExpressions"], json!([{"key": "app", "operator": "NotIn", "values": ["order"]}]));
    assert_eq!(during["gauntlet-dns-allow-dns"]["spec"].get("egress").and_then(Value::as_array).map_or(0, Vec::len), 0, "nothing but DNS was in it");
    assert_eq!(during["gauntlet-dns-order"]["spec"]["egress"], before["order"]["spec"]["egress"], "what else they may reach stays");
    let log = bench.state().log.clone();
    let of = |method: &str| log.iter().position(|l| l.starts_with(method)).expect("logged");
    assert!(of("PUT") > of("POST"), "stand-ins come first: {log:?}");

    let (recovered, pending) = bench.recover(plan.recovery).await;
    assert_eq!((recovered.ok, pending), (true, 0), "{recovered:?}");
    let specs = |all: &std::collections::BTreeMap<String, Value>| all.iter().map(|(n, p)| (n.clone(), p["spec"]["podSelector"].clone(), p["spec"]["egress"].clone())).collect::<Vec<_>>();
    assert_eq!(specs(&bench.state().policies), specs(&before));
}

#[tokio::test]
async fn policies_that_may_not_be_changed_are_an_error_and_stay_as_they_are() {
    let bench = Bench::of(State { policies_refused: true, ..guarded() }, Machines::default()).await;
    let before = bench.state().policies.clone();
    let plan = prepared(&bench);
    let error = bench.apply(&DnsOutage, &plan, "dns-outage").await.expect_err("refused");
    assert!(error.contains("create NetworkPolicy gauntlet-dns-allow-dns"), "{error}");
    assert_eq!(bench.state().policies, before);
    let Recovery::PutPoliciesBack { originals, made, .. } = plan.recovery else { panic!("another recovery") };
    assert!(put_back(&bench.client, "shop", &originals, &made).await.is_err());
}
