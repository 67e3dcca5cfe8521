//! The stage's evidence files, and what else it asks the cluster.

use super::facts::{Course, Facts};
use crate::plan::LoadPlan;
use crate::runner::LoadResult;
use crate::series::{Summary, Window};
use crate::timing::TimeToScale;
use gauntlet_fixtures::platform::Entrypoint;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::{Api, Client};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

/// Paths of the evidence, relative to the run's folder.
pub(super) struct Files {
    load: String,
    hpa: String,
}

impl Files {
    /// The file that shows an assertion.
    pub(super) fn of(&self, id: &str) -> &str {
        if id.starts_with("hpa.") { &self.hpa } else { &self.load }
    }
}

#[derive(Serialize)]
struct LoadFile<'a> {
    plan: &'a LoadPlan,
    course: &'a Course,
    time_to_scale: TimeToScale,
    starved_share: f64,
    phases: BTreeMap<&'a str, Phase>,
    result: &'a LoadResult,
}

#[derive(Serialize)]
struct Phase {
    from_ms: u64,
    to_ms: u64,
    all: Summary,
    steps: BTreeMap<String, Summary>,
}

fn phase(result: &LoadResult, (from_ms, to_ms): (u64, u64)) -> Phase {
    let steps = Window::by_step(result.between(from_ms, to_ms));
    Phase {
        from_ms,
        to_ms,
        all: result.window(from_ms, to_ms).summary(),
        steps: steps.iter().map(|(name, window)| (name.clone(), window.summary())).collect(),
    }
}

/// Writes `load.json` and `hpa.jsonl` to the platform's folder in the run's.
pub(super) fn write(run_dir: &Path, platform: &str, facts: &Facts<'_>) -> std::io::Result<Files> {
    let dir = run_dir.join(platform);
    std::fs::create_dir_all(&dir)?;
    let names = facts.result.phases.iter().map(|m| m.phase.as_str());
    let phases = names.filter_map(|name| Some((name, phase(facts.result, facts.result.span(name)?)))).collect();
    let mut plan = facts.plan.clone();
    plan.endpoint.ca_pem = None; // long, and no evidence
    let file = LoadFile {
        plan: &plan,
        course: facts.course,
        time_to_scale: facts.timing(),
        starved_share: facts.result.starved_share(),
        phases,
        result: facts.result,
    };
    let out = std::io::BufWriter::new(std::fs::File::create(dir.join("load.json"))?);
    serde_json::to_writer(out, &file)?;

    let mut out = std::io::BufWriter::new(std::fs::File::create(dir.join("hpa.jsonl"))?);
    let mut line = |kind: &str, value: serde_json::Value| writeln!(out, "{}", serde_json::json!({"kind": kind, "value": value}));
    for comparison in &facts.seen.comparisons {
        line("comparison", serde_json::to_value(comparison)?)?;
    }
    for point in &facts.seen.points {
        line("point", serde_json::to_value(point)?)?;
    }
    for (name, life) in &facts.seen.lives {
        line("pod", serde_json::json!({"name": name, "life": life}))?;
    }
    out.flush()?;
    Ok(Files { load: format!("{platform}/load.json"), hpa: format!("{platform}/hpa.jsonl") })
}

/// The pods among the ready endpoints of an entry point's Service. `None` when they cannot be read.
pub(super) async fn endpoints(client: &Client, namespace: &str, entrypoint: Option<&Entrypoint>) -> Option<BTreeSet<String>> {
    let service = &entrypoint?.service;
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), namespace);
    let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
    let found = tokio::time::timeout(std::time::Duration::from_secs(5), slices.list(&of_service)).await.ok()?.ok()?;
    let endpoints = found.items.into_iter().flat_map(|slice| slice.endpoints);
    let ready = endpoints.filter(|e| e.conditions.as_ref().is_none_or(|c| c.ready != Some(false)));
    Some(ready.filter_map(|e| e.target_ref?.name).collect())
}
