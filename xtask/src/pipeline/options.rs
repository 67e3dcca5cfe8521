//! What a run was asked to do, with its identity.

use crate::commands::verify::VerifyArgs;
use anyhow::{Result, bail};
use gauntlet_fixtures::platform::Platform;
use gauntlet_reports::render::live::{Detail, LiveFormat, LiveOptions};
use gauntlet_reports::run::StageName;
use std::path::PathBuf;

/// A run's options, with everything drawn that was left open.
#[derive(Debug, Clone)]
pub struct Options {
    /// The command line.
    pub args: VerifyArgs,
    /// Unique, sortable by time: `20261121-083542-1a2b`.
    pub run_id: String,
    /// The seed of everything random.
    pub seed: u64,
    /// Wall-clock start, RFC 3339.
    pub started_at: String,
}

impl Options {
    /// Draws the seed and the run's id.
    pub fn new(args: VerifyArgs) -> Self {
        let now = jiff::Timestamp::now();
        // 53 bits: a seed survives every JSON reader.
        let seed = args.seed.unwrap_or_else(|| rand::random::<u64>() >> 11);
        let run_id = format!("{}-{:04x}", now.strftime("%Y%m%d-%H%M%S"), rand::random::<u16>());
        Options { run_id, seed, started_at: now.to_string(), args }
    }

    /// How the run is shown while it goes on.
    pub fn live(&self) -> LiveOptions {
        let format = if self.args.format == "json" { LiveFormat::Json } else { LiveFormat::Human };
        let detail = match (self.args.quiet, self.args.verbose) {
            (true, _) => Detail::Quiet,
            (_, true) => Detail::Verbose,
            _ => Detail::Normal,
        };
        LiveOptions { format, detail, ..LiveOptions::default() }
    }

    /// Today, `YYYY-MM-DD`, for waivers.
    pub fn today(&self) -> &str {
        self.started_at.get(..10).unwrap_or(&self.started_at)
    }

    /// The stages that were chosen, in their order.
    pub fn stages(&self) -> Vec<StageName> {
        let chosen = |stage: &StageName| self.args.only.is_empty() || self.args.only.contains(stage);
        let needs_platform = self.args.only.iter().any(|s| ![StageName::Policies, StageName::Deploy].contains(s));
        StageName::ALL.into_iter().filter(|s| chosen(s) || (needs_platform && *s == StageName::Deploy)).collect()
    }

    /// The platform with only the experiments that were chosen: by name, else those of the run's profile.
    pub fn chosen_experiments(&self, platform: &Platform) -> Platform {
        let mut platform = platform.clone();
        let names = &self.args.experiment;
        let of_profile = |profiles: &[String]| profiles.is_empty() || profiles.contains(&self.args.profile);
        platform.experiments.retain(|e| if names.is_empty() { of_profile(&e.profiles) } else { names.contains(&e.name) });
        platform
    }

    /// True when a cluster is needed.
    pub fn needs_cluster(&self) -> bool {
        self.stages().iter().any(|s| *s != StageName::Policies)
    }

    /// The report's folder. Refuses a file, and a folder that holds another run.
    ///
    /// # Errors
    /// Says what is in the way.
    pub fn out(&self, repo: &std::path::Path) -> Result<PathBuf> {
        let out = self.args.out.clone().unwrap_or_else(|| repo.join("reports/runs").join(&self.run_id));
        if out.is_file() {
            bail!("{} is a file: name a folder with --out", out.display());
        }
        if out.join("events.jsonl").exists() {
            bail!("{} holds another run: name an empty folder with --out", out.display());
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: VerifyArgs,
    }

    fn chosen(line: &[&str]) -> Vec<String> {
        let experiment = |name: &str, profiles: &[&str]| {
            serde_json::json!({"name": name, "fault": "delete-pod", "target": {"workload": "Deployment/api"}, "rtoSeconds": 60, "errorBudget": 0.1, "profiles": profiles})
        };
        let platform: Platform = serde_json::from_value(serde_json::json!({
            "name": "shop", "description": "", "namespace": "shop", "manifests": {"production": "m", "kind": "m"},
            "experiments": [experiment("always", &[]), experiment("at-night", &["standard", "certify"])],
        }))
        .expect("a platform");
        let args = Line::try_parse_from(["verify"].iter().chain(line)).expect("flags").args;
        Options::new(args).chosen_experiments(&platform).experiments.into_iter().map(|e| e.name).collect()
    }

    #[test]
    fn experiments_are_of_the_profile_unless_they_are_asked_for_by_name() {
        assert_eq!(chosen(&[]), ["always"]);
        assert_eq!(chosen(&["--profile", "standard"]), ["always", "at-night"]);
        assert_eq!(chosen(&["--experiment", "at-night"]), ["at-night"]);
    }
}
