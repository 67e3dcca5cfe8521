//! `cargo xtask bench policies`: how fast manifests are judged, and beside whom.

use crate::bench::child::{Program, Run, measure};
use crate::bench::outcome::{Outcome, growth, table};
use crate::bench::peers::PEERS;
use crate::machine::own_program;
use crate::provision::context::Context;
use anyhow::{Context as _, Result};
use gauntlet_fixtures::manifest::load;
use gauntlet_policies::corpus;
use gauntlet_policies::registry::RULES;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Measures parts of the suite.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    Policies(PoliciesBench),
}

/// Manifests in a second and memory: all rules, a bare parse, and other checkers, on one generated corpus.
///
/// Every run is a process of its own, and the programs take turns. The table goes to standard output, the numbers to
/// reports/bench/.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask bench policies\n  cargo xtask bench policies --documents 1000 --runs 3\n  cargo xtask bench policies --fetch-peers --schemas my-schemas/{{.ResourceKind}}.json")]
struct PoliciesBench {
    /// Sizes of the corpus, in documents.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1000,5000,20000")]
    documents: Vec<usize>,
    /// Runs of each program on each corpus.
    #[arg(long, value_name = "N", default_value = "7", value_parser = clap::value_parser!(u32).range(1..1000))]
    runs: u32,
    /// The corpus is the same for the same seed.
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
    /// Build the other checkers from their Go modules into the cache.
    #[arg(long)]
    fetch_peers: bool,
    /// kube-score's program. Default: on the PATH.
    #[arg(long, value_name = "FILE")]
    kube_score: Option<PathBuf>,
    /// kubeconform's program. Default: on the PATH.
    #[arg(long, value_name = "FILE")]
    kubeconform: Option<PathBuf>,
    /// kube-linter's program. Default: on the PATH.
    #[arg(long, value_name = "FILE")]
    kube_linter: Option<PathBuf>,
    /// Where kubeconform finds schemas without the network.
    #[arg(long, value_name = "LOCATION")]
    schemas: Option<String>,
}

/// The bare parse's name in the table.
const PARSE: &str = "parse only";
/// Ours.
const OURS: &str = "gauntlet, all rules";

/// Measures.
///
/// # Errors
/// When the corpus cannot be written, or one of our own runs fails.
pub async fn run(args: &BenchArgs, ctx: &Context) -> Result<u8> {
    let Part::Policies(args) = &args.part;
    let folder = tempfile::tempdir().context("failed to make a folder for the corpus")?;
    let set = folder.path().join("everything.yaml");
    let rules: String = RULES.iter().map(|rule| format!("  {}: {{severity: warning}}\n", rule.name)).collect();
    std::fs::write(&set, format!("name: everything\nrules:\n{rules}"))?;
    let peers = peers(args, ctx).await;
    let mut outcomes = Vec::new();
    for documents in &args.documents {
        let corpus = folder.path().join(format!("corpus-{documents}"));
        let documents = write(&corpus, args.seed, *documents)?;
        let mut programs = vec![ours(PARSE, &["internal-parse"], &corpus)?, ours(OURS, &["policies", "--format", "json", "--set", &set.display().to_string()], &corpus)?];
        for (at, path) in &peers {
            match PEERS[*at].program(path.clone(), &corpus, args.schemas.as_deref()) {
                Ok(program) => programs.push(program),
                Err(error) => eprintln!("{} is left out: {error:#}", PEERS[*at].name),
            }
        }
        outcomes.extend(measured(&programs, documents, args.runs)?);
    }
    print!("{}", table(&outcomes, PARSE));
    for name in [PARSE, OURS] {
        if let Some(growth) = growth(&outcomes, name) {
            println!("{name}: a document costs {growth:.2} times as much in the largest corpus as in the smallest");
        }
    }
    let path = keep(ctx, args, &outcomes)?;
    println!("{}", path.display());
    Ok(0)
}

/// The corpus in a folder; gives the number of its documents.
fn write(folder: &Path, seed: u64, documents: usize) -> Result<usize> {
    std::fs::create_dir(folder)?;
    let mut files = 0;
    for (name, text) in corpus::files(seed, documents) {
        std::fs::write(folder.join(&name), text).with_context(|| format!("failed to write {name}"))?;
        files += 1;
    }
    Ok(files * corpus::DOCUMENTS_PER_FILE)
}

fn ours(name: &str, words: &[&str], corpus: &Path) -> Result<Program> {
    let arguments = words.iter().map(|word| (*word).to_owned()).chain([corpus.display().to_string()]).collect();
    Ok(Program { name: name.to_owned(), path: own_program()?, arguments })
}

/// The checkers that are there, by their place in the list. Those that are not are named, with what helps.
async fn peers(args: &PoliciesBench, ctx: &Context) -> Vec<(usize, PathBuf)> {
    let mut found = Vec::new();
    let flags = [&args.kube_score, &args.kubeconform, &args.kube_linter];
    for (at, (peer, flag)) in PEERS.iter().zip(flags).enumerate() {
        let there = peer.find(flag.as_deref(), ctx.cache.root());
        let there = if there.is_err() && args.fetch_peers && flag.is_none() { peer.build(ctx).await } else { there };
        match there {
            Ok(path) => found.push((at, path)),
            Err(error) => eprintln!("{} is left out: {error:#}", peer.name),
        }
    }
    found
}

/// The programs take turns: what disturbs the machine for a while disturbs all of them.
fn measured(programs: &[Program], documents: usize, runs: u32) -> Result<Vec<Outcome>> {
    let mut all: Vec<Vec<Run>> = vec![Vec::new(); programs.len()];
    let mut broken = vec![false; programs.len()];
    for _ in 0..runs {
        for (at, program) in programs.iter().enumerate().filter(|(at, _)| !broken[*at]).collect::<Vec<_>>() {
            match measure(program) {
                Ok(run) => all[at].push(run),
                Err(error) if program.name == PARSE || program.name == OURS => return Err(error),
                Err(error) => {
                    eprintln!("{} is left out: {error:#}", program.name);
                    broken[at] = true;
                }
            }
        }
    }
    let one = |(at, program): (usize, &Program)| Outcome::of(&program.name, documents, &all[at]).filter(|_| !broken[at]);
    Ok(programs.iter().enumerate().filter_map(one).collect())
}

/// The numbers as JSON, under the time that they were taken.
fn keep(ctx: &Context, args: &PoliciesBench, outcomes: &[Outcome]) -> Result<PathBuf> {
    let folder = ctx.repo.join("reports/bench");
    std::fs::create_dir_all(&folder)?;
    let now = jiff::Timestamp::now();
    let path = folder.join(format!("policies-{}.json", now.strftime("%Y%m%dT%H%M%SZ")));
    let cores = std::thread::available_parallelism().map(usize::from).unwrap_or(1);
    let json = json!({"at": now.to_string(), "seed": args.seed, "rules": RULES.len(), "cores": cores, "outcomes": outcomes});
    std::fs::write(&path, format!("{json:#}\n")).with_context(|| format!("failed to write {}", path.display()))?;
    Ok(path)
}

/// Reads manifests and does nothing with them: what every judgement pays at least.
#[derive(Debug, clap::Args)]
pub struct ParseArgs {
    path: PathBuf,
}

/// Reads.
pub fn parse_only(args: &ParseArgs) -> u8 {
    let loaded = load(&args.path);
    println!("{} documents, {} errors", loaded.documents(), loaded.errors.len());
    u8::from(!loaded.errors.is_empty()) * 2
}
