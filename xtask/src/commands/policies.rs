//! `cargo xtask policies`: judges manifests in memory. Needs no engine, no cluster and no kubeconfig.

mod baseline;
mod fix;
mod human;
mod live;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use baseline::Baseline;
use gauntlet_fixtures::manifest::{Loaded, ManifestError, ManifestSet, MAX_BYTES, Object, load, load_text};
use gauntlet_fixtures::platform::LoadedPlatform;
use gauntlet_fixtures::platform::load::find_above;
use gauntlet_fixtures::platform::load_with_folder;
use gauntlet_policies::{Kubernetes, PolicySet, check};
use gauntlet_reports::finding::{Finding, Severity};
use gauntlet_reports::render::{findings_github, findings_junit, findings_markdown, sarif};
use gauntlet_reports::verdict::Verdict;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Judges Kubernetes manifests: files, folders and kustomizations.
///
/// Exit codes: 0 no finding of severity error (--fail-on), 1 at least one, 2 something could not be judged (and nothing failed).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask policies fixtures/platforms/globeco/manifests/overlays/production\n  \
    cargo xtask policies my-manifests/ --format json\n  \
    cargo xtask policies chart.yaml --set my-set.yaml\n  \
    cargo xtask policies chart.yaml --set pss-restricted --kubernetes 1.30\n  \
    cargo xtask policies my-manifests/ --crds my-operator/crds\n  \
    cargo xtask policies my-manifests/ --format sarif > findings.sarif\n  \
    helm template my-chart | cargo xtask policies - --fail-on warning\n  \
    cargo xtask policies --live --context staging --namespace shop\n  \
    cargo xtask policies my-manifests/ --write-baseline known.json\n  \
    cargo xtask policies my-manifests/ --baseline known.json\n  \
    cargo xtask policies my-manifests/ --diff\n  \
    cargo xtask policies my-manifests/ --fix\n\n\
    A folder with a kustomization.yaml is built as `kubectl kustomize` does. `cargo xtask explain RULE` prints a rule's manual page.")]
pub struct PoliciesArgs {
    /// Files or folders of manifests; `-` is standard input.
    #[arg(required_unless_present = "live", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// A namespace as it stands on a cluster, read-only.
    #[arg(long, conflicts_with = "paths")]
    pub live: bool,
    /// With --live: the context of the kubeconfig. Default: the current one.
    #[arg(long, value_name = "CONTEXT", requires = "live")]
    pub context: Option<String>,
    /// With --live: the namespace. Default: the context's.
    #[arg(long, short, value_name = "NAMESPACE", requires = "live")]
    pub namespace: Option<String>,
    /// For a person or for a program.
    #[arg(long, value_enum, default_value = "human")]
    pub format: Format,
    /// The policy set: which rules, how severe, with which parameters: production, security, pss-baseline, pss-restricted,
    /// that of a platform (football, f1, streaming, crypto, globeco), or a file.
    #[arg(long, value_name = "NAME|FILE", default_value = "production")]
    pub set: PathBuf,
    /// The Kubernetes version that the manifests are for, such as 1.30: what the rules allow depends on it.
    #[arg(long, value_name = "1.N")]
    pub kubernetes: Option<Kubernetes>,
    /// CustomResourceDefinitions that stand elsewhere than the manifests: a file or a folder. Custom resources are judged by them.
    #[arg(long, value_name = "PATH")]
    pub crds: Vec<PathBuf>,
    /// The platform whose waivers hold. Default: the nearest platform.yaml above each PATH.
    #[arg(long, value_name = "FOLDER")]
    pub platform: Option<PathBuf>,
    /// The least severity that makes the exit code 1.
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "error")]
    pub fail_on: FailOn,
    /// Findings that are known: only new ones fail.
    #[arg(long, value_name = "FILE", conflicts_with = "write_baseline")]
    pub baseline: Option<PathBuf>,
    /// Writes what is found now as a baseline, and passes.
    #[arg(long, value_name = "FILE")]
    pub write_baseline: Option<PathBuf>,
    /// Mends what has one right value, in the files under PATH, and reports what is left. Comments and layout stay.
    #[arg(long, conflicts_with_all = ["live", "write_baseline"])]
    pub fix: bool,
    /// Shows what --fix would write, as a unified diff, and writes nothing.
    #[arg(long, conflicts_with_all = ["live", "write_baseline", "fix"])]
    pub diff: bool,
    /// What came over standard input; read once.
    #[arg(skip)]
    pub input: Vec<u8>,
}

/// Texts that stand in no file go by this name.
const STANDARD_INPUT: &str = "standard input";

/// A fix may make the next one possible; more than these in a row make no sense.
const ROUNDS: usize = 4;

