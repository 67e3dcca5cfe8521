//! `cargo xtask restore`: the guides' restore procedure.

use super::backup::default_folder;
use super::target::{OwnCluster, PlatformArg, WhereArgs};
use crate::procedures::restore::{self, Chosen, Restoration};
use crate::procedures::backup;
use crate::provision::context::Context;
use anyhow::{Context as _, Result, bail};
use gauntlet_chaos::drill::restored::Meanwhile;
use gauntlet_reports::verdict::Verdict;
use std::path::PathBuf;

/// Restores data stores of a platform from a backup, with its guide's commands: beside the live ones with --into, else in
/// their place. What is restored is compared with what was backed up.
#[derive(Debug, clap::Args)]
#[command(after_help = "Live data are overwritten only with --overwrite-live-data, and what stands there is backed up first. A store that holds \
nothing needs no flag. Every file of a backup is checked against its SHA-256 before anything is touched.\n\n\
Exit code: 0 restored, and it is what was backed up; 1 the restore command failed or something is missing; 2 it was refused, or \
could not be tried.\n\n\
Examples:\n  cargo xtask restore --platform football --from backups/before-upgrade --into football-look\n  \
cargo xtask restore --platform football --from backups/before-upgrade --store postgres --dry-run\n  \
cargo xtask restore --platform football --from backups/before-upgrade --overwrite-live-data")]
pub struct RestoreArgs {
    #[command(flatten)]
    platform: PlatformArg,
    /// The folder that `backup --to` wrote
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    /// Only this store. May be repeated; default: all that the folder holds
    #[arg(long, value_name = "NAME")]
    store: Vec<String>,
    /// Restore copies of the stores into this new namespace; the live ones are only read
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "overwrite_live_data")]
    into: Option<String>,
    /// Replace what the live stores hold. It is backed up first
    #[arg(long)]
    overwrite_live_data: bool,
    #[command(flatten)]
    deployed: WhereArgs,
    /// Check the backup, say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Restores.
