//! `--dry-run`: the plan, without touching anything. The same seed gives the same plan.

use super::Options;
use anyhow::Result;
use gauntlet_fixtures::platform::{LoadedPlatform, WebSocketEndpoint};
use gauntlet_reports::run::StageName;

/// Prints the plan on standard output. Exit code 0: a plan passes nothing and fails nothing.
///
/// # Errors
/// When the manifests cannot be read.
pub async fn print(options: &Options, chosen: &[LoadedPlatform]) -> Result<u8> {
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

async fn lines(options: &Options, one: &LoadedPlatform, stage: StageName) -> Result<Vec<String>> {
    let platform = &one.platform;
    Ok(match stage {
        StageName::Policies => vec![format!("{} objects of {}", one.production_objects()?.len(), platform.manifests.production)],
        StageName::Deploy => one.kind_objects()?.iter().map(|o| format!("apply {}", o.display_name())).collect(),
        StageName::Load => match &platform.load {
            None => vec!["not applicable: the platform declares no load".into()],
            Some(load) => match load.profiles.get(&options.args.profile) {
                None => vec![format!("no profile {:?}", options.args.profile)],
                Some(p) => [
                    format!("{} users for {} s, then {} users for {} s, then {} users for up to {} s", p.quiet_users, p.before_seconds, p.push_users, p.push_seconds, p.quiet_users, p.after_seconds),
                    ].into_iter().chain(load.targets.iter().map(|t| format!("HPA {} must reach {} replicas and come back", t.hpa, t.expect_replicas.get(&options.args.profile).copied().unwrap_or_default()))).collect(),
            },
        },
        StageName::Soak if platform.websockets.is_empty() => vec!["not applicable: the platform declares no WebSocket".into()],
        StageName::Soak => platform.websockets.iter().map(|w| soak(w, &options.args.profile)).collect(),
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

fn soak(socket: &WebSocketEndpoint, profile: &str) -> String {
    match socket.profiles.get(profile) {
        Some(p) => format!("{}: hold {} connections to {} for {} s, {} messages a second on each, and delete a pod of {}", socket.name, p.connections, socket.path, p.seconds, p.messages_per_second, socket.workload),
        None => format!("{}: no profile {profile:?}", socket.name),
    }
}
