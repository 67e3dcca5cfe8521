//! The one question: may something be installed system-wide?

use crate::machine::Facts;
use crate::provision::context::Context;
use crate::provision::needed::Needed;
use crate::provision::plan::{Reach, plan};
use anyhow::{Result, bail};
use std::io::{IsTerminal as _, Write as _};

/// In a terminal, shows what would change system-wide and asks once. Without a terminal, or with `yes`, goes ahead.
///
/// # Errors
/// When the answer is no.
pub async fn ask(ctx: &Context, facts: &Facts, needed: &Needed, yes: bool) -> Result<()> {
    if yes || ctx.no_provision || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    let system: Vec<_> = plan(ctx, facts, needed).await?.into_iter().filter(|a| a.reach == Reach::System).collect();
    if system.is_empty() {
        return Ok(());
    }
    eprintln!("These changes reach beyond this project's own folders:");
    for action in &system {
        eprintln!("  {}: {}", action.missing, action.action);
    }
    eprint!("Go ahead? [Y/n] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "" | "y" | "yes" => Ok(()),
        _ => bail!("nothing was changed: install it yourself (`cargo xtask doctor` lists it), or use --yes"),
    }
}
