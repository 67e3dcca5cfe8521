//! The WebSocket soak: connections are opened at a bounded rate and held while events and messages flow; half-way one pod of
//! the workload is deleted, and the clients must come back without a gap. Before that, half of the pods of each workload that
//! events pass on their way go: what they had in hand must come all the same.
//!
//! [`plan`] says what will be; [`session`] is one client over all its connections, with a [`ledger`] of the numbers that it
//! saw and a [`publisher`] of its messages; [`board`] is what all of them saw together; [`scaling`] is what
//! the workload's HPA saw of the connections; [`closes`] finds the cause of each
//! end; [`stage`] runs it all, and the judges are pure. The protocol is that of docs/websocket.md.
//!
//! Latencies are differences of the producer's and the client's clock. On the suite's cluster both are the host's.

pub mod board;
pub mod closes;
mod course;
pub mod dial;
mod evidence;
mod facts;
mod judge;
pub mod kill;
pub mod ledger;
pub mod limiter;
pub mod memory;
pub mod messages;
pub mod plan;
pub mod pods;
pub mod publisher;
mod rejects;
mod scaling;
pub mod session;
pub mod stage;
pub mod token;
pub mod trend;
mod upstream;
pub mod windows;
