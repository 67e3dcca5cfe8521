//! The folder inside a store's container that a backup is written to, and files in and out of it.

use super::archive::Archive;
use crate::error::ChaosError;
use crate::pod_exec::{Container, Output, words};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use std::time::Duration;

/// A backup or restore of a drill may take this long.
const COMMAND_WITHIN: Duration = Duration::from_secs(300);
/// Small commands.
const SOON: Duration = Duration::from_secs(60);

/// The container of a pod that serves a port; the first one when none declares it.
pub fn container_of(pod: &Pod, port: u16) -> Option<&k8s_openapi::api::core::v1::Container> {
    let containers = &pod.spec.as_ref()?.containers;
    let serves = |c: &&k8s_openapi::api::core::v1::Container| c.ports.iter().flatten().any(|p| p.container_port == i32::from(port));
    containers.iter().find(serves).or_else(|| containers.first())
}

/// Folders to try, the likeliest first: what the container mounts for backups, then any writable mount, then /tmp.
/// With a read-only root file system nothing else can be written.
pub fn candidates(container: &k8s_openapi::api::core::v1::Container) -> Vec<String> {
    let writable = container.volume_mounts.iter().flatten().filter(|m| m.read_only != Some(true) && m.sub_path.is_none());
    let mut paths: Vec<_> = writable.map(|m| m.mount_path.clone()).collect();
    paths.push("/tmp".to_owned());
    let rank = |path: &String| if path.contains("backup") { 0 } else if path == "/tmp" { 1 } else { 2 };
    paths.sort_by_key(rank);
    paths.dedup();
    paths
}

/// A folder of a drill's own inside a store's container.
pub struct BackupDir {
    /// The container.
    pub container: Container,
    /// Its path.
    pub path: String,
}

impl BackupDir {
    /// Makes an empty folder named `name` where the container can write.
    ///
    /// # Errors
    /// When the pod is not there or no candidate can be written; says which were tried.
    pub async fn make(client: &Client, namespace: &str, pod: &str, port: u16, name: &str) -> Result<Self, ChaosError> {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let live = pods.get(pod).await.map_err(ChaosError::kubernetes(format!("read pod {pod}")))?;
        let spec = container_of(&live, port);
        let spec = spec.ok_or_else(|| ChaosError::Platform(format!("pod {pod} has no container")))?;
        let container = Container { pods, pod: pod.to_owned(), container: spec.name.clone() };
        let mut tried = Vec::new();
        for parent in candidates(spec) {
            let path = format!("{}/{name}", parent.trim_end_matches('/'));
            let made = container.run(&words(&["mkdir", "-p", &path]), None, SOON).await?;
            if made.ok() {
                let dir = BackupDir { container, path };
                dir.empty().await?;
                return Ok(dir);
            }
            tried.push(format!("{path}: {}", made.cause()));
        }
        Err(ChaosError::Exec { pod: pod.to_owned(), command: "mkdir".into(), cause: tried.join("; ") })
    }

    /// Empties the folder.
    ///
    /// # Errors
    /// When the container refuses.
    pub async fn empty(&self) -> Result<(), ChaosError> {
        self.remove().await?;
        self.container.must_run(&words(&["mkdir", "-p", &self.path]), None, SOON).await?;
        Ok(())
    }

    /// Removes the folder.
    ///
    /// # Errors
    /// When the container refuses.
    pub async fn remove(&self) -> Result<(), ChaosError> {
        self.container.must_run(&words(&["rm", "-rf", &self.path]), None, SOON).await?;
        Ok(())
    }

    /// Runs a command of platform.yaml with `{{dir}}` filled in. Its exit code is for the caller to judge.
    ///
    /// # Errors
    /// When it cannot be started or does not end.
    pub async fn command(&self, command: &[String]) -> Result<Output, ChaosError> {
        let filled: Vec<_> = command.iter().map(|word| word.replace("{{dir}}", &self.path)).collect();
        self.container.run(&filled, None, COMMAND_WITHIN).await
    }

    /// Copies the folder out.
    ///
    /// # Errors
    /// When tar fails or what arrives is no whole tar.
    pub async fn copy_out(&self) -> Result<Archive, ChaosError> {
        let output = self.container.must_run(&words(&["tar", "cf", "-", "-C", &self.path, "."]), None, COMMAND_WITHIN).await?;
        Archive::unpack(&output.stdout).map_err(|e| ChaosError::Exec {
            pod: self.container.pod.clone(),
            command: "tar".into(),
            cause: format!("what arrived is no whole tar: {e}"),
        })
    }

    /// Copies files in, into the emptied folder.
    ///
    /// # Errors
    /// When tar fails.
    pub async fn copy_in(&self, archive: &Archive) -> Result<(), ChaosError> {
        self.empty().await?;
        let path = std::path::Path::new(&self.path);
        let bytes = archive.pack().map_err(ChaosError::file(path))?;
        // Modes and owners of another container are not ours to restore.
        let command = words(&["tar", "xf", "-", "--no-same-owner", "--no-same-permissions", "-C", &self.path]);
        self.container.must_run(&command, Some(&bytes), COMMAND_WITHIN).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_container_that_serves_the_port_is_the_stores() {
        let pod: Pod = serde_json::from_value(json!({"spec": {"containers": [
            {"name": "postgres", "ports": [{"containerPort": 5432}]},
            {"name": "mongodb", "ports": [{"containerPort": 27017}], "volumeMounts": [
                {"name": "d", "mountPath": "/data/db"}, {"name": "t", "mountPath": "/tmp"},
                {"name": "i", "mountPath": "/init", "readOnly": true}, {"name": "b", "mountPath": "/backup"}]}]}}))
        .expect("pod");
        let found = container_of(&pod, 27017).expect("container");
        assert_eq!(found.name, "mongodb");
        assert_eq!(candidates(found), ["/backup", "/tmp", "/data/db"]);
        assert_eq!(container_of(&pod, 1).map(|c| c.name.as_str()), Some("postgres"));
    }
}