///
/// # Errors
/// When the platform is not deployed, the backup is damaged or another platform's, or live data would be overwritten.
pub async fn run(args: &RestoreArgs, ctx: &Context) -> Result<u8> {
    let target = OwnCluster::open_at(&args.platform, &args.deployed, ctx, !args.dry_run).await?;
    let platform = &target.loaded.platform;
    let chosen = restore::choose(platform, &args.store, &args.from)?;
    for one in &chosen {
        let taken = i64::try_from(one.backup.about.taken_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let taken = taken.map_or("an unknown time".to_owned(), |t| t.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
        let (files, records, record) = (one.backup.archive.files.len(), one.backup.records(), one.engine.words().record);
        eprintln!("{}: backup of {taken}, {files} files as they were written, {records} {record}s", one.store.name);
    }
    match &args.into {
        Some(namespace) => into_copies(args, &target, &chosen, namespace).await,
        None => into_live(args, ctx, &target, &chosen).await,
    }
}

/// What a restore would do.
fn plan(one: &Chosen<'_>, namespace: &str) -> String {
    format!("{}: in pod {}-0 of {namespace}: {}", one.store.name, one.store.stateful_set, one.store.restore.join(" "))
}

async fn into_copies(args: &RestoreArgs, target: &OwnCluster, chosen: &[Chosen<'_>], namespace: &str) -> Result<u8> {
    if args.dry_run {
        restore::free(target.home(), namespace).await?;
        println!("namespace {namespace} would be made");
        chosen.iter().for_each(|one| println!("{}", plan(one, namespace)));
        return Ok(0);
    }
    restore::fresh_namespace(target.home(), namespace).await?;
    let mut bad = false;
    for one in chosen {
        bad |= !ended(one, restore::into_copy(target.home(), one, namespace).await, Meanwhile::Still);
    }
    println!("namespace {namespace} stays until somebody deletes it");
    Ok(u8::from(bad))
}

async fn into_live(args: &RestoreArgs, ctx: &Context, target: &OwnCluster, chosen: &[Chosen<'_>]) -> Result<u8> {
    let home = target.home();
    // Everything is looked at before anything is touched.
    let (mut refusals, mut held) = (Vec::new(), Vec::new());
    for one in chosen {
        let records = restore::live_records(home, one).await.with_context(|| format!("failed to see what {} holds", one.store.name))?;
        refusals.extend(restore::refused(one, records, args.overwrite_live_data));
        held.push(records);
    }
    if args.dry_run {
        for (one, records) in chosen.iter().zip(held) {
            println!("{}\n  over {records} {}s that it holds", plan(one, home.namespace), one.engine.words().record);
        }
        refusals.iter().for_each(|why| println!("would be refused: {why}"));
        return Ok(if refusals.is_empty() { 0 } else { 2 });
    }
    if !refusals.is_empty() {
        bail!("{}", refusals.join("\n"));
    }
    let before = default_folder(ctx.cache.root(), &target.loaded.platform.name);
    for (one, _) in chosen.iter().zip(&held).filter(|(_, records)| **records > 0) {
        let saved = backup::back_up(home, one.store, &before).await.context("nothing was overwritten: what stands there could not be backed up")?;
        println!("before: {saved}");
    }
    let mut bad = false;
    for one in chosen {
        bad |= !ended(one, restore::into_live(home, one).await, Meanwhile::Written);
    }
    if bad && before.exists() {
        eprintln!("what was there before: cargo xtask restore --platform {} --from {} --overwrite-live-data", args.platform.platform, before.display());
    }
    Ok(u8::from(bad))
}

/// Prints how the restore of a store ended. True: as [`tell`]. One that fails does not keep the others from theirs.
fn ended(one: &Chosen<'_>, restored: Result<Restoration>, meanwhile: Meanwhile) -> bool {
    match restored {
        Ok(restoration) => tell(&restoration, meanwhile),
        Err(error) => {
            eprintln!("error: failed to restore {}: {error:#}", one.store.name);
            false
        }
    }
}

/// Prints what came of a store. True: it was restored, and holds what was backed up.
fn tell(restoration: &Restoration, meanwhile: Meanwhile) -> bool {
    let (store, seconds) = (&restoration.store, restoration.ms as f64 / 1000.0);
    if let Some(cause) = &restoration.failed {
        eprintln!("error: {store}: the restore command failed: {cause}");
        return false;
    }
    println!("{store}: restored in {seconds:.1} s");
    for assertion in &restoration.assertions {
        let what = assertion.id.trim_start_matches("drill.").replace('_', " ");
        match assertion.verdict {
            Verdict::Pass => println!("  {what}: {}", assertion.measured),
            Verdict::NotApplicable => {}
            Verdict::Fail | Verdict::Inconclusive => eprintln!("  {what}: {}: {}", assertion.verdict, assertion.reason),
        }
    }
    if meanwhile == Meanwhile::Written {
        println!("  what clients wrote since is not part of the comparison");
    }
    restoration.assertions.iter().all(|a| matches!(a.verdict, Verdict::Pass | Verdict::NotApplicable))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use gauntlet_reports::run::Assertion;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: RestoreArgs,
    }

    #[test]
    fn a_backup_must_be_named_and_live_data_are_not_overwritten_beside_a_copy() {
        let parse = |words: &[&str]| Line::try_parse_from([&["restore"], words].concat()).map(|l| l.args);
        assert!(parse(&["--platform", "f1"]).is_err(), "no --from");
        assert!(parse(&["--from", "b", "--into", "x", "--overwrite-live-data"]).is_err());
        let plain = parse(&["--from", "b"]).expect("flags");
        assert!(!plain.overwrite_live_data && plain.into.is_none() && !plain.dry_run);
    }

    #[test]
    fn what_is_missing_or_refused_is_no_restore() {
        let of = |failed: Option<&str>, assertions| tell(&Restoration { store: "db".into(), failed: failed.map(str::to_owned), assertions, ms: 1 }, Meanwhile::Still);
        let (pass, fail) = (|| Assertion::pass("drill.content", "e", "m"), || Assertion::fail("drill.indexes", "e", "m", "a is missing"));
        assert!(of(None, vec![pass()]));
        assert!(!of(None, vec![pass(), fail()]));
        assert!(!of(Some("exit code 1"), vec![]));
    }
}
