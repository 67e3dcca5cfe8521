//! A pod's persistent volume, and whether it has a disk of its own. Pure.

use k8s_openapi::api::core::v1::Pod;

/// Where a container mounts a PersistentVolumeClaim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedMount {
    /// The claim.
    pub claim: String,
    /// The container.
    pub container: String,
    /// The path.
    pub path: String,
}

/// The first claim that a container of the pod mounts for writing.
pub fn claimed_mount(pod: &Pod) -> Option<ClaimedMount> {
    let spec = pod.spec.as_ref()?;
    let claims = spec.volumes.iter().flatten().filter_map(|v| Some((v.name.as_str(), v.persistent_volume_claim.as_ref()?)));
    claims.filter(|(_, claim)| claim.read_only != Some(true)).find_map(|(volume, claim)| {
        spec.containers.iter().find_map(|container| {
            let mount = container.volume_mounts.iter().flatten().find(|m| m.name == volume && m.read_only != Some(true))?;
            Some(ClaimedMount { claim: claim.claim_name.clone(), container: container.name.clone(), path: mount.mount_path.clone() })
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
    (size > capacity_mib + capacity_mib / 10).then(|| format!("the volume's file system has {size} MiB, more than the {capacity_mib} MiB of the claim, so it is not its own"))
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

    #[test]
    fn only_a_claim_that_is_written_to_counts() {
        let pod = |read_only: bool| -> Pod {
            serde_json::from_value(json!({"spec": {
                "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}],
                "containers": [{"name": "side", "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]},
                    {"name": "db", "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": read_only}]}]}}))
            .expect("pod")
        };
        assert_eq!(claimed_mount(&pod(false)), Some(ClaimedMount { claim: "data-db-0".into(), container: "db".into(), path: "/data".into() }));
        assert_eq!(claimed_mount(&pod(true)), None);
    }
}
