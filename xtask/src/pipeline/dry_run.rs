//! `--dry-run`: the plan, without touching anything. The same seed gives the same plan.

use super::Options;
use super::platforms::Chosen;
use anyhow::Result;
use gauntlet_reports::run::StageName;

/// Prints the plan on standard output. Exit code 0: a plan passes nothing and fails nothing.
///
/// # Errors
/// When the manifests cannot be read.
pub async fn print(options: &Options, chosen: &[Chosen]) -> Result<u8> {
    println!("seed {}", options.seed);
    println!("profile {}", options.args.profile);
    for one in chosen {
        println!("platform {} in namespace {}", one.platform.name, one.platform.namespace);
        for stage in options.stages() {
            println!("  {stage}");
            for line in lines(options, one, stage).await? {
                println!("    {line}");
            }
        }
    }
    Ok(0)
}

async fn lines(options: &Options, one: &Chosen, stage: StageName) -> Result<Vec<String>> {
    let platform = &one.platform;
    Ok(match stage {
        StageName::Policies => vec![format!("{} objects of {}", one.production()?.len(), platform.manifests.production)],
        StageName::Deploy => one.kind()?.iter().map(|o| format!("apply {}", o.display_name())).collect(),
        StageName::Load => match &platform.load {
            None => vec!["not applicable: the platform declares no load".into()],
            Some(load) => match load.profiles.get(&options.args.profile) {
                None => vec![format!("no profile {:?}", options.args.profile)],
                Some(p) => vec![
                    format!("{} users for {} s, then {} users for {} s, then {} users for up to {} s", p.quiet_users, p.before_seconds, p.push_users, p.push_seconds, p.quiet_users, p.after_seconds),
                    format!("HPA {} must reach {} replicas and come back", load.hpa, p.expect_replicas),
                ],
            },
        },
        StageName::Soak if platform.websockets.is_empty() => vec!["not applicable: the platform declares no WebSocket".into()],
        StageName::Soak => platform.websockets.iter().map(|w| format!("hold {} connections to {}", w.connections, w.path)).collect(),
        StageName::Chaos if platform.experiments.is_empty() => vec!["not applicable: the platform declares no experiments".into()],
        // Without the cluster: pods have other names in every run, and a plan must not depend on them.
        StageName::Chaos => {
            let planned = gauntlet_chaos::plan::plan(None, &options.chosen_experiments(platform), options.seed).await?;
            planned.iter().flat_map(|p| p.to_string().lines().map(str::to_owned).collect::<Vec<_>>()).collect()
        }
        StageName::Drill if platform.stores.is_empty() => vec!["not applicable: the platform declares no data store".into()],
        StageName::Drill => platform.stores.iter().map(|s| format!("back up {} ({}) under writes, restore into an empty namespace, RPO {} s, RTO {} s", s.name, s.engine, s.rpo_seconds, s.rto_seconds)).collect(),
    })
}
