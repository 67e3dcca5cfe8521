//! No pod reaches the container runtime of its node.
//!
//! ## What it does
//! Reports `hostPath` volumes that are the socket of a container runtime, or a folder with it inside, such as /run.
//!
//! ## Why it matters
//! Who talks to the runtime starts privileged containers past the API server: that is root on the node.
//!
//! ## How to mend it
//! Remove the volume. Build images with a tool that needs no daemon, and read what runs from the API server.
//!
//! ## Example
//! ```yaml
//! volumes:
//!   - {name: docker, hostPath: {path: /var/run/docker.sock}} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC021", name: "cri-socket-mount", parameters: &[], source: include_str!("cri_socket_mount.rs"), check };

/// Below /run; /var/run is the same folder.
const SOCKETS: [&str; 7] = [
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
    "/run/dockershim.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/podman/podman.sock",
];

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        for volume in workload.pod.items_at("volumes") {
            let Some(path) = volume.at("hostPath.path") else { continue };
            if let Some(socket) = path.str().and_then(socket_below) {
                let name = volume.str_at("name").unwrap_or("?");
                let message = format!("volume {name} mounts {} of the node, and with it the runtime's socket {socket}", path.node);
                context.wrong(workload.object, &path, message);
            }
        }
    }
}

/// The socket that a path is, or that is below it.
fn socket_below(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let parts = match parts.as_slice() {
        // /var holds a link to /run, which leads out of the mount and not to the socket.
        ["var"] => return None,
        ["var", rest @ ..] if rest.first() == Some(&"run") => rest,
        all => all,
    };
    SOCKETS.into_iter().find(|socket| {
        let mut known = socket.split('/').skip(1);
        path.starts_with('/') && parts.iter().all(|part| known.next() == Some(part))
    })
}

#[cfg(test)]
mod tests {
    use super::socket_below;

    #[test]
    fn folders_count_and_neighbours_do_not() {
        for path in ["/", "/run", "/var/run/", "/var/run/docker.sock", "//run/containerd", "/run/./crio/crio.sock"] {
            assert!(socket_below(path).is_some(), "{path}");
        }
        for path in ["", "/var", "/var/log", "/run/udev", "/run/containerd/containerd.sock.bak", "/var/lib/docker"] {
            assert!(socket_below(path).is_none(), "{path}");
        }
    }
}
