//! One run at a time on one machine: two would judge each other's faults.

use anyhow::{Context as _, Result, bail};
use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

/// Held while a run lasts. The system releases it when the process dies, however it dies.
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock for `run_id`.
    ///
    /// # Errors
    /// When another process holds it: names that run.
    pub fn take(cache: &Path, run_id: &str) -> Result<RunLock> {
        let path = cache.join("run.lock");
        let mut file = File::options().create(true).truncate(false).read(true).write(true).open(&path).with_context(|| format!("failed to open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).ok();
                bail!("another run holds this machine's cluster: {}. Wait for it, or stop it with Ctrl-C", holder.trim());
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("failed to lock {}", path.display())),
        }
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "run {run_id}, process {}", std::process::id())?;
        file.flush()?;
        Ok(RunLock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_run_is_refused_with_the_first_ones_name() {
        let dir = tempfile::tempdir().expect("temp dir");
        let first = RunLock::take(dir.path(), "run-1").expect("free");
        let refused = RunLock::take(dir.path(), "run-2").err().expect("held").to_string();
        assert!(refused.contains("run-1"), "{refused}");
        drop(first);
        assert!(RunLock::take(dir.path(), "run-3").is_ok());
    }
}
