//! Facts about the machine, each found out without changing anything.

use crate::provision::cache::Cache;
use crate::provision::process::capture;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// The container engine, as far as it can be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Engine {
    /// A Docker engine answers.
    Answers {
        /// Its version.
        version: String,
    },
    /// `dockerd` is installed and does not answer.
    Stopped,
    /// Only the client, or nothing, is installed.
    Missing,
}

/// What the user may do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Privilege {
    /// Root on Debian or Ubuntu: packages can be installed.
    RootOnDebian,
    /// Root on another system.
    Root,
    /// An ordinary user.
    User,
}

/// What the machine has.
#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    /// The container engine.
    pub engine: Engine,
    /// `$DOCKER_HOST`, when set.
    pub docker_host: Option<String>,
    /// What the user may do.
    pub privilege: Privilege,
    /// systemd runs here.
    pub systemd: bool,
    /// The Go toolchain's version, when there is one.
    pub go: Option<String>,
    /// `debootstrap` is installed.
    pub debootstrap: bool,
    /// pip for Python 3 is installed.
    pub pip: bool,
    /// 1 or 2.
    pub cgroup_version: u8,
    /// Capabilities that the kernel has and this machine cannot grant, by number.
    pub missing_capabilities: Vec<u8>,
    /// Free disk under the cache folder, in MiB.
    pub disk_free_mib: u64,
    /// `fs.inotify.max_user_instances`.
    pub inotify_instances: u64,
    /// The cache folder.
    pub cache: String,
}

impl Facts {
    /// Looks at the machine. Takes well under a second.
    pub async fn gather(cache: &Cache) -> Facts {
        Facts {
            engine: engine().await,
            docker_host: std::env::var("DOCKER_HOST").ok().filter(|v| !v.is_empty()),
            privilege: privilege(),
            systemd: Path::new("/run/systemd/system").exists(),
            go: go_version().await,
            debootstrap: on_path("debootstrap"),
            pip: capture(Command::new("python3").args(["-m", "pip", "--version"])).await.is_ok(),
            cgroup_version: if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() { 2 } else { 1 },
            missing_capabilities: missing_capabilities(
                &std::fs::read_to_string("/proc/self/status").unwrap_or_default(),
                &std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap_or_default(),
            ),
            disk_free_mib: free_mib(cache.root()),
            inotify_instances: read_number("/proc/sys/fs/inotify/max_user_instances"),
            cache: cache.root().display().to_string(),
        }
    }

    /// Packages can be installed here.
    pub fn can_install(&self) -> bool {
        self.privilege == Privilege::RootOnDebian
    }

    /// Containers cannot be given every capability, so runc must go through the wrapper.
    pub fn needs_oci_wrapper(&self) -> bool {
        !self.missing_capabilities.is_empty()
    }
}

/// The version of the engine that answers, if one does within 10 s.
pub async fn engine_version() -> Option<String> {
    let mut command = Command::new("docker");
    command.args(["version", "--format", "{{.Server.Version}}"]);
    tokio::time::timeout(Duration::from_secs(10), capture(&mut command)).await.ok()?.ok().filter(|v| !v.is_empty())
}

async fn engine() -> Engine {
    match engine_version().await {
        Some(version) => Engine::Answers { version },
        None if on_path("dockerd") => Engine::Stopped,
        None => Engine::Missing,
    }
}

async fn go_version() -> Option<String> {
    let text = capture(Command::new("go").arg("version").env("GOTOOLCHAIN", "local")).await.ok()?;
    text.split_whitespace().nth(2).map(|word| word.trim_start_matches("go").to_owned())
}

/// True when a program of that name is on the PATH.
pub fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|paths| std::env::split_paths(&paths).any(|dir| dir.join(program).is_file()))
}

fn privilege() -> Privilege {
    let root = nix::unistd::geteuid().is_root();
    let debian = Path::new("/etc/debian_version").exists() && on_path("apt-get");
    match (root, debian) {
        (true, true) => Privilege::RootOnDebian,
        (true, false) => Privilege::Root,
        _ => Privilege::User,
    }
}

fn free_mib(folder: &Path) -> u64 {
    nix::sys::statvfs::statvfs(folder).map_or(0, |s| s.blocks_available() * s.fragment_size() / (1 << 20))
}

fn read_number(path: &str) -> u64 {
    std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Capability numbers up to the kernel's last that are not in the bounding set (`CapBnd`, hexadecimal).
fn missing_capabilities(status: &str, last_cap: &str) -> Vec<u8> {
    let bounding = status
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    let (Some(bounding), Ok(last)) = (bounding, last_cap.trim().parse::<u8>()) else { return Vec::new() };
    // An ordinary user's engine runs as root elsewhere: an empty set says nothing about it.
    if bounding == 0 {
        return Vec::new();
    }
    (0..=last.min(63)).filter(|n| bounding >> n & 1 == 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_capability_is_found_by_number() {
        assert_eq!(missing_capabilities("CapBnd:\t000001fffeffffff\n", "40\n"), [24]);
        assert_eq!(missing_capabilities("CapBnd:\t000001ffffffffff\n", "40\n"), [] as [u8; 0]);
    }

    #[test]
    fn what_cannot_be_read_is_not_called_missing() {
        assert_eq!(missing_capabilities("", "40"), [] as [u8; 0]);
        assert_eq!(missing_capabilities("CapBnd:\t000001fffeffffff\n", ""), [] as [u8; 0]);
    }
}
