//! The table of experiments: every file in `experiments/` has a row, and its doc comment is its manual page.

use crate::experiment::Experiment;
use crate::experiments::{delete_pod, dns_outage, drain_node, fill_volume, run_script, scale_to_zero, stop_node, zone_outage};

/// One row.
pub struct Entry {
    /// The fault as platform.yaml names it.
    pub fault: &'static str,
    /// The file in `experiments/`, without `.rs`.
    pub file: &'static str,
    source: &'static str,
    /// The experiment.
    pub experiment: &'static dyn Experiment,
}

/// All experiments.
pub const EXPERIMENTS: &[Entry] = &[
    Entry {
        fault: "delete-pod",
        file: "delete_pod",
        source: include_str!("experiments/delete_pod.rs"),
        experiment: &delete_pod::DeletePod,
    },
    Entry {
        fault: "dns-outage",
        file: "dns_outage",
        source: include_str!("experiments/dns_outage.rs"),
        experiment: &dns_outage::DnsOutage,
    },
    Entry {
        fault: "drain-node",
        file: "drain_node",
        source: include_str!("experiments/drain_node.rs"),
        experiment: &drain_node::DrainNode,
    },
    Entry {
        fault: "fill-volume",
        file: "fill_volume",
        source: include_str!("experiments/fill_volume.rs"),
        experiment: &fill_volume::FillVolume,
    },
    Entry {
        fault: "run-script",
        file: "run_script",
        source: include_str!("experiments/run_script.rs"),
        experiment: &run_script::RunScript,
    },
    Entry {
        fault: "scale-to-zero",
        file: "scale_to_zero",
        source: include_str!("experiments/scale_to_zero.rs"),
        experiment: &scale_to_zero::ScaleToZero,
    },
    Entry {
        fault: "stop-node",
        file: "stop_node",
        source: include_str!("experiments/stop_node.rs"),
        experiment: &stop_node::StopNode,
    },
    Entry {
        fault: "zone-outage",
        file: "zone_outage",
        source: include_str!("experiments/zone_outage.rs"),
        experiment: &zone_outage::ZoneOutage,
    },
];

impl Entry {
    /// The manual page: the doc comment of the experiment's file.
    pub fn manual(&self) -> String {
        manual(self.source)
    }
}

/// The doc comment at the head of a file.
pub fn manual(source: &str) -> String {
    let lines = source.lines().map_while(|l| l.strip_prefix("//!"));
    lines.map(|l| l.strip_prefix(' ').unwrap_or(l)).collect::<Vec<_>>().join("\n")
}

/// The experiment of a fault.
pub fn find(fault: &str) -> Option<&'static Entry> {
    EXPERIMENTS.iter().find(|e| e.fault == fault)
}

/// The faults that platform.yaml may name.
pub fn faults() -> impl Iterator<Item = &'static str> {
    EXPERIMENTS.iter().map(|e| e.fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_is_registered_once_and_documented() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/experiments");
        let files: BTreeSet<String> = std::fs::read_dir(dir)
            .expect("experiments/")
            .map(|e| e.expect("entry").file_name().to_string_lossy().into_owned())
            .filter_map(|name| name.strip_suffix(".rs").filter(|n| *n != "mod").map(str::to_owned))
            .collect();
        let rows: BTreeSet<String> = EXPERIMENTS.iter().map(|e| e.file.to_owned()).collect();
        assert_eq!(files, rows, "each file in experiments/ needs one row in registry.rs");
        assert_eq!(rows.len(), EXPERIMENTS.len(), "a file has two rows");
        for entry in EXPERIMENTS {
            assert_eq!(entry.file, entry.fault.replace('-', "_"), "a fault is named like its file");
            let manual = entry.manual();
            for part in ["# What it does", "# Why it matters", "# Blast radius", "# Recovery"] {
                assert!(manual.contains(part), "experiments/{}.rs lacks the section {part:?} in its doc comment", entry.file);
            }
        }
    }

    #[test]
    fn unknown_faults_are_not_found() {
        assert!(find("stop-node").is_some());
        assert!(find("stop_node").is_none());
    }
}
