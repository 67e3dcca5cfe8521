//! What the load's child process tells its parent, one JSON object a line.

use crate::series::Second;
use serde::{Deserialize, Serialize};

/// One line of the child's standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChildLine {
    /// The first user starts.
    Started {
        /// On the run's clock, in ms.
        at_ms: u64,
    },
    /// The number of users left that of the segment before.
    Segment {
        /// Index in the plan.
        index: usize,
        /// On the run's clock, in ms.
        at_ms: u64,
    },
    /// A server answered for the first time.
    Server {
        /// Its name, as its answers give it in `x-served-by`.
        name: String,
        /// On the run's clock, in ms.
        at_ms: u64,
    },
    /// One second is over.
    Second(Second),
    /// The last line.
    Ended(Ended),
}

/// How the child ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// On the run's clock, in ms.
    pub at_ms: u64,
    /// `plan is over`, `stopped`, `deadline`, or what went wrong.
    pub why: String,
    /// Processor time that it used, in ms.
    pub cpu_ms: u64,
}
