//! An independent calculator of what a HorizontalPodAutoscaler must decide, and the observer that compares.
//!
//! Written anew from the documented algorithm (Kubernetes documentation, "Horizontal Pod Autoscaling": algorithm details
//! and configurable scaling behaviour) as of 1.34; where the text is silent (rounding, pods without a sample at targets
//! above 100 %), it follows what the controller of that version does. [`algorithm`] and [`behavior`] are exact; [`band`] carries what
//! an observer outside of the controller cannot know exactly through them and gets an interval; [`compare`] judges one
//! decision; [`observe`] watches the cluster; [`events`] tells what Kubernetes says of it; [`replay`] judges a recorded
//! run again; [`simulate`] runs the calculator forward under a stated demand.

pub mod algorithm;
pub mod band;
pub mod behavior;
pub mod census;
pub mod compare;
pub mod events;
pub mod observation;
pub mod observe;
pub mod quantity;
pub mod replay;
pub mod simulate;
pub mod spec;
pub mod target;

use serde::{Deserialize, Serialize};

/// Settings of the controller manager, which a cluster may have tuned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ControllerSettings {
    /// `--horizontal-pod-autoscaler-sync-period`, in ms.
    pub sync_period_ms: u64,
    /// `--horizontal-pod-autoscaler-tolerance`.
    pub tolerance: f64,
    /// `--horizontal-pod-autoscaler-downscale-stabilization`, in ms: the scale-down window of an HPA that names none.
    pub downscale_stabilization_ms: u64,
    /// `--horizontal-pod-autoscaler-cpu-initialization-period`, in ms.
    pub cpu_initialization_ms: i64,
    /// `--horizontal-pod-autoscaler-initial-readiness-delay`, in ms.
    pub initial_readiness_delay_ms: i64,
}

impl ControllerSettings {
    /// Reads the tuned settings of a cluster, as [`gauntlet_reports::run::ClusterInfo::tuned`] lists them: each key ends in
    /// the flag's name, each value is a duration such as `5s` or a number. What is not there keeps Kubernetes' default.
    pub fn tuned(settings: &std::collections::BTreeMap<String, String>) -> Self {
        let mut tuned = ControllerSettings::default();
        for (key, value) in settings {
            let Some((_, flag)) = key.rsplit_once("horizontal-pod-autoscaler-") else { continue };
            let ms = target::duration_ms(value);
            match flag {
                "sync-period" => tuned.sync_period_ms = ms.map_or(tuned.sync_period_ms, i64::unsigned_abs),
                "tolerance" => tuned.tolerance = value.parse().unwrap_or(tuned.tolerance),
                "downscale-stabilization" => {
                    tuned.downscale_stabilization_ms = ms.map_or(tuned.downscale_stabilization_ms, i64::unsigned_abs);
                }
                "cpu-initialization-period" => tuned.cpu_initialization_ms = ms.unwrap_or(tuned.cpu_initialization_ms),
                "initial-readiness-delay" => tuned.initial_readiness_delay_ms = ms.unwrap_or(tuned.initial_readiness_delay_ms),
                _ => {}
            }
        }
        tuned
    }
}

impl Default for ControllerSettings {
    fn default() -> Self {
        ControllerSettings {
            sync_period_ms: 15_000,
            tolerance: 0.1,
            downscale_stabilization_ms: 300_000,
            cpu_initialization_ms: 300_000,
            initial_readiness_delay_ms: 30_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuned_settings_replace_the_defaults() {
        let key = |flag: &str| format!("kube-controller-manager --horizontal-pod-autoscaler-{flag}");
        let settings = [(key("sync-period"), "5s"), (key("tolerance"), "0.2"), (key("cpu-initialization-period"), "1m30s")];
        let tuned = ControllerSettings::tuned(&settings.into_iter().map(|(k, v)| (k, v.to_owned())).collect());
        assert_eq!((tuned.sync_period_ms, tuned.tolerance, tuned.cpu_initialization_ms), (5_000, 0.2, 90_000));
        assert_eq!(tuned.initial_readiness_delay_ms, ControllerSettings::default().initial_readiness_delay_ms);
    }
}
