//! `cargo xtask selftest`: plants defects and passes only when each is found.

use crate::pipeline::{self, interrupt, platforms};
use crate::selftest::defect::{self, Defect};
use crate::selftest::trial::{self, Outcome};
use anyhow::{Result, bail};
use gauntlet_fixtures::platform::LoadedPlatform;
use std::path::PathBuf;
use std::time::Instant;

/// Breaks the platforms on purpose, each by one defect at a time, and passes only when each defect is found by the right
/// stage with the right cause, and nothing else is raised.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 all found, 1 one was missed, 2 one could not be judged.\n\n\
Examples:\n  cargo xtask selftest\n  cargo xtask selftest --platform globeco --list\n  cargo xtask selftest --platform football --defect pdb-blocks-drain")]
pub struct SelftestArgs {
    /// Only this platform; may be repeated; default: all
    #[arg(long, value_name = "NAME|FOLDER")]
    platform: Vec<String>,
    /// Only these defects
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    defect: Vec<String>,
    /// Only list the defects
    #[arg(long)]
    list: bool,
    /// Seed of every run
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Where the reports go; default: reports/runs/selftest-<time>
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Also what the runs print
    #[arg(long, short)]
    verbose: bool,
}

/// Runs the defects, those of different platforms side by side.
///
/// # Errors
/// When a defect's description cannot be read, or none is left.
pub async fn run(args: &SelftestArgs) -> Result<u8> {
    let repo = pipeline::repo();
    let mut chosen: Vec<(LoadedPlatform, Defect)> = Vec::new();
    for platform in platforms::choose(&repo.join("fixtures"), &args.platform)? {
        let wanted = |d: &Defect| args.defect.is_empty() || args.defect.contains(&d.name);
        chosen.extend(defect::of_platform(&platform)?.into_iter().filter(wanted).map(|d| (platform.clone(), d)));
    }
    if chosen.is_empty() {
        bail!("there is no such defect: `cargo xtask selftest --list` lists them");
    }
    if args.list {
        for (platform, defect) in &chosen {
            let nature = format!("{:?}", defect.description.nature).to_lowercase();
            println!("{:<10} {:<10} {:<36} {}", platform.platform.name, nature, defect.name, defect.description.about);
        }
        return Ok(0);
    }
    let out = args.out.clone().unwrap_or_else(|| repo.join("reports/runs").join(format!("selftest-{}", jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S"))));
    let stop = interrupt::token()?;
    let (mut missed, mut undecided) = (0, 0);
    let count = chosen.len();
    let waves = trial::waves(chosen);
    for (at, wave) in waves.iter().enumerate() {
        eprintln!("run {} of {}:", at + 1, waves.len());
        for (platform, defect) in wave {
            eprintln!("  {}/{}: {}", platform.platform.name, defect.name, defect.description.about);
        }
        let started = Instant::now();
        let report = out.join(format!("run-{}", at + 1));
        let outcomes = tokio::select! {
            outcomes = trial::run(wave, args.seed, &report, !args.verbose) => outcomes?,
            () = stop.cancelled() => bail!("interrupted; `cargo xtask recover` takes back what was left"),
        };
        for ((platform, defect), outcome) in wave.iter().zip(outcomes) {
            let (word, why) = match outcome {
                Outcome::Found(how) => ("found", how),
                Outcome::Missed(why) => {
                    missed += 1;
                    ("MISSED", why)
                }
                Outcome::Inconclusive(why) => {
                    undecided += 1;
                    ("could not judge", why)
                }
            };
            println!("{word}: {}/{}: {why}", platform.platform.name, defect.name);
        }
        eprintln!("run {} of {} took {:.0} s", at + 1, waves.len(), started.elapsed().as_secs_f64());
    }
    println!("selftest: {} of {count} defects found, {missed} missed, {undecided} could not be judged; reports in {}", count - missed - undecided, out.display());
    Ok(if missed > 0 { 1 } else if undecided > 0 { 2 } else { 0 })
}