/// How the outcome is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Findings with the lines they are about, and one line of summary.
    Human,
    /// One JSON object.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for CI systems that show tests.
    Junit,
    /// A table, for a comment under a pull request.
    Markdown,
    /// Workflow commands: GitHub Actions shows them at their lines.
    Github,
}

/// The least severity that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Everything.
    Info,
    /// Warnings and errors.
    Warning,
    /// Errors.
    Error,
}

impl From<FailOn> for Severity {
    fn from(from: FailOn) -> Self {
        match from {
            FailOn::Info => Severity::Info,
            FailOn::Warning => Severity::Warning,
            FailOn::Error => Severity::Error,
        }
    }
}

/// What came of it.
struct Outcome {
    documents: usize,
    findings: Vec<Finding>,
    errors: Vec<ManifestError>,
    fails_at: Severity,
}

/// Judges and prints. The answer is the exit code.
///
/// # Errors
/// When the policy set cannot be read, or the output cannot be written.
pub async fn run(mut args: PoliciesArgs) -> Result<u8> {
    let set = set(&args.set)?.for_kubernetes(args.kubernetes.unwrap_or_default()).with_definitions(definitions(&args.crds)?);
    let known = args.baseline.as_deref().map(Baseline::read).transpose()?;
    let live = if args.live { Some(live::read(args.context.as_deref(), args.namespace.as_deref()).await?) } else { None };
    if args.paths.iter().any(|path| path == Path::new("-")) {
        if args.fix {
            bail!("--fix writes files, and standard input is none: --diff shows what can be mended");
        }
        // One byte more than what is read at most: enough to say that it is too much.
        std::io::stdin().lock().take(MAX_BYTES as u64 + 1).read_to_end(&mut args.input).context("failed to read standard input")?;
    }
    let today = today();
    let mut outcome = judge(&args, live, &set, &today);
    let gone = known.as_ref().map_or(0, |known| known.apply(&mut outcome.findings));
    if gone > 0 {
        eprintln!("{gone} of the baseline's findings are gone: --write-baseline forgets them");
    }
    if args.diff {
        let texts = BTreeMap::from([(STANDARD_INPUT.to_owned(), std::mem::take(&mut args.input))]);
        let plan = fix::Plan::of(&outcome.findings, &args.paths, &texts);
        eprint!("{}", fix::report(&[], &plan.refused));
        eprintln!("{}; --fix would mend {} of them", human::summary(&outcome), plan.fixed.len());
        print_out(&plan.diff())?;
        return Ok(outcome.verdict().exit_code());
    }
    if args.fix {
        let judge_again = || {
            let mut outcome = judge(&args, None, &set, &today);
            if let Some(known) = &known {
                known.apply(&mut outcome.findings);
            }
            outcome
        };
        eprint!("{}", mend(&mut outcome, &args.paths, judge_again)?);
    }
    if let Some(path) = &args.write_baseline {
        let baseline = Baseline::of(&outcome.findings);
        baseline.apply(&mut outcome.findings);
        baseline.write(path)?;
    }
    let text = outcome.render(args.format, std::io::stdout().is_terminal())?;
    print_out(&format!("{}\n", text.trim_end()))?;
    Ok(outcome.verdict().exit_code())
}

/// The set of `--set`: one that ships, or a file.
///
/// # Errors
/// When it cannot be read: names the place, and the sets that ship.
pub fn set(name_or_path: &Path) -> Result<PolicySet> {
    let names = || PolicySet::names().collect::<Vec<_>>().join(", ");
    PolicySet::open(name_or_path).with_context(|| format!("failed to use {}; the sets that ship are {}", name_or_path.display(), names()))
}

/// The objects below paths that hold CustomResourceDefinitions.
fn definitions(paths: &[PathBuf]) -> Result<Vec<Object>> {
    let mut objects = Vec::new();
    for path in paths {
        let loaded = load(path);
        if let Some(error) = loaded.errors.into_iter().next() {
            return Err(error).with_context(|| format!("failed to read the definitions of --crds {}", path.display()));
        }
        objects.extend(loaded.sets.into_iter().flat_map(|set| set.objects));
    }
    Ok(objects)
}

