//! Recovery of what the journal holds, also after the process that applied it was killed. Idempotent: recovering twice is
//! recovering once. What was recovered is read back from the cluster, not assumed.

use crate::cluster_view::ClusterView;
use crate::cluster_watch::{ClusterWatch, Waited};
use crate::error::ChaosError;
use crate::experiments::dns_outage::put_back;
use crate::experiments::drain_node::cordon;
use crate::experiments::fill_volume;
use crate::experiments::run_script;
use crate::experiments::scale_to_zero::scale;
use crate::journal::{FaultRecord, FaultState, Journal, Recovery};
use crate::node_control::{NodeControl, NodeControlError};
use crate::steady_state::WorkloadsFull;
use gauntlet_reports::event::{EventKind, FaultPhase};
use gauntlet_reports::recorder::Recorder;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long to wait until the cluster shows the recovery. A cluster whose control plane was stopped needs its time.
pub const READ_BACK_WITHIN: Duration = Duration::from_secs(180);

/// Label of what only the suite made. Nothing without it is deleted.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "gauntlet");

/// What became of one fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The fault.
    pub record: FaultRecord,
    /// What the cluster showed, or why it could not be asked.
    pub read_back: String,
    /// The fault is recovered and the workloads are full.
    pub ok: bool,
}

/// What a recovery came to: the fault itself, and the platform after it.
enum Outcome {
    /// Gone, and the workloads are full.
    Whole(String),
    /// Gone, but the platform is not whole.
    FaultGone(String),
    /// Still there, or not known.
    Stands(String),
}

impl Outcome {
    /// The same, with what was seen before it.
    fn after(self, seen: &str) -> Self {
        match self {
            Outcome::Whole(text) => Outcome::Whole(format!("{seen}{text}")),
            Outcome::FaultGone(text) => Outcome::FaultGone(format!("{seen}{text}")),
            Outcome::Stands(text) => Outcome::Stands(format!("{seen}{text}")),
        }
    }
}

/// Recovers every pending fault of the journal, the newest first. Without a client, machines are still started, but
/// nothing can be read back, so the fault stays in the journal.
pub async fn recover(client: Option<Client>, nodes: &dyn NodeControl, journal: &Journal, recorder: &Recorder) -> Vec<Recovered> {
    recover_within(client, nodes, journal, recorder, READ_BACK_WITHIN).await
}

/// The same with a time of one's own for reading back.
pub async fn recover_within(client: Option<Client>, nodes: &dyn NodeControl, journal: &Journal, recorder: &Recorder, within: Duration) -> Vec<Recovered> {
    let mut all = Vec::new();
    // Machines first: with a dead node, nothing else can be read back in full.
    let mut pending = journal.pending();
    pending.sort_by_key(|r| !matches!(r.recovery, Recovery::StartNode { .. } | Recovery::StartNodes { .. }));
    for record in pending {
        all.push(recover_one(client.as_ref(), nodes, journal, recorder, record, within).await);
    }
    all
}

/// Recovers one fault, reads back, and marks the journal when the fault is gone.
pub async fn recover_one(
    client: Option<&Client>,
    nodes: &dyn NodeControl,
    journal: &Journal,
    recorder: &Recorder,
    record: FaultRecord,
    within: Duration,
) -> Recovered {
    recorder.progress(format!("recover {} of {}", record.fault, record.target));
    let outcome = match act(client, nodes, &record.recovery, within).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Stands(format!("failed to {error}")),
    };
    let (gone, ok, mut read_back) = match outcome {
        Outcome::Whole(text) => (true, true, text),
        Outcome::FaultGone(text) => (true, false, text),
        Outcome::Stands(text) => (false, false, text),
    };
    if gone {
        match journal.mark(&record.id, FaultState::Recovered) {
            Ok(_) => recorder.emit(EventKind::Fault {
                experiment: record.experiment.clone(),
                target: record.target.clone(),
                phase: FaultPhase::Recovered,
                detail: read_back.clone(),
            }),
            Err(error) => read_back = format!("{read_back}; failed to write the journal: {error}"),
        }
    }
    Recovered { record, read_back, ok }
}

