//! `cargo xtask verify`: everything, one verdict.

use crate::pipeline::{self, Options};
use anyhow::Result;
use gauntlet_reports::run::StageName;
use std::path::PathBuf;

/// Takes platforms through policies, deployment, load, soak, faults and a restore drill on a real cluster, and gives
/// one verdict with a report.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Exit code: 0 everything passed, 1 something failed, 2 could not judge (and nothing failed).\n\n\
Examples:\n  cargo xtask verify\n  cargo xtask verify --platform globeco --only policies,deploy\n  \
cargo xtask verify --platform ./my-platform --profile standard --seed 7\n  cargo xtask verify --platform globeco --dry-run")]
pub struct VerifyArgs {
    /// A platform of fixtures/platforms by name, or a folder that holds a platform.yaml. May be repeated; default: all.
    #[arg(long, value_name = "NAME|FOLDER")]
    pub platform: Vec<String>,
    /// Only these stages: policies, deploy, load, soak, chaos, drill. Stages that need a deployed platform deploy it.
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    pub only: Vec<StageName>,
    /// Only these experiments of the chaos stage, by name.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub experiment: Vec<String>,
    /// Seed of everything random: targets, data, think times. Default: drawn, and printed.
    #[arg(long)]
    pub seed: Option<u64>,
    /// How long the stages take: quick for a change, standard for a night, certify before a release. platform.yaml says what each means.
    #[arg(long, default_value = "quick", value_parser = gauntlet_fixtures::platform::load::PROFILES)]
    pub profile: String,
    /// Where the report goes. Default: reports/runs/<run id>.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the plan (targets, seed, expected effects) and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Make a new cluster even when a warm one stands.
    #[arg(long)]
    pub fresh: bool,
    /// Leave the platform deployed at the end.
    #[arg(long)]
    pub keep: bool,
    /// Install nothing; say what to do instead.
    #[arg(long)]
    pub no_provision: bool,
    /// Do not ask before installing something system-wide.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Use this context of the kubeconfig instead of the suite's kind cluster. It must be in the allow-list.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Only verdicts.
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Also notes, watch events and samples.
    #[arg(long, short)]
    pub verbose: bool,
    /// What goes to the terminal: lines for a person, or one JSON event a line on standard output.
    #[arg(long, default_value = "human", value_parser = ["human", "json"])]
    pub format: String,
}

/// Runs the pipeline. The exit code is the verdict's.
///
/// # Errors
/// When nothing could be judged: bad input, a second run, no disk.
pub async fn run(args: VerifyArgs) -> Result<u8> {
    pipeline::run(Options::new(args)).await
}
