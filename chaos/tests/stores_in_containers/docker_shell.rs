//! Commands in a container of the machine's engine, the way the drill runs them in a pod.

use futures::future::BoxFuture;
use gauntlet_chaos::error::ChaosError;
use gauntlet_chaos::pod_exec::{Command, EachLine, Output, Shell};
use std::process::Stdio;
use std::time::Duration;
use testcontainers::core::WaitFor;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt as _};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

/// Starts one of the suite's images and waits for a line of its output.
pub async fn start(name: &str, tag: &str, ready: WaitFor, prepare: impl FnOnce(ContainerRequest<GenericImage>) -> ContainerRequest<GenericImage>) -> ContainerAsync<GenericImage> {
    let request = GenericImage::new(name, tag).with_wait_for(ready).with_network("bridge");
    prepare(request).start().await.expect("the image is made by `cargo xtask up`")
}

/// A container.
pub struct DockerShell(pub String);

impl DockerShell {
    pub fn of(container: &ContainerAsync<GenericImage>) -> Box<Self> {
        Box::new(DockerShell(container.id().to_owned()))
    }

    /// Runs a script that must end with exit code 0.
    pub async fn script(&self, script: &str) -> Vec<String> {
        self.lines(&Command::new(&["sh", "-c", script]), Duration::from_secs(120)).await.expect("the script ends with 0")
    }

    /// True when a script ends with exit code 0.
    pub async fn succeeds(&self, script: &str) -> bool {
        self.lines(&Command::new(&["sh", "-c", script]), Duration::from_secs(120)).await.is_ok()
    }
}

impl Shell for DockerShell {
    fn place(&self) -> &str {
        &self.0
    }

    fn stream<'a>(&'a self, command: &'a Command, timeout: Duration, each: EachLine<'a>) -> BoxFuture<'a, Result<Output, ChaosError>> {
        Box::pin(async move {
            let mut process = tokio::process::Command::new("docker")
                .args(["exec", "-i", &self.0])
                .args(&command.words)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("docker");
            let (mut stdin, stdout, mut stderr) = (process.stdin.take().expect("in"), process.stdout.take().expect("out"), process.stderr.take().expect("err"));
            let feed = async move {
                let _ = stdin.write_all(&command.stdin).await;
            };
            let read = async {
                let mut lines = BufReader::new(stdout).split(b'\n');
                while let Ok(Some(line)) = lines.next_segment().await {
                    if each(&line).is_break() {
                        break;
                    }
                }
            };
            let complain = async {
                let mut text = String::new();
                let _ = stderr.read_to_string(&mut text).await;
                text
            };
            let all = async {
                let ((), (), stderr) = tokio::join!(feed, read, complain);
                Output { exit_code: process.wait().await.expect("wait").code(), stdout: Vec::new(), stderr }
            };
            Ok(tokio::time::timeout(timeout, all).await.expect("in time"))
        })
    }
}
