//! One file, one experiment. Each file's doc comment is its manual page; [`registry`](crate::registry) lists them.

pub mod delete_pod;
pub mod drain_node;
pub mod stop_node;
