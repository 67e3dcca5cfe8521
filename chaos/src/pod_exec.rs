//! Commands inside a container, with their output and exit code.

use crate::error::ChaosError;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess};
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

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

/// A command, and what it is given on its standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program, for a person. Arguments and input may hold secrets; this does not.
    pub program: String,
    /// Program and arguments.
    pub words: Vec<String>,
    /// Standard input; empty: none.
    pub stdin: Vec<u8>,
}

impl Command {
    /// A program with its arguments.
    pub fn new(all: &[&str]) -> Self {
        Command { program: all.first().copied().unwrap_or_default().to_owned(), words: words(all), stdin: Vec::new() }
    }

    /// The same with text on its standard input.
    pub fn with_stdin(self, text: &str) -> Self {
        Command { stdin: text.as_bytes().to_vec(), ..self }
    }

    /// The same with a secret in an environment variable. It travels as the first line of the standard input, because
    /// arguments are seen by everybody who can list processes, and by the API server's audit log.
    pub fn with_secret(self, variable: &str, secret: Option<&str>) -> Self {
        let Some(secret) = secret else { return self };
        let script = format!("IFS= read -r {variable} && export {variable} && exec \"$@\"");
        let mut all = words(&["sh", "-c", &script, "sh"]);
        all.extend(self.words);
        let stdin = [secret.as_bytes(), b"\n", &self.stdin].concat();
        Command { words: all, stdin, ..self }
    }
}

/// Takes one line of output, without its end. [`ControlFlow::Break`] ends the reading: the rest is not wanted.
pub type EachLine<'a> = &'a mut (dyn FnMut(&[u8]) -> ControlFlow<()> + Send);

/// Something that runs commands: a container of a pod. In tests, recorded answers or a container of the machine's engine.
pub trait Shell: Send + Sync {
    /// Runs a command and hands over its lines as they come; nothing is kept of them. An exit code other than 0 is no error.
    fn stream<'a>(&'a self, command: &'a Command, timeout: Duration, each: EachLine<'a>) -> BoxFuture<'a, Result<Output, ChaosError>>;

    /// Where the commands run, for a person.
    fn place(&self) -> &str;

    /// Runs a command that must end with exit code 0, and gives its lines.
    fn lines<'a>(&'a self, command: &'a Command, timeout: Duration) -> BoxFuture<'a, Result<Vec<String>, ChaosError>> {
        Box::pin(async move {
            let mut lines = Vec::new();
            self.must_stream(command, timeout, &mut |line| {
                lines.push(String::from_utf8_lossy(line).into_owned());
                ControlFlow::Continue(())
            })
            .await?;
            Ok(lines)
        })
    }

    /// As [`Shell::stream`], but any exit code other than 0 is an error.
    fn must_stream<'a>(&'a self, command: &'a Command, timeout: Duration, each: EachLine<'a>) -> BoxFuture<'a, Result<(), ChaosError>> {
        Box::pin(async move {
            let output = self.stream(command, timeout, each).await?;
            if output.ok() {
                return Ok(());
            }
            Err(ChaosError::Exec { pod: self.place().to_owned(), command: command.program.clone(), cause: output.cause() })
        })
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
    async fn attach(&self, command: &[String], stdin: bool) -> Result<AttachedProcess, kube::Error> {
        let params = AttachParams::default()
            .container(&self.container)
            .stdin(stdin)
            .stdout(true)
            .stderr(true)
            .max_stdin_buf_size(256 * 1024)
            .max_stdout_buf_size(1024 * 1024);
        self.pods.exec(&self.pod, command, &params).await
    }

    fn wrong(&self, program: &str, cause: impl Into<String>) -> ChaosError {
        ChaosError::Exec { pod: self.pod.clone(), command: program.to_owned(), cause: cause.into() }
    }

    /// Runs a command to its end. `stdin` is sent whole.
    ///
    /// # Errors
    /// When the command cannot be started or does not end within `timeout`. An exit code other than 0 is no error here.
    pub async fn run(&self, command: &[String], stdin: Option<&[u8]>, timeout: Duration) -> Result<Output, ChaosError> {
        let program = shown(command);
        let run = async {
            let mut process = self.attach(command, stdin.is_some()).await.map_err(|e| self.wrong(&program, e.to_string()))?;
            let (out, err, input, status) = (process.stdout(), process.stderr(), process.stdin(), process.take_status());
            let ended = async { status?.await };
            let (stdout, stderr, (), status) = tokio::join!(all(out), all(err), feed(input, stdin.unwrap_or_default()), ended);
            let exit_code = status.as_ref().and_then(exit_code);
            Ok(Output { exit_code, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() })
        };
        let ran = tokio::time::timeout(timeout, run).await;
        ran.unwrap_or_else(|_| Err(self.wrong(&program, format!("it did not end within {} s", timeout.as_secs()))))
    }

    /// Runs a command that must end with exit code 0.
    ///
    /// # Errors
    /// As [`Container::run`], and for any other exit code.
    pub async fn must_run(&self, command: &[String], stdin: Option<&[u8]>, timeout: Duration) -> Result<Output, ChaosError> {
        let output = self.run(command, stdin, timeout).await?;
        if output.ok() { Ok(output) } else { Err(self.wrong(&shown(command), output.cause())) }
    }
}

impl Shell for Container {
    fn place(&self) -> &str {
        &self.pod
    }

