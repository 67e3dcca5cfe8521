//! `cargo xtask`: puts a Kubernetes platform through what production will do to it, and gives one verdict.

mod cluster;
mod commands;
mod deploy;
mod lock;
mod machine;
mod provision;

use anyhow::Result;
use clap::{Parser, Subcommand};
use gauntlet_reports::clock::Clock;
use gauntlet_reports::recorder::Recorder;
use provision::cache::Cache;
use provision::context::Context;
use std::path::Path;
use std::process::ExitCode;

/// Verifies Kubernetes platforms on a real cluster.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Doctor(commands::doctor::DoctorArgs),
    Down(commands::down::DownArgs),
    #[command(hide = true)]
    Up,
}

fn context() -> Result<Context> {
    let repo = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default();
    Ok(Context { cache: Cache::locate()?, repo, recorder: Recorder::in_memory(Clock::start()), no_provision: false })
}

async fn run(cli: Cli) -> Result<u8> {
    match cli.command {
        Verb::Doctor(args) => commands::doctor::run(&args, &context()?).await,
        Verb::Down(args) => commands::down::run(&args, &context()?).await,
        Verb::Up => {
            use cluster::Provider as _;
            struct P;
            impl gauntlet_reports::recorder::Listener for P {
                fn on_event(&mut self, e: &gauntlet_reports::event::Event) {
                    eprintln!("{:6.1} {:?}", e.at_ms as f64 / 1000.0, e.kind);
                }
            }
            let ctx = context()?;
            ctx.recorder.listen(Box::new(P));
            let facts = machine::Facts::gather(&ctx.cache).await;
            let p = cluster::kind::KindProvider { ctx, facts };
            let c = p.bring_up(cluster::BringUp { fresh: std::env::var_os("FRESH").is_some() }).await?;
            println!("{:#?}", c.info);
            Ok(0)
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(Cli::parse()).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
