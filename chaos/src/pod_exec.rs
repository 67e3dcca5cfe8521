//! Commands inside a container, with their output and exit code.

use crate::error::ChaosError;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::AttachParams;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; None when the API server did not say.
    pub exit_code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error, as text.
    pub stderr: String,
}

impl Output {
    /// It ended with exit code 0.
    pub fn ok(&self) -> bool {
        self.exit_code == Some(0)
    }

    /// Exit code and the last lines of standard error, for a person.
    pub fn cause(&self) -> String {
        let code = self.exit_code.map_or("unknown exit code".to_owned(), |c| format!("exit code {c}"));
        let lines: Vec<_> = self.stderr.trim().lines().rev().take(3).collect();
        let tail = lines.into_iter().rev().collect::<Vec<_>>().join(" | ");
        if tail.is_empty() { code } else { format!("{code}: {tail}") }
    }
}

/// The exit code in the status that ends an exec.
pub fn exit_code(status: &Status) -> Option<i32> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    let mut causes = status.details.iter().flat_map(|d| d.causes.iter().flatten());
    causes.find(|c| c.reason.as_deref() == Some("ExitCode"))?.message.as_ref()?.parse().ok()
}

async fn all(reader: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut reader) = reader {
        // A cut stream shows in the missing status; what came before it is still worth reading.
        let _ = reader.read_to_end(&mut bytes).await;
    }
    bytes
}

/// Where commands run.
#[derive(Clone)]
pub struct Container {
    /// Pods of the namespace.
    pub pods: Api<Pod>,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
}

impl Container {
    /// Runs a command to its end. `stdin` is sent whole.
    ///
    /// # Errors
    /// When the command cannot be started or does not end within `timeout`. An exit code other than 0 is no error here.
    pub async fn run(&self, command: &[String], stdin: Option<&[u8]>, timeout: Duration) -> Result<Output, ChaosError> {
        let wrong = |cause: String| ChaosError::Exec { pod: self.pod.clone(), command: shown(command), cause };
        let params = AttachParams::default()
            .container(&self.container)
            .stdin(stdin.is_some())
            .stdout(true)
            .stderr(true)
            .max_stdin_buf_size(256 * 1024)
            .max_stdout_buf_size(1024 * 1024);
        let run = async {
            let mut process = self.pods.exec(&self.pod, command, &params).await.map_err(|e| wrong(e.to_string()))?;
            let (out, err, input) = (process.stdout(), process.stderr(), process.stdin());
            let status = process.take_status();
            let feed = async {
                if let (Some(mut input), Some(bytes)) = (input, stdin) {
                    // A command that ends before it has read everything says so by its exit code.
                    let _ = input.write_all(bytes).await;
                    let _ = input.shutdown().await;
                }
            };
            let ended = async {
                match status {
                    Some(status) => status.await,
                    None => None,
                }
            };
            let (stdout, stderr, (), status) = tokio::join!(all(out), all(err), feed, ended);
            let exit_code = status.as_ref().and_then(exit_code);
            Ok(Output { exit_code, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() })
        };
        match tokio::time::timeout(timeout, run).await {
            Ok(output) => output,
            Err(_) => Err(wrong(format!("it did not end within {} s", timeout.as_secs()))),
        }
    }

    /// Runs a command that must end with exit code 0.
    ///
    /// # Errors
    /// As [`Container::run`], and for any other exit code.
    pub async fn must_run(&self, command: &[String], stdin: Option<&[u8]>, timeout: Duration) -> Result<Output, ChaosError> {
        let output = self.run(command, stdin, timeout).await?;
        if output.ok() {
            return Ok(output);
        }
        Err(ChaosError::Exec { pod: self.pod.clone(), command: shown(command), cause: output.cause() })
    }
}

/// The program only: arguments may hold a password.
fn shown(command: &[String]) -> String {
    command.first().cloned().unwrap_or_default()
}

/// Words as a command.
pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn exit_codes_are_read_from_the_status() {
        let status = |value| serde_json::from_value::<Status>(value).expect("status");
        assert_eq!(exit_code(&status(json!({"status": "Success"}))), Some(0));
        let failed = json!({"status": "Failure", "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}});
        assert_eq!(exit_code(&status(failed)), Some(7));
        assert_eq!(exit_code(&status(json!({"status": "Failure"}))), None);
    }

    #[test]
    fn unknown_is_not_ok() {
        let output = |exit_code| Output { exit_code, stdout: vec![], stderr: "a\nb\nc\nd\n".into() };
        assert!(output(Some(0)).ok() && !output(None).ok() && !output(Some(1)).ok());
        assert_eq!(output(Some(1)).cause(), "exit code 1: b | c | d");
    }
}
