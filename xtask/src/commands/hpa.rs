//! `cargo xtask hpa`: the autoscaling calculator without a cluster: a recorded run judged again, or run forward.

use anyhow::{Context as _, Result, bail};
use gauntlet_fixtures::manifest::{Object, read_objects};
use gauntlet_loadtests::oracle::ControllerSettings;
use gauntlet_loadtests::oracle::compare::Outcome;
use gauntlet_loadtests::oracle::quantity::milli;
use gauntlet_loadtests::oracle::replay::replay;
use gauntlet_loadtests::oracle::simulate::{Demand, Scenario, Sync, simulate};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a HorizontalPodAutoscaler decided, or would decide. Needs no cluster.
#[derive(Debug, clap::Args)]
pub struct HpaArgs {
    #[command(subcommand)]
    verb: HpaVerb,
}

#[derive(Debug, clap::Subcommand)]
enum HpaVerb {
    Replay(ReplayArgs),
    Simulate(SimulateArgs),
}

/// Judges the decisions of a recorded run again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 every judged decision was right, 1 one was not, 2 could not judge.\n\nExamples:\n  \
    cargo xtask hpa replay reports/runs/20261121-160250-76cc\n  \
    cargo xtask hpa replay reports/runs/20261121-160250-76cc/globeco/hpa.jsonl")]
pub struct ReplayArgs {
    /// A run's folder, or one of its hpa*.jsonl.
    #[arg(value_name = "EVENTS")]
    events: PathBuf,
    /// Every decision, not only the wrong ones.
    #[arg(short, long)]
    verbose: bool,
}

/// Says what an HPA would do under a stated demand, sync by sync.
///
/// The demand is shared evenly by the pods that are ready. In the unit of the metric: cores, bytes, or whatever a custom metric counts.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask hpa simulate fixtures/platforms/globeco/manifests/overlays/production \\\n    \
    --demand cpu=0:600m,60:4,600:600m --demand memory=0:1Gi --demand http_requests_per_second=0:10,60:200,600:10\n  \
    cargo xtask hpa simulate my-manifests/ --hpa web --demand cpu=0:1,30:8 --ready-after 20 --for 900")]
pub struct SimulateArgs {
    /// A kustomization, a folder of plain files or a file.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The HPA, where there is more than one.
    #[arg(long, value_name = "NAME")]
    hpa: Option<String>,
    /// METRIC=SECONDS:QUANTITY,…: from then on that much, of all pods together. One for each metric.
    #[arg(long = "demand", value_name = "METRIC=DEMAND", required = true)]
    demands: Vec<String>,
    /// Seconds until a new pod is ready.
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    ready_after: u64,
    /// Seconds that are simulated.
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 900)]
    seconds: u64,
    /// Seconds between two syncs of the controller.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..))]
    sync: u64,
    /// Replicas at the start; else the minimum.
    #[arg(long, value_name = "N")]
    replicas: Option<i32>,
    /// `json` gives every sync, the table only the changes.
    #[arg(long, value_name = "FORMAT", default_value = "table", value_parser = ["table", "json"])]
    format: String,
}

/// Runs a verb.
///
/// # Errors
/// When the input cannot be read, or does not fit the HPA.
pub fn run(args: &HpaArgs) -> Result<u8> {
    match &args.verb {
        HpaVerb::Replay(args) => judge_again(args),
        HpaVerb::Simulate(args) => run_forward(args),
    }
}

/// The recordings below a folder, or the one file.
fn recordings(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let is_recording = |p: &PathBuf| {
        let name = p.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        name.starts_with("hpa") && name.ends_with(".jsonl")
    };
    let entries = |folder: &Path| -> Result<Vec<PathBuf>> {
        let read = std::fs::read_dir(folder).with_context(|| format!("failed to read {}", folder.display()))?;
        Ok(read.filter_map(|e| e.ok().map(|e| e.path())).collect())
    };
    let mut found = Vec::new();
    for entry in entries(path)? {
        if entry.is_dir() {
            found.extend(entries(&entry)?.into_iter().filter(is_recording));
        } else if is_recording(&entry) {
            found.push(entry);
        }
    }
    found.sort();
    if found.is_empty() {
        bail!("{} holds no hpa*.jsonl: it is no run's folder, or the run had no load stage", path.display());
    }
    Ok(found)
}

