//! The stage's evidence files, and what else it asks the cluster.

use super::facts::{Course, Facts};
use crate::oracle::observation::Observation;
use crate::plan::LoadPlan;
use crate::runner::LoadResult;
use crate::series::{Summary, Window};
use crate::timing::TimeToScale;
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
    /// By the prefix of the ids.
    hpas: Vec<(String, String)>,
}

impl Files {
    /// The file that shows an assertion.
    pub(super) fn of(&self, id: &str) -> &str {
        let of = |(prefix, _): &&(String, String)| id.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('.'));
        // One HPA's name may be the beginning of another's.
        self.hpas.iter().filter(of).max_by_key(|(prefix, _)| prefix.len()).map_or(&self.load, |(_, file)| file)
    }
}

#[derive(Serialize)]
struct LoadFile<'a> {
    plan: &'a LoadPlan,
    course: &'a Course,
    time_to_scale: BTreeMap<&'a str, TimeToScale>,
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

/// Writes `load.json` and `hpa.jsonl` to the platform's folder in the run's; with several HPAs one `hpa-<name>.jsonl` each.
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
        time_to_scale: facts.each().map(|one| (one.target.hpa, one.timing())).collect(),
        starved_share: facts.result.starved_share(),
        phases,
        result: facts.result,
    };
    let out = std::io::BufWriter::new(std::fs::File::create(dir.join("load.json"))?);
    serde_json::to_writer(out, &file)?;

    let mut hpas = Vec::new();
    for one in facts.each() {
        let name = if facts.targets.len() > 1 { format!("hpa-{}.jsonl", one.target.hpa) } else { "hpa.jsonl".to_owned() };
        write_hpa(&dir.join(&name), one.seen())?;
        hpas.push((one.target.prefix.clone(), format!("{platform}/{name}")));
    }
    Ok(Files { load: format!("{platform}/load.json"), hpas })
}

fn write_hpa(path: &Path, seen: &Observation) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    let mut line = |kind: &str, value: serde_json::Value| writeln!(out, "{}", serde_json::json!({"kind": kind, "value": value}));
    for input in &seen.inputs {
        line("input", serde_json::to_value(input)?)?;
    }
    for comparison in &seen.comparisons {
        line("comparison", serde_json::to_value(comparison)?)?;
    }
    for point in &seen.points {
        line("point", serde_json::to_value(point)?)?;
    }
    for value in &seen.values {
        line("metric", serde_json::to_value(value)?)?;
    }
    for (name, life) in &seen.lives {
        line("pod", serde_json::json!({"name": name, "life": life}))?;
    }
    out.flush()
}

/// The pods among the ready endpoints of each Service of a namespace. `None` when they cannot be read.
pub(super) async fn endpoints(client: &Client, namespace: &str) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), namespace);
    let found = tokio::time::timeout(std::time::Duration::from_secs(5), slices.list(&ListParams::default())).await.ok()?.ok()?;
    let mut services: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for slice in found.items {
        let Some(service) = slice.metadata.labels.as_ref().and_then(|l| l.get("kubernetes.io/service-name")) else { continue };
        let ready = slice.endpoints.into_iter().filter(|e| e.conditions.as_ref().is_none_or(|c| c.ready != Some(false)));
        services.entry(service.clone()).or_default().extend(ready.filter_map(|e| e.target_ref?.name));
    }
    Some(services)
}
