//! `cargo xtask`: puts a Kubernetes platform through what production will do to it, and gives one verdict.

mod bench;
mod cluster;
mod commands;
mod deploy;
mod lock;
mod machine;
mod pipeline;
mod procedures;
mod provision;
mod selftest;
#[cfg(test)]
mod workflow_files;

use anyhow::Result;
use clap::{Parser, Subcommand};
use gauntlet_reports::clock::Clock;
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::render::live;
use provision::cache::Cache;
use provision::context::Context;
use std::process::ExitCode;

/// Verifies Kubernetes platforms on a real cluster.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Verify(Box<commands::verify::VerifyArgs>),
    Test(commands::test::TestArgs),
    Policies(commands::policies::PoliciesArgs),
    Explain(commands::explain::ExplainArgs),
    Reach(commands::reach::ReachArgs),
    Hpa(commands::hpa::HpaArgs),
    Load(commands::load::LoadArgs),
    Deploy(commands::deploy::DeployArgs),
    Rollback(commands::rollback::RollbackArgs),
    Scale(commands::scale::ScaleArgs),
    Upgrade(commands::upgrade::UpgradeArgs),
    Backup(commands::backup::BackupArgs),
    Restore(commands::restore::RestoreArgs),
    Selftest(commands::selftest::SelftestArgs),
    Guides(commands::guides::GuidesArgs),
    Doctor(commands::doctor::DoctorArgs),
    Up(commands::up::UpArgs),
    Recover(commands::recover::RecoverArgs),
    Down(commands::down::DownArgs),
    Bench(commands::bench::BenchArgs),
    /// The load generator's own process.
    #[command(hide = true)]
    InternalGoose,
    /// The bare parse of a measurement.
    #[command(hide = true)]
    InternalParse(commands::bench::ParseArgs),
}

/// The context of a verb that is no run: its progress goes to the terminal, its events nowhere.
fn context() -> Result<Context> {
    let recorder = Recorder::in_memory(Clock::start());
    recorder.listen(live::listener(live::LiveOptions::default()));
    Ok(Context { cache: Cache::locate()?, repo: pipeline::repo(), recorder, no_provision: false })
}

async fn run(verb: Verb) -> Result<u8> {
    match verb {
        Verb::Verify(args) => commands::verify::run(*args).await,
        Verb::Test(args) => commands::test::run(&args, &context()?).await,
        Verb::Policies(args) => commands::policies::run(args).await,
        Verb::Explain(args) => commands::explain::run(args),
        Verb::Reach(args) => commands::reach::run(&args),
        Verb::Hpa(args) => commands::hpa::run(&args),
        Verb::Load(args) => commands::load::run(args).await,
        Verb::Deploy(args) => commands::deploy::from_command_line(&args, &context()?).await,
        Verb::Rollback(args) => commands::rollback::run(&args, &context()?).await,
        Verb::Scale(args) => commands::scale::run(&args, &context()?).await,
        Verb::Upgrade(args) => commands::upgrade::run(&args, &context()?).await,
        Verb::Backup(args) => commands::backup::run(&args, &context()?).await,
        Verb::Restore(args) => commands::restore::run(&args, &context()?).await,
        Verb::Selftest(args) => commands::selftest::run(&args).await,
        Verb::Guides(args) => commands::guides::run(&args),
        Verb::Doctor(args) => commands::doctor::run(&args, &context()?).await,
        Verb::Up(args) => commands::up::run(&args, &context()?).await,
        Verb::Recover(args) => commands::recover::run(&args, &context()?).await,
        Verb::Down(args) => commands::down::run(&args, &context()?).await,
        Verb::Bench(args) => commands::bench::run(&args, &context()?).await,
        Verb::InternalParse(args) => Ok(commands::bench::parse_only(&args)),
        Verb::InternalGoose => commands::internal_goose::run().await,
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    // kube and reqwest may each bring a TLS provider: one is chosen, once.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(Cli::parse().command).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
