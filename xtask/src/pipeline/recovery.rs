//! What an earlier, killed run left behind, taken back before a new run starts.

use crate::cluster::kind::{self, NAME};
use crate::cluster::nodes::{KindNodes, containers};
use crate::provision::context::Context;
use anyhow::{Context as _, Result};
use gauntlet_chaos::journal::Journal;
use gauntlet_chaos::recover::{Recovered, recover};

/// Opens the journal of the suite's cluster.
///
/// # Errors
/// When it cannot be read.
pub fn journal(ctx: &Context) -> Result<Journal> {
    let folder = ctx.cache.root().join("journal");
    Journal::open(&folder).with_context(|| format!("failed to open the journal in {}", folder.display()))
}

/// A client for the suite's cluster, when its kubeconfig stands.
pub async fn client(ctx: &Context) -> Option<kube::Client> {
    kind::client(&ctx.cache).await.ok()
}

/// Recovers every fault that is pending in the journal.
///
/// # Errors
/// When the journal cannot be read.
pub async fn recover_all(ctx: &Context) -> Result<Vec<Recovered>> {
    let journal = journal(ctx)?;
    if journal.pending().is_empty() {
        return Ok(Vec::new());
    }
    let client = client(ctx).await;
    Ok(recover(client, &KindNodes::new(NAME), &journal, &ctx.recorder).await)
}

/// Recovers before a run. A fault on a cluster that is gone, or whose engine is stopped, is no obstacle: the cluster is
/// made anew.
///
/// # Errors
/// When the journal cannot be read.
pub async fn before_run(ctx: &Context) -> Result<()> {
    if journal(ctx)?.pending().is_empty() || containers(NAME).await.is_none() {
        return Ok(());
    }
    let step = ctx.step("recovery");
    step.says("taking back what a killed run left behind");
    let recovered = recover_all(ctx).await?;
    let failed = recovered.iter().filter(|r| !r.ok).count();
    step.done(format!("{} faults recovered, {failed} not", recovered.len() - failed));
    Ok(())
}
