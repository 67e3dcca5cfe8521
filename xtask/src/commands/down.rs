//! `cargo xtask down`: removes what is ours, and nothing else.

use crate::cluster::Provider as _;
use crate::cluster::kind::KindProvider;
use crate::lock::RunLock;
use crate::machine::Facts;
use crate::provision::context::Context;
use crate::provision::docker::docker;
use crate::provision::needed::Needed;
use crate::provision::process::capture;
use anyhow::{Context as _, Result};

/// Removes the suite's cluster, its network and its kubeconfig; with --images and --cache, also what was built.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask down             the cluster; the next verify takes a minute longer\n  cargo xtask down --images --cache   everything that was built; the next verify starts from nothing")]
pub struct DownArgs {
    /// Also the images that we built (label gauntlet=image).
    #[arg(long)]
    images: bool,
    /// Also the cache folder.
    #[arg(long)]
    cache: bool,
}

/// Removes and says what was removed.
///
/// # Errors
/// When a run is going on, or something cannot be removed.
pub async fn run(args: &DownArgs, ctx: &Context) -> Result<u8> {
    let lock = RunLock::take(ctx.cache.root(), "down")?;
    let facts = Facts::gather(&ctx.cache).await;
    let mut removed = Vec::new();
    if matches!(facts.engine, crate::machine::Engine::Answers { .. }) {
        removed.extend(KindProvider { ctx: ctx.clone(), facts, needed: Needed::default() }.take_down().await?);
        removed.extend(leftovers("ps", &["-a", "-q", "--no-trunc", "--filter", "label=gauntlet=bake"], &["rm", "-f", "-v"], "container").await?);
        if args.images {
            removed.extend(leftovers("images", &["-q", "--no-trunc", "--filter", "label=gauntlet=image"], &["rmi", "-f"], "image").await?);
        }
    } else {
        eprintln!("no container engine answers: containers and images, if there are any, stay until it does");
    }
    drop(lock);
    if args.cache {
        let root = ctx.cache.root();
        // Go makes its module cache read-only; it has a command of its own for this, and chmod does the same.
        capture(tokio::process::Command::new("chmod").args(["-R", "u+w"]).arg(root)).await?;
        std::fs::remove_dir_all(root).with_context(|| format!("failed to remove {}", root.display()))?;
        removed.push(root.display().to_string());
    }
    match removed.as_slice() {
        [] => println!("nothing of ours was there"),
        all => all.iter().for_each(|what| println!("removed {what}")),
    }
    Ok(0)
}

async fn leftovers(list: &str, filter: &[&str], remove: &[&str], what: &str) -> Result<Vec<String>> {
    let mut command = docker(&[list]);
    let text = capture(command.args(filter)).await?;
    let mut ids: Vec<_> = text.lines().map(str::to_owned).collect();
    ids.sort();
    ids.dedup();
    if !ids.is_empty() {
        let mut command = docker(remove);
        capture(command.args(&ids)).await?;
    }
    Ok(ids.into_iter().map(|id| format!("{what} {}", id.trim_start_matches("sha256:").chars().take(12).collect::<String>())).collect())
}