async fn act(client: Option<&Client>, nodes: &dyn NodeControl, recovery: &Recovery, within: Duration) -> Result<Outcome, ChaosError> {
    match recovery {
        Recovery::StartNode { node, namespace } => {
            match nodes.start(node).await {
                Ok(()) => {}
                Err(NodeControlError::Gone(_)) => return Ok(Outcome::Whole(format!("node {node} is gone with its cluster"))),
                Err(error) => return Err(error.into()),
            }
            let Some(client) = client else { return Ok(Outcome::Stands(format!("node {node} was started; no cluster to read back from"))) };
            Ok(whole(client, namespace, &[node], within).await)
        }
        Recovery::StartNodes { nodes: stopped, namespace } => {
            for node in stopped {
                match nodes.start(node).await {
                    Ok(()) | Err(NodeControlError::Gone(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let Some(client) = client else { return Ok(Outcome::Stands(format!("nodes {} were started; no cluster to read back from", stopped.join(", ")))) };
            let names: Vec<&str> = stopped.iter().map(String::as_str).collect();
            Ok(whole(client, namespace, &names, within).await)
        }
        Recovery::PutPoliciesBack { namespace, originals, made } => {
            let Some(client) = client else { return Ok(Outcome::Stands("no cluster to change policies in".into())) };
            patiently(within, || put_back(client, namespace, originals, made)).await?;
            let back = format!("{} NetworkPolicies are as before, {} are gone; ", originals.len(), made.len());
            Ok(whole(client, namespace, &[], within).await.after(&back))
        }
        Recovery::RemoveFile { namespace, pod, container, path } => {
            let Some(client) = client else { return Ok(Outcome::Stands("no cluster to remove a file in".into())) };
            // A container that stopped because its volume was full is started again and again, and can be reached meanwhile.
            if !patiently(within, || fill_volume::remove(client, namespace, pod, container, path)).await? {
                return Ok(Outcome::Stands(format!("{path} is still in pod {pod}")));
            }
            Ok(whole(client, namespace, &[], within).await.after(&format!("{path} is gone from pod {pod}; ")))
        }
        Recovery::RunScript { namespace, pod, container, script } => {
            let Some(client) = client else { return Ok(Outcome::Stands("no cluster to run a script in".into())) };
            let seen = patiently(within, || run_script::run(client, namespace, pod, container, script)).await?;
            Ok(whole(client, namespace, &[], within).await.after(&format!("{seen}; ")))
        }
        Recovery::Scale { namespace, workload, replicas } => {
            let Some(client) = client else { return Ok(Outcome::Stands("no cluster to scale in".into())) };
            patiently(within, || scale(client, namespace, workload, *replicas)).await?;
            Ok(whole(client, namespace, &[], within).await)
        }
        Recovery::Uncordon { node, namespace } => {
            let Some(client) = client else { return Ok(Outcome::Stands("no cluster to uncordon in".into())) };
            let api: Api<Node> = Api::all(client.clone());
            let uncordoned = patiently(within, || async {
                match api.get_opt(node).await.map_err(ChaosError::kubernetes(format!("read node {node}")))? {
                    None => Ok(false),
                    Some(_) => cordon(&api, node, false).await.map(|()| true),
                }
            });
            if !uncordoned.await? {
                return Ok(Outcome::Whole(format!("node {node} is not in this cluster any more")));
            }
            Ok(whole(client, namespace, &[node], within).await)
        }
        Recovery::WorkloadsFull { namespace } => {
            let Some(client) = client else { return Ok(Outcome::Stands("no cluster to read back from".into())) };
            Ok(whole(client, namespace, &[], within).await)
        }
        Recovery::DeleteNamespace { namespace } => {
            let Some(client) = client else { return Ok(Outcome::Stands("no cluster to delete in".into())) };
            let (gone, text) = delete_namespace(client, namespace, within).await?;
            Ok(if gone { Outcome::Whole(text) } else { Outcome::Stands(text) })
        }
    }
}

/// Repeats what failed until it works: right after a start the API server may not answer, or answer 403. No watch can
/// serve here, there is nobody to watch.
async fn patiently<T, F, Fut>(within: Duration, mut attempt: F) -> Result<T, ChaosError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, ChaosError>>,
{
    let deadline = Instant::now() + within;
    let mut last_seen = "no answer at all".to_owned();
    loop {
        match tokio::time::timeout_at(deadline, attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => last_seen = format!("failed to {error}"),
            Err(_) => return Err(ChaosError::TimedOut { what: "the API server".into(), last_seen }),
        }
        if Instant::now() >= deadline {
            return Err(ChaosError::TimedOut { what: "the API server".into(), last_seen });
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The node is Ready and takes pods.
fn in_service(view: &ClusterView, node: &str) -> Result<(), String> {
    match view.node(node) {
        Some(n) if !n.ready => Err(format!("node {node} is Ready={}", n.ready_status)),
        Some(n) if n.unschedulable => Err(format!("node {node} is cordoned")),
        Some(_) => Ok(()),
        None => Err(format!("node {node} is not listed")),
    }
}

/// Reads back: first the nodes, then the workloads.
async fn whole(client: &Client, namespace: &str, nodes: &[&str], within: Duration) -> Outcome {
    let deadline = Instant::now() + within;
    let never = CancellationToken::new();
    let watch = match patiently(within, || ClusterWatch::start(client, namespace)).await {
        Ok(watch) => watch,
        Err(error) => return Outcome::Stands(format!("failed to {error}")),
    };
    let left = || deadline.saturating_duration_since(Instant::now());
    for node in nodes {
        let condition = |view: &ClusterView| in_service(view, node);
        if let Waited::TimedOut(why) = watch.wait_until(&condition, left(), &never).await {
            return Outcome::Stands(why);
        }
    }
    let of_node = nodes.iter().map(|n| format!("node {n} is Ready=True and takes pods; ")).collect::<String>();
    let full = WorkloadsFull::default();
    match watch.wait_until(&full, left(), &never).await {
        Waited::TimedOut(why) => Outcome::FaultGone(format!("{of_node}{why}")),
        _ => {
            let view = watch.view();
            let counts: Vec<_> = view.workloads.iter().map(|w| format!("{} {}/{}", w.id, w.ready, w.desired)).collect();
            Outcome::Whole(format!("{of_node}ready {}", counts.join(", ")))
        }
    }
}

/// Ends the pods of a copy within a second. What they would do in their grace period is for nobody, and the namespace's
/// controller looks again only after half of the longest one. What is refused here, the deletion of the namespace does.
async fn end_pods(client: &Client, namespace: &str) {
    let (all, at_once) = (ListParams::default(), DeleteParams { grace_period_seconds: Some(1), ..DeleteParams::background() });
    // First what would make them anew.
    let _ = Api::<StatefulSet>::namespaced(client.clone(), namespace).delete_collection(&DeleteParams::background(), &all).await;
    let _ = Api::<Deployment>::namespaced(client.clone(), namespace).delete_collection(&DeleteParams::background(), &all).await;
    let _ = Api::<Pod>::namespaced(client.clone(), namespace).delete_collection(&at_once, &all).await;
}

/// Deletes a namespace that carries [`MANAGED_BY`] and waits until it is gone. Gives whether it is, and what was seen.
///
/// # Errors
/// When the API server refuses the delete.
pub async fn delete_namespace(client: &Client, name: &str, within: Duration) -> Result<(bool, String), ChaosError> {
    let api: Api<Namespace> = Api::all(client.clone());
    let found = patiently(within, || async { api.get_opt(name).await.map_err(ChaosError::kubernetes(format!("read namespace {name}"))) }).await?;
    let Some(found) = found else { return Ok((true, format!("namespace {name} is gone"))) };
    let ours = found.metadata.labels.as_ref().and_then(|l| l.get(MANAGED_BY.0)).is_some_and(|v| v == MANAGED_BY.1);
    if !ours {
        return Ok((false, format!("namespace {name} has no label {}={}; it is not ours to delete", MANAGED_BY.0, MANAGED_BY.1)));
    }
    end_pods(client, name).await;
    match api.delete(name, &DeleteParams::default()).await {
        Ok(_) => {}
        // Gone, or already on its way.
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => {}
        Err(error) => return Err(ChaosError::kubernetes(format!("delete namespace {name}"))(error)),
    }
    let uid = found.metadata.uid.unwrap_or_default();
    let gone = kube::runtime::wait::await_condition(api, name, kube::runtime::conditions::is_deleted(&uid));
    Ok(match tokio::time::timeout(within, gone).await {
        Ok(Ok(_)) => (true, format!("namespace {name} is gone")),
        Ok(Err(error)) => (false, format!("failed to watch namespace {name}: {error}")),
        Err(_) => (false, format!("namespace {name} is still terminating after {} s", within.as_secs())),
    })
}
