//! `cargo xtask doctor`: what the machine has, what is missing, what verify would do about it.

use crate::machine::{Engine, Facts};
use crate::pipeline::platforms;
use crate::provision::context::Context;
use crate::provision::needed::Needed;
use crate::provision::plan::{Action, Reach, plan};
use anyhow::Result;
use serde::Serialize;

/// What this machine has, what is missing, and what verify would do about it. Changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask doctor\n  cargo xtask doctor --json | jq .actions")]
pub struct DoctorArgs {
    /// What this platform needs: a name, or a folder that holds a platform.yaml. May be repeated; default: all.
    #[arg(long, value_name = "NAME|FOLDER")]
    platform: Vec<String>,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    facts: Facts,
    actions: Vec<Action>,
}

/// Exit code 0: verify can run, provisioning what is missing. 2: a person must act first.
///
/// # Errors
/// When the list of parts or a platform cannot be read.
pub async fn run(args: &DoctorArgs, ctx: &Context) -> Result<u8> {
    let facts = Facts::gather(&ctx.cache).await;
    let needed = Needed::of(&ctx.fixtures(), &platforms::choose(&ctx.fixtures(), &args.platform)?)?;
    let actions = plan(ctx, &facts, &needed).await?;
    let stuck = actions.iter().any(|a| a.reach == Reach::Person);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&Report { facts, actions })?);
    } else {
        print!("{}", text(&facts, &actions));
    }
    Ok(if stuck { 2 } else { 0 })
}

fn text(facts: &Facts, actions: &[Action]) -> String {
    let engine = match &facts.engine {
        Engine::Answers { version } => format!("Docker {version} answers"),
        Engine::Stopped => "installed, does not answer".to_owned(),
        Engine::Missing => "not installed".to_owned(),
    };
    let missing = match facts.missing_capabilities.len() {
        0 => "all".to_owned(),
        n => format!("{n} cannot be granted: runc goes through a wrapper"),
    };
    let lines = [
        ("container engine", engine),
        ("cgroups", format!("v{}", facts.cgroup_version)),
        ("capabilities", missing),
        ("Go", facts.go.clone().unwrap_or_else(|| "not installed".to_owned())),
        ("disk", format!("{} GiB free under {}", facts.disk_free_mib / 1024, facts.cache)),
    ];
    let mut out = String::from("This machine\n");
    for (name, value) in lines {
        out += &format!("  {name:<18} {value}\n");
    }
    if actions.is_empty() {
        out += "Nothing is missing: `cargo xtask verify` starts at once.\n";
        return out;
    }
    out += "What verify would do\n";
    for action in actions {
        let reach = match action.reach {
            Reach::System => "system-wide",
            Reach::Ours => "own cache",
            Reach::Person => "YOU",
        };
        out += &format!("  {reach:<12} {}: {}\n", action.missing, action.action);
    }
    out
}
