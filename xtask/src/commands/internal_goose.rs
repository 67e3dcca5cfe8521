//! The goose child: `xtask` calls itself, because one attack needs a process of its own.

use anyhow::{Context as _, Result};
use gauntlet_loadtests::goose_child::{child_main, read_plan};

/// Reads a plan from standard input and runs it.
///
/// # Errors
/// When the plan cannot be read or goose refuses it.
pub async fn run() -> Result<u8> {
    child_main(read_plan()?).await.context("the load generator stopped")?;
    Ok(0)
}
