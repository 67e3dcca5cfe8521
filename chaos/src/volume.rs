//! A volume of a pod that can be filled, and whether it has a file system of its own. Pure.

use k8s_openapi::api::core::v1::{Pod, Volume};

/// Where the size of a volume stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Size {
    /// In the status of this PersistentVolumeClaim.
    Claim(String),
    /// In the pod: an `emptyDir` in memory with a `sizeLimit`, which the kubelet mounts as a file system of that size.
    Memory(String),
}

/// Where a container mounts a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The volume, for a person.
    pub volume: String,
    /// Where its size stands.
    pub size: Size,
    /// The container.
    pub container: String,
    /// The path.
    pub path: String,
}

fn size_of(volume: &Volume) -> Option<(String, Size)> {
    if let Some(claim) = &volume.persistent_volume_claim {
        let name = &claim.claim_name;
        return (claim.read_only != Some(true)).then(|| (format!("claim {name}"), Size::Claim(name.clone())));
    }
    let empty_dir = volume.empty_dir.as_ref().filter(|e| e.medium.as_deref() == Some("Memory"))?;
    Some((format!("volume {} in memory", volume.name), Size::Memory(empty_dir.size_limit.as_ref()?.0.clone())))
}

/// The first volume that a container of the pod mounts for writing: a PersistentVolumeClaim, else one in memory. Any other is
/// a folder of the node's disk.
pub fn writable_mount(pod: &Pod) -> Option<Mount> {
    let spec = pod.spec.as_ref()?;
    let mut sized: Vec<_> = spec.volumes.iter().flatten().filter_map(|v| Some((v.name.as_str(), size_of(v)?))).collect();
    sized.sort_by_key(|(_, (_, size))| matches!(size, Size::Memory(_)));
    sized.into_iter().find_map(|(name, (volume, size))| {
        spec.containers.iter().find_map(|container| {
            let mount = container.volume_mounts.iter().flatten().find(|m| m.name == name && m.read_only != Some(true))?;
            Some(Mount { volume: volume.clone(), size: size.clone(), container: container.name.clone(), path: mount.mount_path.clone() })
        })
    })
}

/// A line of `df -Pk`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// What it calls the file system.
    pub name: String,
    /// Its size in KiB.
    pub size_kib: u64,
    /// What is free in KiB.
    pub free_kib: u64,
}

/// Reads `df -Pk`.
///
/// # Errors
/// When a line is not one of df's.
pub fn parse_df(text: &str) -> Result<Vec<Disk>, String> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // Names may hold blanks; the five numbers and the mount point do not.
        let at = fields.len().checked_sub(6)?;
        let number = |n: usize| fields.get(at + n)?.parse().ok();
        Some(Disk { name: fields[..=at].join(" "), size_kib: number(1)?, free_kib: number(3)? })
    };
    text.lines().skip(1).map(|l| line(l).ok_or_else(|| format!("{l:?} is no line of df"))).collect()
}

/// A quantity of storage in MiB, such as `20Gi`, `500M` or plain bytes.
pub fn mib(quantity: &str) -> Option<u64> {
    let at = quantity.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(quantity.len());
    let (number, unit) = quantity.split_at(at);
    let factor = match unit {
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some((number.parse::<f64>().ok()? * factor / (1024.0 * 1024.0)) as u64)
}

/// Why a volume must not be filled; None when it has a file system of its own, as large as it was asked for.
pub fn shared(volume: &Disk, node: &Disk, capacity_mib: u64) -> Option<String> {
    if volume.name == node.name && volume.size_kib == node.size_kib {
        return Some("the volume shares the disk of its node".to_owned());
    }
    // A tenth more than asked for is what file systems and providers round up to.
    let size = volume.size_kib / 1024;
    (size > capacity_mib + capacity_mib / 10).then(|| format!("the volume's file system has {size} MiB, more than the {capacity_mib} MiB that it was given, so it is not its own"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_volume_on_the_nodes_disk_is_told_from_one_with_its_own() {
        let text = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n/dev/vda1        103081248 60000000  43064864      59% /var/lib/postgresql/data\n/dev/vda1        103081248 60000000  43064864      59% /etc/hosts\n";
        let disks = parse_df(text).expect("disks");
        assert_eq!(disks[0], Disk { name: "/dev/vda1".into(), size_kib: 103_081_248, free_kib: 43_064_864 });
        assert_eq!(shared(&disks[0], &disks[1], 1024).as_deref(), Some("the volume shares the disk of its node"));
        let own = Disk { name: "/dev/sdb".into(), size_kib: 1_000_000, free_kib: 900_000 };
        assert_eq!(shared(&own, &disks[1], 1024), None);
        let large = Disk { name: "overlay".into(), size_kib: 50_000_000, ..own };
        assert!(shared(&large, &disks[1], 1024).expect("not its own").contains("so it is not its own"));
        assert!(parse_df("Filesystem\nnonsense\n").is_err());
    }

    #[test]
    fn quantities_are_read() {
        let all = ["20Gi", "512Mi", "1G", "1048576", "1.5Gi", "x", "5Zi"].map(mib);
        assert_eq!(all, [Some(20_480), Some(512), Some(953), Some(1), Some(1536), None, None]);
    }

    /// A database with this mount of its claim, and a volume in memory beside it.
    fn pod(read_only: bool, beside: serde_json::Value) -> Pod {
        serde_json::from_value(json!({"spec": {
            "volumes": [{"name": "tmp", "emptyDir": beside}, {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}],
            "containers": [{"name": "side", "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]},
                {"name": "db", "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": read_only}]}]}}))
        .expect("pod")
    }

    #[test]
    fn only_a_claim_that_is_written_to_counts() {
        let mount = writable_mount(&pod(false, json!({"medium": "Memory", "sizeLimit": "64Mi"}))).expect("a claim comes first");
        assert_eq!((mount.size, mount.container.as_str(), mount.path.as_str()), (Size::Claim("data-db-0".into()), "db", "/data"));
        assert_eq!(writable_mount(&pod(true, json!({}))), None);
    }

    #[test]
    fn a_volume_in_memory_counts_when_it_has_a_size() {
        let mount = writable_mount(&pod(true, json!({"medium": "Memory", "sizeLimit": "64Mi"}))).expect("a volume");
        assert_eq!((mount.size, mount.path.as_str()), (Size::Memory("64Mi".into()), "/tmp"));
        for folder_of_the_node in [json!({"medium": "Memory"}), json!({"sizeLimit": "64Mi"})] {
            assert_eq!(writable_mount(&pod(true, folder_of_the_node)), None);
        }
    }
}
