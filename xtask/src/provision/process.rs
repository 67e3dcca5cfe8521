//! Running other programs: output to a log file, a clear error with its last lines, no orphans on Ctrl-C.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("failed to start {program}: {cause}")]
    Start {
        /// The program.
        program: String,
        /// The cause.
        cause: std::io::Error,
    },
    /// It ended with an error.
    #[error("{program} failed ({status}){}{}", tail_text(.tail), log_text(.log))]
    Failed {
        /// The program with its first arguments.
        program: String,
        /// How it ended.
        status: String,
        /// Its last lines.
        tail: String,
        /// Its log file.
        log: Option<PathBuf>,
    },
    /// Its log could not be written.
    #[error("failed to write the log {}: {cause}", path.display())]
    Log {
        /// The log file.
        path: PathBuf,
        /// The cause.
        cause: std::io::Error,
    },
}

fn tail_text(tail: &str) -> String {
    if tail.trim().is_empty() { String::new() } else { format!(":\n    {}", tail.trim().replace('\n', "\n    ")) }
}

fn log_text(log: &Option<PathBuf>) -> String {
    log.as_ref().map(|p| format!("\n  its log: {}", p.display())).unwrap_or_default()
}

fn describe(command: &Command) -> String {
    let std = command.as_std();
    let words: Vec<_> = std::iter::once(std.get_program()).chain(std.get_args().take(3)).map(|w| w.to_string_lossy()).collect();
    words.join(" ")
}

/// The last `count` lines of a text.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Runs a program with its output added to `log`. It is killed when the future is dropped.
///
/// # Errors
/// When it cannot be started, or ends with an error: with its last lines.
pub async fn run_logged(command: &mut Command, log: &Path) -> Result<(), ProcessError> {
    let program = describe(command);
    let log_error = |cause| ProcessError::Log { path: log.to_owned(), cause };
    let mut file = tokio::fs::OpenOptions::new().create(true).append(true).open(log).await.map_err(log_error)?;
    let start = file.metadata().await.map_err(log_error)?.len();
    file.write_all(format!("$ {program}\n").as_bytes()).await.map_err(log_error)?;
    file.flush().await.map_err(log_error)?;
    let file = file.into_std().await;
    let again = file.try_clone().map_err(log_error)?;
    let status = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(again)
        .kill_on_drop(true)
        .status()
        .await
        .map_err(|cause| ProcessError::Start { program: program.clone(), cause })?;
    if status.success() {
        return Ok(());
    }
    let text = tokio::fs::read(log).await.map_err(log_error)?;
    let text = String::from_utf8_lossy(text.get(start as usize..).unwrap_or_default()).into_owned();
    Err(ProcessError::Failed { program, status: status.to_string(), tail: last_lines(&text, 8), log: Some(log.to_owned()) })
}

/// Runs a program and gives its standard output, trimmed.
///
/// # Errors
/// When it cannot be started, or ends with an error: with the last lines of its standard error.
pub async fn capture(command: &mut Command) -> Result<String, ProcessError> {
    let program = describe(command);
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|cause| ProcessError::Start { program: program.clone(), cause })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let tail = last_lines(&String::from_utf8_lossy(&output.stderr), 5);
    Err(ProcessError::Failed { program, status: output.status.to_string(), tail, log: None })
}

/// True when a program can be started by its name.
pub async fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_failure_shows_its_last_lines_and_its_log() {
        let dir = tempfile::tempdir().expect("temp dir");
        let log = dir.path().join("step.log");
        let error = run_logged(&mut sh("echo first; echo no space left >&2; exit 3"), &log).await.expect_err("fails");
        let text = error.to_string();
        assert!(text.contains("no space left") && text.contains("step.log") && text.contains('3'), "{text}");
    }

    #[tokio::test]
    async fn an_earlier_run_in_the_same_log_is_not_shown() {
        let dir = tempfile::tempdir().expect("temp dir");
        let log = dir.path().join("step.log");
        run_logged(&mut sh("echo old words"), &log).await.expect("runs");
        let text = run_logged(&mut sh("echo new words; exit 1"), &log).await.expect_err("fails").to_string();
        assert!(text.contains("new words") && !text.contains("old words"), "{text}");
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let error = capture(&mut Command::new("no-such-program-here")).await.expect_err("fails");
        assert!(error.to_string().contains("no-such-program-here"));
    }
}
