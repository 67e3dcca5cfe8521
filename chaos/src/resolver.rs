//! Whether a pod can resolve a name, asked from inside of it.

use crate::error::ChaosError;
use crate::pod_exec::{Container, Output, words};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use std::time::Duration;

/// A name that every cluster has. With its last dot no search domain is tried.
const NAME: &str = "kubernetes.default.svc.cluster.local.";
/// Resolvers wait 5 s for each of two attempts.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// It resolved; by which program.
    Yes(&'static str),
    /// It did not; what the program said.
    No(String),
    /// No program in the container could tell.
    CannotTell(String),
}

/// The programs to try, and how each is called. `/simulator` plays services in images without any other program.
fn programs() -> [(&'static str, Vec<String>); 4] {
    let shell = format!("exec 3<>/dev/tcp/{}/443", NAME.trim_end_matches('.'));
    [
        ("getent", words(&["getent", "hosts", NAME])),
        ("nslookup", words(&["nslookup", NAME])),
        ("simulator", words(&["/simulator", "resolve", NAME])),
        ("bash", words(&["bash", "-c", &shell])),
    ]
}

/// A shell's connection also fails where the name is known.
const UNKNOWN: [&str; 3] = ["name resolution", "not known", "Unknown host"];

/// What one program's end says. None: it is not there.
fn judge(program: &'static str, output: &Output) -> Option<Resolved> {
    match output.exit_code {
        Some(0) => Some(Resolved::Yes(program)),
        // What a runtime and a shell say of a program that is missing.
        None | Some(126 | 127) => None,
        Some(_) if program == "bash" && !UNKNOWN.iter().any(|u| output.stderr.contains(u)) => Some(Resolved::Yes(program)),
        Some(_) => Some(Resolved::No(format!("{program}: {}", output.cause()))),
    }
}

/// Resolves a name in the first container of a pod, with the first program that is there.
///
/// # Errors
/// When the pod is gone.
pub async fn resolve(client: &Client, namespace: &str, pod: &str) -> Result<Resolved, ChaosError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let live = pods.get(pod).await.map_err(ChaosError::kubernetes(format!("read pod {pod}")))?;
    let first = live.spec.and_then(|s| s.containers.into_iter().next()).map(|c| c.name).unwrap_or_default();
    let container = Container { pods, pod: pod.to_owned(), container: first };
    let mut tried = Vec::new();
    for (program, command) in programs() {
        tried.push(program);
        match container.run(&command, None, ANSWER_WITHIN).await {
            Ok(output) => {
                if let Some(told) = judge(program, &output) {
                    return Ok(told);
                }
            }
            // A program that waits for an answer that does not come; one that is missing is told at once.
            Err(error) if error.to_string().contains("did not end within") => return Ok(Resolved::No(format!("{program}: no answer"))),
            Err(_) => {}
        }
    }
    Ok(Resolved::CannotTell(format!("pod {pod} has none of {}", tried.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_tell_what_they_can() {
        let told = |program, exit_code, stderr: &str| judge(program, &Output { exit_code, stdout: vec![], stderr: stderr.into() });
        assert_eq!(told("getent", Some(0), ""), Some(Resolved::Yes("getent")));
        assert_eq!(told("getent", Some(2), ""), Some(Resolved::No("getent: exit code 2".into())));
        assert_eq!(told("getent", Some(127), "not found"), None);
        assert_eq!(told("getent", None, ""), None);
        assert_eq!(told("bash", Some(1), "connect: Connection refused"), Some(Resolved::Yes("bash")));
        assert!(matches!(told("bash", Some(1), "kubernetes: Temporary failure in name resolution"), Some(Resolved::No(_))));
    }
}