fn judge_again(args: &ReplayArgs) -> Result<u8> {
    let (mut judged, mut wrong) = (0, 0);
    for path in recordings(&args.events)? {
        let file = std::fs::File::open(&path).with_context(|| format!("failed to read {}", path.display()))?;
        let comparisons = replay(std::io::BufReader::new(file)).with_context(|| format!("{}", path.display()))?;
        let of = |outcome: &Outcome| comparisons.iter().filter(|c| c.outcome == *outcome).count();
        let (right, bad) = (of(&Outcome::Agrees), of(&Outcome::Disagrees));
        println!("{}: {} decisions: {right} right, {bad} wrong, {} not judged", path.display(), comparisons.len(), comparisons.len() - right - bad);
        for comparison in &comparisons {
            match &comparison.outcome {
                Outcome::Disagrees => println!("  wrong: {}", comparison.text()),
                Outcome::Agrees if args.verbose => println!("  right: {}", comparison.text()),
                Outcome::NotJudged(why) if args.verbose => println!("  not judged: {}: {why}", comparison.text()),
                _ => {}
            }
        }
        judged += right + bad;
        wrong += bad;
    }
    Ok(match (judged, wrong) {
        (0, _) => 2,
        (_, 0) => 0,
        _ => 1,
    })
}

fn run_forward(args: &SimulateArgs) -> Result<u8> {
    let objects = read_objects(&args.path)?;
    let hpa = chosen(&objects, args.hpa.as_deref())?;
    let json = hpa.to_json();
    let hpa: HorizontalPodAutoscaler = serde_json::from_value(json.clone()).with_context(|| format!("{} is no HorizontalPodAutoscaler of autoscaling/v2", hpa.name))?;
    let least = hpa.spec.as_ref().and_then(|s| s.min_replicas).unwrap_or(1);
    let most = hpa.spec.as_ref().map_or(1, |s| s.max_replicas);
    let replicas = args.replicas.unwrap_or(least);
    if replicas < 1 || replicas > most {
        bail!("--replicas {replicas}: 1 to {most} is wanted, the HPA's maximum");
    }
    let mut demands = BTreeMap::new();
    for text in &args.demands {
        let (metric, demand) = text.split_once('=').with_context(|| format!("--demand {text}: METRIC=SECONDS:QUANTITY,… is wanted, such as cpu=0:600m,60:4"))?;
        demands.insert(metric.to_owned(), Demand::parse(demand)?);
    }
    let settings = ControllerSettings { sync_period_ms: args.sync * 1000, ..ControllerSettings::default() };
    let scenario = Scenario {
        demands,
        requests: requests(&objects, &json),
        ready_after_ms: args.ready_after * 1000,
        replicas,
        until_ms: args.seconds * 1000,
        settings,
        hpa,
    };
    let syncs = simulate(&scenario)?;
    if args.format == "json" {
        println!("{}", serde_json::to_string_pretty(&syncs)?);
    } else {
        print!("{}", table(&syncs, most));
    }
    Ok(0)
}

fn chosen<'a>(objects: &'a [Object], name: Option<&str>) -> Result<&'a Object> {
    let all: Vec<_> = objects.iter().filter(|o| o.kind == "HorizontalPodAutoscaler").collect();
    let names = || all.iter().map(|o| o.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, all.as_slice()) {
        (_, []) => bail!("there is no HorizontalPodAutoscaler among these manifests"),
        (None, [one]) => Ok(one),
        (None, _) => bail!("there are several HPAs, --hpa chooses one: {}", names()),
        (Some(name), _) => all.iter().find(|o| o.name == name).copied().with_context(|| format!("there is no HPA {name}; there are: {}", names())),
    }
}

