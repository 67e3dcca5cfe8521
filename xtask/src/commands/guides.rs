//! `cargo xtask guides`: docs/guides.md, made of the platforms' `facts.yaml`, their manifests and a run.

use crate::pipeline::{self, platforms};
use anyhow::{Context as _, Result};
use gauntlet_fixtures::facts::{self, Standing};
use gauntlet_reports::run::{PlatformReport, Run};
use gauntlet_reports::verdict::Verdict;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Writes docs/guides.md: each fact of each deployment guide, where the fixture holds it, which check watches it, and what
/// the last run said.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 written (with --check: up to date), 1 a fact does not hold, or with --check the file is old.\n\n\
Examples:\n  cargo xtask guides\n  cargo xtask guides --run reports/runs/20261121-114500-1a2b/run.json")]
pub struct GuidesArgs {
    /// A run whose verdicts are written beside the facts; default: the newest of reports/runs
    #[arg(long, value_name = "RUN.JSON")]
    run: Option<PathBuf>,
    /// Write nothing; say whether the facts in the file are up to date
    #[arg(long)]
    check: bool,
}

/// Writes or checks the file.
///
/// # Errors
/// When facts, manifests or the run cannot be read.
pub fn run(args: &GuidesArgs) -> Result<u8> {
    let repo = pipeline::repo();
    let run: Option<Run> = match args.run.clone().or_else(|| if args.check { None } else { newest(&repo) }) {
        Some(path) => {
            let text = std::fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
            Some(serde_json::from_str(&text).with_context(|| format!("{} is no run", path.display()))?)
        }
        None => None,
    };
    let mut text = String::from(HEAD);
    let mut broken = Vec::new();
    for platform in platforms::choose(&repo.join("fixtures"), &[])? {
        let Some(standing) = facts::stand(&platform)? else { continue };
        let guide = facts::load(&platform.folder)?.map(|f| f.guide).unwrap_or_default();
        let report = run.as_ref().and_then(|r| r.platforms.iter().find(|p| p.name == platform.platform.name));
        broken.extend(standing.iter().flat_map(|s| s.broken.clone()));
        section(&mut text, &platform.platform.name, &guide, &standing, report, &repo.display().to_string())?;
    }
    let path = repo.join("docs/guides.md");
    if args.check {
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        let fresh = facts_of(&old) == facts_of(&text);
        println!("docs/guides.md {}", if fresh { "is up to date" } else { "is old: run `cargo xtask guides`" });
        return Ok(u8::from(!fresh || !broken.is_empty()));
    }
    std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    broken.iter().for_each(|why| eprintln!("does not hold: {why}"));
    println!("{}", path.display());
    Ok(u8::from(!broken.is_empty()))
}

const HEAD: &str = "# The guides, fact by fact\n\nMade by `cargo xtask guides` of each platform's `facts.yaml`. *Held*: the manifests of what ships hold it, and the\n\
assertion `policies.guide_facts` compares them at every run. *Watched*: assertions of a run that show it.\n";

fn section(text: &mut String, name: &str, guide: &str, standing: &[Standing], report: Option<&PlatformReport>, root: &str) -> std::fmt::Result {
    let unwatched = standing.iter().filter(|s| s.fact.holds.is_empty() && s.fact.watched.is_empty()).count();
    write!(text, "\n## {name}: {guide}\n\n{} facts, {unwatched} without a check.\n\n| section | fact | held at | watched by | last run |\n| --- | --- | --- | --- | --- |\n", standing.len())?;
    for one in standing {
        let prefix = format!("{root}/");
        let places: Vec<_> = one.places.iter().take(3).map(|p| p.trim_start_matches(&prefix).trim_start_matches(&format!("fixtures/platforms/{name}/")).to_owned()).collect();
        let more = one.places.len().saturating_sub(3);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let watched = one.fact.watched.join(", ");
        let note = one.fact.note.as_deref().unwrap_or_default();
        let checked_by = if watched.is_empty() && one.fact.holds.is_empty() { format!("**no check**: {note}") } else if note.is_empty() { watched } else { format!("{watched} {note}") };
        writeln!(text, "| {} | {} | {}{more} | {} | {} |", cell(&one.fact.section), cell(&one.fact.fact), cell(&places.join(", ")), cell(checked_by.trim()), said(one, report))?;
    }
    Ok(())
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The verdict of a fact: what does not hold now, else what the run said.
fn said(one: &Standing, report: Option<&PlatformReport>) -> String {
    if !one.broken.is_empty() {
        return "does not hold".to_owned();
    }
    let Some(report) = report else { return String::new() };
    let mut verdicts = Vec::new();
    for stage in &report.stages {
        let meant = |id: &str| one.fact.watched.iter().any(|p| facts::means(p, &format!("{}/{id}", stage.name)));
        verdicts.extend(stage.assertions.iter().filter(|a| meant(&a.id)).map(|a| a.verdict));
        if !one.fact.holds.is_empty() {
            verdicts.extend(stage.assertions.iter().filter(|a| a.id == "policies.guide_facts" && a.verdict == Verdict::Pass).map(|a| a.verdict));
        }
    }
    if verdicts.is_empty() && !one.fact.watched.is_empty() {
        return "not in that run".to_owned();
    }
    if verdicts.is_empty() { String::new() } else { Verdict::of(verdicts).to_string() }
}

/// The file without its last column: what does not depend on a run.
fn facts_of(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.rsplitn(3, " | ").last().unwrap_or(line)).collect()
}

fn newest(repo: &std::path::Path) -> Option<PathBuf> {
    let runs = std::fs::read_dir(repo.join("reports/runs")).ok()?;
    runs.filter_map(|e| Some(e.ok()?.path().join("run.json"))).filter(|p| p.is_file()).max()
}
