//! `cargo xtask test`: provisions what is missing and runs the tests, the ones on the cluster too.
//!
//! The rule for what runs when: a test on the cluster is nightly when another one covers the same code with a harder case. Its
//! module is `nightly`, and `--nightly` runs all.

use crate::cluster::kind::KindProvider;
use crate::cluster::{BringUp, Provider as _};
use crate::lock::RunLock;
use crate::machine::Facts;
use crate::pipeline::{consent, interrupt, platforms, recovery};
use crate::provision::context::Context;
use crate::provision::needed::Needed;
use crate::provision::rust_binary;
use anyhow::{Context as _, Result};

/// Provisions what is missing, brings the cluster up, and runs the tests of the workspace with `cargo test`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask test\n  cargo xtask test --nightly          also those that take long and whose code a harder test covers\n  \
cargo xtask test --offline-only     without a cluster: what does not need one\n  \
cargo xtask test -- hpa             only tests whose name holds `hpa`")]
pub struct TestArgs {
    /// Leave out the tests that need an engine or a cluster. They are listed as ignored.
    #[arg(long)]
    offline_only: bool,
    /// Run the nightly tests, too.
    #[arg(long, conflicts_with = "offline_only")]
    nightly: bool,
    /// Install nothing; say what to do instead.
    #[arg(long)]
    no_provision: bool,
    /// Do not ask before installing something system-wide.
    #[arg(long, short = 'y')]
    yes: bool,
    /// Passed on to the test programs.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Runs the tests. Exit code 0 when all passed, 1 when one failed, 2 when they could not be run.
///
/// # Errors
/// When provisioning fails.
pub async fn run(args: &TestArgs, ctx: &Context) -> Result<u8> {
    let mut ctx = ctx.clone();
    ctx.no_provision = args.no_provision;
    let mut command = rust_binary::cargo(&ctx.repo);
    command.args(["test", "--workspace", "--no-fail-fast"]);
    if args.offline_only {
        command.arg("--").args(&args.rest);
    } else {
        let stop = interrupt::token()?;
        // Compiling the tests and provisioning are one after the other: both would take every core.
        {
            let _lock = RunLock::take(ctx.cache.root(), "test")?;
            // The tests are of every platform, and so are the images.
            let needed = Needed::of(&ctx.fixtures(), &platforms::choose(&ctx.fixtures(), &[])?)?;
            let facts = Facts::gather(&ctx.cache).await;
            consent::ask(&ctx, &facts, &needed, args.yes).await?;
            recovery::before_run(&ctx).await?;
            let provider = KindProvider { ctx: ctx.clone(), facts, needed };
            tokio::select! {
                () = stop.cancelled() => anyhow::bail!("interrupted"),
                cluster = provider.bring_up(BringUp::default()) => { cluster.context("failed to bring up the cluster for the tests")?; }
            }
        }
        // The tests on the cluster share it: their own programs take the run lock one after the other.
        command.args(["--", "--include-ignored"]);
        if !args.nightly {
            command.args(["--skip", "nightly::"]);
        }
        command.args(&args.rest);
    }
    let status = command.kill_on_drop(true).status().await.context("failed to start cargo test")?;
    Ok(if status.success() { 0 } else { 1 })
}
