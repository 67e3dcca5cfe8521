//! `cargo xtask recover`: takes back the faults of a killed run, and reads back that they are gone.

use crate::lock::RunLock;
use crate::pipeline::recovery;
use crate::provision::context::Context;
use anyhow::Result;

/// Takes back every fault that a killed run left applied, and reads back from the cluster that it is gone.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 nothing is left, 2 something could not be taken back.\n\nExample:\n  cargo xtask recover")]
pub struct RecoverArgs {}

/// Recovers and says what was read back.
///
/// # Errors
/// When a run is going on, or the journal cannot be read.
pub async fn run(_args: &RecoverArgs, ctx: &Context) -> Result<u8> {
    let _lock = RunLock::take(ctx.cache.root(), "recover")?;
    let recovered = recovery::recover_all(ctx).await?;
    if recovered.is_empty() {
        println!("no fault is pending");
    }
    for one in &recovered {
        let word = if one.ok { "recovered" } else { "NOT recovered" };
        println!("{word}: {} on {}: {}", one.record.experiment, one.record.target, one.read_back);
    }
    Ok(if recovered.iter().all(|r| r.ok) { 0 } else { 2 })
}
