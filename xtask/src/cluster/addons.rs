//! The add-ons of our clusters: applied in order, and seen to serve before anything relies on them.

use super::health;
use crate::deploy::apply::{self, ApplyOptions};
use crate::deploy::rollout::{self, Limits, Outcome};
use crate::deploy::workload::Goal;
use crate::provision::context::{Context, Step};
use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use gauntlet_fixtures::manifest;
use gauntlet_reports::clock::Clock;
use gauntlet_reports::recorder::Recorder;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Parts that the official node image brings itself.
const OWN_NODE_ONLY: [&str; 2] = ["network-agent", "local-path"];
const METRICS_SERVER: &str = "metrics-server";
const ROLLOUT_LIMIT: Duration = Duration::from_secs(150);

/// The manifest files of the add-ons, in order.
///
/// # Errors
/// When the folder cannot be read.
pub fn files(fixtures: &Path, own_node: bool) -> Result<Vec<PathBuf>> {
    let folder = fixtures.join("addons");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .with_context(|| format!("failed to read {}", folder.display()))?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|x| x == "yaml"))
        .filter(|path| own_node || !OWN_NODE_ONLY.iter().any(|part| path.to_string_lossy().contains(part)))
        .collect();
    files.sort();
    Ok(files)
}

/// Applies everything and waits until it serves. An APIService is registered only once its Deployment is rolled out:
/// the API server would otherwise dial an address that nobody answers yet, and keep a dead connection.
///
/// # Errors
/// When something is refused or does not serve in time: with the cause.
pub async fn install(client: &kube::Client, ctx: &Context, own_node: bool, nodes: usize, step: &Step) -> Result<()> {
    let mut objects = Vec::new();
    for file in files(&ctx.fixtures(), own_node)? {
        objects.extend(manifest::read_objects(&file)?.iter().map(|o| o.to_json()));
    }
    let (services, rest): (Vec<Value>, Vec<Value>) = objects.into_iter().partition(|o| o["kind"] == "APIService");
    // Their progress is this step's, not the run's.
    let quiet = Recorder::in_memory(Clock::start());
    step.says(format!("applying {} objects", rest.len()));
    // metrics-server answers only after two readings 10 s apart: it starts alone, and the others use that time.
    let head = rest.iter().position(is_metrics_server).map_or(0, |at| at + 1);
    apply::apply(client, &rest[..head], "kube-system", &ApplyOptions::default(), &quiet).await?;
    if head > 0 {
        await_start(client).await;
    }
    apply::apply(client, &rest[head..], "kube-system", &ApplyOptions::default(), &quiet).await?;
    step.says("waiting for the add-ons to roll out");
    let goal = Goal::of(&rest, "kube-system");
    let serving = services.iter().map(|service| serve(client, service, &goal, nodes, &quiet, step));
    let (rolled_out, serving) = tokio::join!(roll_out(client, &goal, &quiet), futures::future::try_join_all(serving));
    rolled_out?;
    serving.map(drop)
}

fn is_metrics_server(object: &Value) -> bool {
    object["kind"] == "Deployment" && object["metadata"]["name"] == METRICS_SERVER
}

/// Waits until metrics-server runs, at most ten seconds: only the order of starts depends on it.
async fn await_start(client: &kube::Client) {
    let pods = Api::<Pod>::namespaced(client.clone(), "kube-system");
    let ours = watcher::Config::default().labels(&format!("app={METRICS_SERVER}"));
    let mut pods = std::pin::pin!(watcher(pods, ours).applied_objects());
    let started = async {
        while let Some(pod) = pods.next().await {
            let statuses = pod.ok().and_then(|p| p.status).and_then(|s| s.container_statuses).unwrap_or_default();
            if statuses.iter().any(|c| c.started == Some(true)) {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(10), started).await;
}

async fn roll_out(client: &kube::Client, goal: &Goal, quiet: &Recorder) -> Result<()> {
    let limits = Limits { timeout: ROLLOUT_LIMIT, look_every: Duration::from_secs(10) };
    match rollout::wait(client, goal, limits, quiet, &CancellationToken::new()).await? {
        Outcome::Finished => Ok(()),
        Outcome::Stuck { causes, .. } => bail!("an add-on does not roll out: {}", causes.join("; ")),
        Outcome::Stopped => bail!("stopped"),
    }
}

/// Registers an aggregated API as soon as its own server is rolled out, and waits until it answers. The server bears the
/// name of its Service.
async fn serve(client: &kube::Client, service: &Value, add_ons: &Goal, nodes: usize, quiet: &Recorder, step: &Step) -> Result<()> {
    let server = service["spec"]["service"]["name"].as_str().unwrap_or_default();
    let workloads = add_ons.workloads.iter().filter(|w| w.name == server).cloned().collect();
    roll_out(client, &Goal { workloads, ..Goal::default() }, quiet).await?;
    apply::apply(client, std::slice::from_ref(service), "kube-system", &ApplyOptions::default(), quiet).await?;
    let limit = Duration::from_secs(60);
    let group = service["spec"]["group"].as_str().unwrap_or_default();
    let version = service["spec"]["version"].as_str().unwrap_or_default();
    if group == "metrics.k8s.io" {
        health::nodes_ready(client, nodes, limit).await?;
        health::wait_aggregated(client, &format!("/apis/{group}/{version}/nodes"), nodes, limit).await?;
        step.says(format!("{nodes} nodes Ready, and resource metrics pass the API aggregator"));
        return Ok(());
    }
    health::wait_aggregated(client, &format!("/apis/{group}/{version}"), 0, limit).await
}

/// Settings of the add-ons that bear on measured times: name to value, read from their manifests.
///
/// # Errors
/// When a manifest cannot be read.
pub fn tuned(fixtures: &Path) -> Result<std::collections::BTreeMap<String, String>> {
    let mut tuned = std::collections::BTreeMap::new();
    for file in files(fixtures, true)? {
        for object in manifest::read_objects(&file)? {
            let json = object.to_json();
            let containers = json.pointer("/spec/template/spec/containers").and_then(Value::as_array).cloned().unwrap_or_default();
            let words = |c: &Value| ["command", "args"].into_iter().filter_map(|key| c[key].as_array().cloned()).flatten().collect::<Vec<_>>();
            for argument in containers.iter().flat_map(words) {
                let known = ["--metric-resolution=", "--metrics-relist-interval="];
                if let Some((name, value)) = argument.as_str().filter(|a| known.iter().any(|k| a.starts_with(k))).and_then(|a| a.split_once('=')) {
                    tuned.insert(format!("{} {name}", object.name), value.to_owned());
                }
            }
        }
    }
    Ok(tuned)
}
