//! Our own program, to start it again as a child.

use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

/// A path that starts this very program, even when its file was replaced or removed since: a build beside a run that goes
/// on must not take its load generator away.
///
/// # Errors
/// When our own path is not known.
pub fn own_program() -> Result<PathBuf> {
    let link = Path::new("/proc/self/exe");
    let own = std::env::current_exe().context("failed to find our own path")?;
    if own.is_file() || !link.exists() {
        return Ok(own);
    }
    // The kernel follows this link to the file that we were started from, whatever became of its name.
    Ok(PathBuf::from(format!("/proc/{}/exe", std::process::id())))
}
