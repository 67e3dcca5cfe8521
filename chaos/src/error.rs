//! What can go wrong while faults are applied and recovered. Texts are fragments that fit "failed to …" and hold their cause.

use crate::journal::JournalError;
use crate::node_control::NodeControlError;
use crate::targets::PlanError;

/// An expected failure of this crate. None of them is a judgement of the platform: the caller turns it into
/// Inconclusive, with this text as the reason.
#[derive(Debug, thiserror::Error)]
pub enum ChaosError {
    /// The API server refused or did not answer.
    #[error("{action}: {cause}")]
    Kubernetes {
        /// What was tried, such as `evict pod order-1`.
        action: String,
        /// The cause.
        cause: Box<kube::Error>,
    },
    /// No target could be drawn.
    #[error("draw a target: {0}")]
    Plan(PlanError),
    /// The journal could not be written: no fault is applied then.
    #[error("write the journal: {0}")]
    Journal(JournalError),
    /// The provider could not act on a node.
    #[error(transparent)]
    Node(#[from] NodeControlError),
    /// A command inside a container failed.
    #[error("run {command} in pod {pod}: {cause}")]
    Exec {
        /// The pod.
        pod: String,
        /// The command, shortened.
        command: String,
        /// Exit code and last lines of its output.
        cause: String,
    },
    /// The data store did not answer.
    #[error("read the store {store}: {cause}")]
    Store {
        /// The store's name in platform.yaml.
        store: String,
        /// The cause.
        cause: String,
    },
    /// A backup cannot be used, or not be written.
    #[error("use the backup {folder}: {cause}")]
    Backup {
        /// Its folder.
        folder: String,
        /// The cause.
        cause: String,
    },
    /// A file of the run could not be read or written.
    #[error("use {path}: {cause}")]
    File {
        /// The file.
        path: String,
        /// The cause.
        cause: std::io::Error,
    },
    /// The description of the platform does not fit.
    #[error("use platform.yaml: {0}")]
    Platform(String),
    /// Something was awaited in vain.
    #[error("wait for {what}: {last_seen}")]
    TimedOut {
        /// What was awaited.
        what: String,
        /// What was seen last.
        last_seen: String,
    },
    /// The fault would not be what it claims to be here.
    #[error("make the fault true to its name: {0}")]
    Unsound(String),
    /// The run was stopped (Ctrl-C).
    #[error("go on: the run was stopped")]
    Stopped,
}

// A text holds its cause: as a source of its own it would be told twice.
impl From<PlanError> for ChaosError {
    fn from(cause: PlanError) -> Self {
        ChaosError::Plan(cause)
    }
}

impl From<JournalError> for ChaosError {
    fn from(cause: JournalError) -> Self {
        ChaosError::Journal(cause)
    }
}

impl ChaosError {
    /// Wraps an error of the API server with what was tried.
    pub fn kubernetes(action: impl Into<String>) -> impl FnOnce(kube::Error) -> ChaosError {
        let action = action.into();
        move |cause| ChaosError::Kubernetes { action, cause: Box::new(cause) }
    }

    /// A backup that cannot be used.
    pub fn backup(folder: &std::path::Path, cause: impl Into<String>) -> Self {
        ChaosError::Backup { folder: folder.display().to_string(), cause: cause.into() }
    }

    /// Wraps an I/O error with its path.
    pub fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> ChaosError {
        let path = path.display().to_string();
        move |cause| ChaosError::File { path, cause }
    }
}
