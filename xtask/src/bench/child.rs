//! One run of a program: how long it took, and how much memory it held at most.

use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often a running program's memory is looked at. The kernel keeps the peak: only the last look counts.
const LOOK: Duration = Duration::from_millis(1);

/// A program with its arguments.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name in the table.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Wall time in seconds, from before it is started.
    pub seconds: f64,
    /// Peak of its resident memory in bytes, its children's left out; none where the system does not say.
    pub peak_bytes: Option<u64>,
}

/// Runs a program to its end. Its output goes nowhere. Exit code 1 is no failure: checkers say by it that they found something.
///
/// # Errors
/// When it cannot be started, or ends in another way than with 0 or 1.
pub fn measure(program: &Program) -> Result<Run> {
    let started = Instant::now();
    let mut child = Command::new(&program.path)
        .args(&program.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("failed to start {}", program.path.display()))?;
    let mut peak = None;
    let status = loop {
        peak = peak_of(&child).or(peak);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    let seconds = started.elapsed().as_secs_f64();
    match status.code() {
        Some(0 | 1) => Ok(Run { seconds, peak_bytes: peak }),
        _ => bail!("{} ended with {status}", program.name),
    }
}

/// `VmHWM` of Linux.
fn peak_of(child: &Child) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        Program { name: "sh".to_owned(), path: "sh".into(), arguments: vec!["-c".to_owned(), script.to_owned()] }
    }

    #[test]
    fn a_run_is_timed_and_its_memory_seen() {
        let run = measure(&shell("sleep 0.2; exit 1")).expect("runs");
        assert!(run.seconds >= 0.2, "{run:?}");
        assert!(run.peak_bytes.is_some_and(|bytes| bytes > 100_000), "{run:?}");
    }

    #[test]
    fn a_program_that_breaks_down_is_no_measurement() {
        assert!(measure(&shell("exit 3")).is_err());
        assert!(measure(&shell("kill -9 $$")).is_err());
    }
}
