//! `cargo xtask backup`: the guides' backup procedure.

use super::target::{OwnCluster, PlatformArg, WhereArgs};
use crate::procedures::{backup, stores};
use crate::provision::context::Context;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Backs up a platform's data stores to a folder of this machine, with its guide's commands, while the platform runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "A folder holds one backup of each store: the files that the guide's command wrote, their SHA-256, and what the store \
held, which a restore is compared with. It may hold secrets: only you can read it. Nothing is ever overwritten.\n\n\
Exit code: 0 every store is backed up, 1 a store is not, and the cause is printed, 2 it could not be tried.\n\n\
Examples:\n  cargo xtask backup --platform football\n  cargo xtask backup --platform football --store postgres --to backups/before-upgrade\n  \
cargo xtask backup --platform f1 -e staging --dry-run")]
pub struct BackupArgs {
    #[command(flatten)]
    platform: PlatformArg,
    /// Only this store of platform.yaml. May be repeated; default: all that have a backup command
    #[arg(long, value_name = "NAME")]
    store: Vec<String>,
    /// Where the backups go; by default a new folder in the suite's cache, which is printed
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    #[command(flatten)]
    deployed: WhereArgs,
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// A folder of its own for a backup that was given none: `<cache>/backups/<platform>/<time>`.
pub fn default_folder(cache: &Path, platform: &str) -> PathBuf {
    cache.join("backups").join(platform).join(jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string())
}

/// Backs up.
///
/// # Errors
/// When the platform is not deployed, or a store is unknown.
pub async fn run(args: &BackupArgs, ctx: &Context) -> Result<u8> {
    let target = OwnCluster::open_at(&args.platform, &args.deployed, ctx, !args.dry_run).await?;
    let platform = &target.loaded.platform;
    let (chosen, skipped) = stores::choose(platform, &args.store)?;
    skipped.iter().for_each(|line| eprintln!("{line}"));
    let to = args.to.clone().unwrap_or_else(|| default_folder(ctx.cache.root(), &platform.name));
    let mut failed = 0;
    for store in &chosen {
        let came = if args.dry_run {
            backup::plan(target.home(), store, &to).await
        } else {
            backup::back_up(target.home(), store, &to).await.map(|done| done.to_string())
        };
        // One store that fails is no reason to leave the others without a backup.
        match came {
            Ok(line) => println!("{line}"),
            Err(error) => {
                failed += 1;
                eprintln!("error: {error:#}");
            }
        }
    }
    if !args.dry_run && failed < chosen.len() {
        println!("cargo xtask restore --platform {} --from {} restores it", args.platform.platform, to.display());
    }
    Ok(u8::from(failed > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: BackupArgs,
    }

    #[test]
    fn the_flags_are_the_guides() {
        let line = ["backup", "--platform", "f1", "--store", "postgres", "--to", "b", "-n", "x", "-e", "staging", "--dry-run"];
        let args = Line::try_parse_from(line).expect("flags").args;
        assert_eq!((args.platform.platform.as_str(), args.store, args.to), ("f1", vec!["postgres".to_owned()], Some("b".into())));
        assert_eq!((args.deployed.namespace.as_deref(), args.deployed.environment.as_deref(), args.dry_run), (Some("x"), Some("staging"), true));
    }

    #[test]
    fn a_backup_without_a_folder_gets_one_of_its_own() {
        let folder = default_folder(Path::new("/c"), "f1");
        assert!(folder.starts_with("/c/backups/f1"));
    }
}