    fn stream<'a>(&'a self, command: &'a Command, timeout: Duration, each: EachLine<'a>) -> BoxFuture<'a, Result<Output, ChaosError>> {
        let run = async {
            let attached = self.attach(&command.words, !command.stdin.is_empty()).await;
            let mut process = attached.map_err(|e| self.wrong(&command.program, e.to_string()))?;
            let (out, err, input, status) = (process.stdout(), process.stderr(), process.stdin(), process.take_status());
            let read = async {
                let enough = by_line(out, each).await;
                if enough {
                    // Ends the other streams too. The program ends by itself when it writes to nobody.
                    process.abort();
                }
                enough
            };
            let ended = async { status?.await };
            let (enough, stderr, (), status) = tokio::join!(read, all(err), feed(input, &command.stdin), ended);
            // What was read to the caller's satisfaction went well, whatever became of the program.
            let exit_code = if enough { Some(0) } else { status.as_ref().and_then(exit_code) };
            Ok(Output { exit_code, stdout: Vec::new(), stderr: String::from_utf8_lossy(&stderr).into_owned() })
        };
        Box::pin(async move {
            let ran = tokio::time::timeout(timeout, run).await;
            ran.unwrap_or_else(|_| Err(self.wrong(&command.program, format!("it did not end within {} s", timeout.as_secs()))))
        })
    }
}

async fn feed(input: Option<impl AsyncWrite + Unpin>, bytes: &[u8]) {
    if let Some(mut input) = input {
        // A command that ends before it has read everything says so by its exit code.
        let _ = input.write_all(bytes).await;
        let _ = input.shutdown().await;
    }
}

/// Reads line by line. True when the reader has enough.
async fn by_line(reader: Option<impl AsyncRead + Unpin>, each: EachLine<'_>) -> bool {
    let Some(reader) = reader else { return false };
    let (mut reader, mut line) = (BufReader::new(reader), Vec::new());
    loop {
        line.clear();
        // A cut stream shows in the missing status.
        match reader.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return false,
            Ok(_) => {}
        }
        if each(line.strip_suffix(b"\n").unwrap_or(&line)).is_break() {
            return true;
        }
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
pub(crate) mod fake {
    //! A shell that answers what was recorded.
    use super::*;
    use std::sync::Mutex;

    /// Answers with the first recording whose words all stand in the command or its input.
    #[derive(Default)]
    pub struct Recorded {
        answers: Vec<(Vec<&'static str>, i32, String)>,
        /// The commands that were run: words and standard input.
        pub ran: Mutex<Vec<(String, String)>>,
    }

    impl Recorded {
        /// One more recording: output with exit code 0.
        pub fn on(self, needles: &[&'static str], stdout: &str) -> Self {
            self.on_exit(needles, 0, stdout)
        }

        pub fn on_exit(mut self, needles: &[&'static str], exit_code: i32, stdout: &str) -> Self {
            self.answers.push((needles.to_vec(), exit_code, stdout.to_owned()));
            self
        }
    }

    impl Shell for Recorded {
        fn place(&self) -> &str {
            "recorded-0"
        }

        fn stream<'a>(&'a self, command: &'a Command, _: Duration, each: EachLine<'a>) -> BoxFuture<'a, Result<Output, ChaosError>> {
            let (words, stdin) = (command.words.join(" "), String::from_utf8_lossy(&command.stdin).into_owned());
            self.ran.lock().expect("lock").push((words.clone(), stdin.clone()));
            let fits = |needles: &[&str]| needles.iter().all(|n| words.contains(n) || stdin.contains(n));
            let found = self.answers.iter().find(|(needles, _, _)| fits(needles));
            let (_, exit_code, stdout) = found.unwrap_or_else(|| panic!("nothing recorded for {words:?} with {stdin:?}"));
            let _ = stdout.lines().try_for_each(|line| each(line.as_bytes()));
            let output = Output { exit_code: Some(*exit_code), stdout: Vec::new(), stderr: stdout.clone() };
            Box::pin(std::future::ready(Ok(output)))
        }
    }
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
    fn a_secret_travels_on_standard_input_before_the_rest() {
        let command = Command::new(&["psql", "-At"]).with_stdin("SELECT 1;\n");
        assert_eq!(command.clone().with_secret("PGPASSWORD", None), command);
        let secret = command.with_secret("PGPASSWORD", Some("hush"));
        assert!(!secret.words.join(" ").contains("hush"), "{:?}", secret.words);
        assert_eq!((secret.words[4..].to_vec(), secret.program.as_str()), (words(&["psql", "-At"]), "psql"));
        assert_eq!(secret.stdin, b"hush\nSELECT 1;\n");
    }

    #[tokio::test]
    async fn lines_are_handed_over_until_there_are_enough() {
        let mut seen = Vec::new();
        let mut two = |line: &[u8]| {
            seen.push(line.to_vec());
            if seen.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        assert!(by_line(Some(&b"a\nb\nc\n"[..]), &mut two).await);
        assert_eq!(seen, [b"a", b"b"]);
        let mut count = 0;
        assert!(!by_line(Some(&b"a\nb"[..]), &mut |_| { count += 1; ControlFlow::Continue(()) }).await);
        assert_eq!(count, 2, "a last line without an end counts");
    }

    #[test]
    fn unknown_is_not_ok() {
        let output = |exit_code| Output { exit_code, stdout: vec![], stderr: "a\nb\nc\nd\n".into() };
        assert!(output(Some(0)).ok() && !output(None).ok() && !output(Some(1)).ok());
        assert_eq!(output(Some(1)).cause(), "exit code 1: b | c | d");
    }
}
