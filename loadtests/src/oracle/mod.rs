//! An independent calculator of what a HorizontalPodAutoscaler must decide, and the observer that compares.
//!
//! Written anew from the documented algorithm (Kubernetes documentation, "Horizontal Pod Autoscaling": algorithm details
//! and configurable scaling behaviour) as of 1.34; where the text is silent (rounding, pods without a sample at targets
//! above 100 %), it follows what the controller of that version does. [`algorithm`] and [`behavior`] are exact; [`band`] carries what
//! an observer outside of the controller cannot know exactly through them and gets an interval; [`compare`] judges one
//! decision; [`observe`] watches the cluster.

pub mod algorithm;
pub mod band;
pub mod behavior;
pub mod census;
pub mod compare;
pub mod observe;
pub mod quantity;
pub mod spec;

/// Settings of the controller manager, which a cluster may have tuned.
#[derive(Debug, Clone, Copy, PartialEq)]
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