fn print_out(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads us has seen enough, such as `head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("failed to print the findings"),
    }
}

/// Mends the files until nothing is left that can be mended, and gives the report; the outcome is what is left.
/// What makes a set unreadable, such as a patch for the old API version, is taken back.
fn mend(outcome: &mut Outcome, paths: &[PathBuf], judge_again: impl Fn() -> Outcome) -> Result<String> {
    let mut fixed = Vec::new();
    let mut refused = std::collections::BTreeSet::new();
    for _ in 0..ROUNDS {
        let plan = fix::Plan::of(&outcome.findings, paths, &BTreeMap::new());
        refused.clone_from(&plan.refused);
        if plan.is_empty() {
            break;
        }
        plan.write()?;
        let after = judge_again();
        // Known errors may stand at another line by now.
        let is_new = |error: &&ManifestError| !outcome.errors.iter().any(|known| known.message() == error.message());
        if let Some(error) = after.errors.iter().find(is_new) {
            plan.take_back()?;
            refused.insert(format!("{error}: that is what the fixes would lead to, so they were taken back"));
            break;
        }
        fixed.extend(plan.fixed);
        *outcome = after;
    }
    Ok(fix::report(&fixed, &refused))
}

/// Today in UTC, `YYYY-MM-DD`.
fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

fn judge(args: &PoliciesArgs, live: Option<Loaded>, set: &PolicySet, today: &str) -> Outcome {
    let mut outcome = Outcome { documents: 0, findings: Vec::new(), errors: Vec::new(), fails_at: args.fail_on.into() };
    let mut platforms: BTreeMap<PathBuf, Option<LoadedPlatform>> = BTreeMap::new();
    let paths = args.paths.iter().map(|path| (path.as_path(), None));
    for (path, loaded) in paths.chain(live.map(|loaded| (Path::new("live"), Some(loaded)))) {
        let folder = args.platform.clone().or_else(|| find_above(path).filter(|_| loaded.is_none()));
        if let Some(folder) = &folder
            && !platforms.contains_key(folder)
        {
            let platform = load_with_folder(folder).map_err(|error| outcome.errors.push(error)).ok();
            platforms.insert(folder.clone(), platform);
        }
        let platform = folder.and_then(|folder| platforms.get(&folder)).and_then(Option::as_ref);
        let loaded = loaded.unwrap_or_else(|| if path == Path::new("-") { load_text(&args.input, STANDARD_INPUT) } else { load(path) });
        outcome.documents += loaded.documents();
        outcome.errors.extend(loaded.errors);
        for manifests in loaded.sets {
            outcome.findings.extend(judge_set(&manifests, platform, set, today));
        }
    }
    outcome.findings.sort_by(|a, b| (&a.location, &a.rule, &a.field).cmp(&(&b.location, &b.rule, &b.field)));
    // A path inside another one is named twice and judged twice, but reported once.
    outcome.findings.dedup();
    outcome
}

fn judge_set(manifests: &ManifestSet, platform: Option<&LoadedPlatform>, set: &PolicySet, today: &str) -> Vec<Finding> {
    let waivers = platform.map(|loaded| loaded.platform.waivers.as_slice()).unwrap_or_default();
    let mut findings = check(&manifests.objects, set, waivers, today);
    let Some(platform) = platform else { return findings };
    // Waivers speak of what ships: elsewhere, one that covers nothing is no mistake.
    let ships = same_place(&manifests.path, &platform.production());
    findings.retain(|finding| ships || finding.name != "waiver");
    for finding in findings.iter_mut().filter(|finding| finding.name == "waiver") {
        let index = finding.field.trim_start_matches("waivers[").trim_end_matches(']').parse::<usize>();
        let waivers = platform.root.get("waivers").map(|waivers| waivers.items()).unwrap_or_default();
        if let Some(node) = index.ok().and_then(|index| waivers.get(index)) {
            finding.location = node.source.location();
        }
    }
    findings
}

fn same_place(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

impl Outcome {
    fn verdict(&self) -> Verdict {
        let fails = |finding: &Finding| finding.severity >= self.fails_at && finding.stands();
        if self.findings.iter().any(fails) {
            Verdict::Fail
        } else if self.errors.is_empty() {
            Verdict::Pass
        } else {
            Verdict::Inconclusive
        }
    }

    fn render(&self, format: Format, styled: bool) -> Result<String> {
        let unreadable: Vec<String> = self.errors.iter().map(ToString::to_string).collect();
        Ok(match format {
            Format::Human => human::render(self, styled),
            Format::Json => format!("{:#}", self.to_json()),
            Format::Sarif => sarif::of_findings(&self.findings)?,
            Format::Junit => findings_junit::render(&self.findings, &unreadable, self.documents, self.fails_at)?,
            Format::Markdown => findings_markdown::render(&self.findings, &unreadable, &human::summary(self)),
            Format::Github => findings_github::render(&self.findings, &unreadable),
        })
    }

    fn to_json(&self) -> serde_json::Value {
        let errors = self.errors.iter().map(|error| match error.source_at() {
            Some(source) => json!({"file": &*source.file, "line": source.line, "column": source.column, "message": error.message()}),
            None => json!({"message": error.to_string()}),
        });
        json!({
            "verdict": self.verdict(),
            "documents": self.documents,
            "findings": self.findings,
            "errors": errors.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests;