/// What a pod of the HPA's target requests of each resource, in thousandths: the sum of its containers, as the controller adds.
fn requests(objects: &[Object], hpa: &Value) -> BTreeMap<String, i64> {
    let target = |pointer: &str| hpa.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (kind, name) = (target("/spec/scaleTargetRef/kind"), target("/spec/scaleTargetRef/name"));
    let mut sum = BTreeMap::new();
    let Some(workload) = objects.iter().find(|o| o.kind == kind && o.name == name) else { return sum };
    let json = workload.to_json();
    for container in json.pointer("/spec/template/spec/containers").and_then(Value::as_array).into_iter().flatten() {
        for (resource, amount) in container.pointer("/resources/requests").and_then(Value::as_object).into_iter().flatten() {
            let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
            *sum.entry(resource.clone()).or_default() += milli(&text).unwrap_or(0);
        }
    }
    sum
}

/// The syncs at which something changed.
fn table(syncs: &[Sync], most: i32) -> String {
    let mut text = format!("{:>7}  {:>8}  {:>5}  {:>5}  {:>7}  metrics (measured/wanted)\n", "seconds", "replicas", "ready", "asked", "decided");
    let mut last = None;
    for sync in syncs {
        let shown = (sync.replicas, sync.ready, sync.asked, sync.desired);
        if last.replace(shown) == Some(shown) {
            continue;
        }
        let readings: Vec<_> = sync.readings.iter().map(|(name, now, wanted)| format!("{name} {now}/{wanted}")).collect();
        let Sync { replicas, ready, asked, desired, .. } = sync;
        text += &format!("{:>7}  {replicas:>8}  {ready:>5}  {asked:>5}  {desired:>7}  {}\n", sync.at_ms / 1000, readings.join(", "));
    }
    let peak = syncs.iter().map(|s| s.desired).max().unwrap_or(0);
    let short = syncs.iter().filter(|s| s.asked > most).count();
    text += &format!("at most {peak} replicas");
    if short > 0 {
        text += &format!("; {short} of {} syncs asked for more than the maximum of {most}", syncs.len());
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globeco() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/platforms/globeco/manifests/overlays/production")
    }

    fn args(demands: &[&str]) -> SimulateArgs {
        SimulateArgs {
            path: globeco(),
            hpa: None,
            demands: demands.iter().map(|d| (*d).to_owned()).collect(),
            ready_after: 10,
            seconds: 600,
            sync: 15,
            replicas: None,
            format: "table".into(),
        }
    }

    #[test]
    fn requests_are_those_of_the_target() {
        let objects = read_objects(&globeco()).expect("reads");
        let hpa = chosen(&objects, None).expect("one HPA").to_json();
        let requests = requests(&objects, &hpa);
        assert!(requests["cpu"] > 0 && requests["memory"] > requests["cpu"], "{requests:?}");
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let told = |args: &SimulateArgs| run_forward(args).expect_err("does not fit").to_string();
        assert!(told(&args(&["cpu"])).contains("METRIC=SECONDS:QUANTITY"));
        assert!(told(&args(&["cpu=0:1"])).contains("no demand is given for it"));
        assert!(told(&SimulateArgs { hpa: Some("web".into()), ..args(&["cpu=0:1"]) }).contains("there is no HPA web; there are: "));
        assert!(told(&SimulateArgs { replicas: Some(99), ..args(&["cpu=0:1"]) }).contains("1 to 20 is wanted"));
    }

    #[test]
    fn a_folder_without_recordings_is_told() {
        let folder = tempfile::tempdir().expect("folder");
        assert!(recordings(folder.path()).expect_err("empty").to_string().contains("holds no hpa*.jsonl"));
    }
}
