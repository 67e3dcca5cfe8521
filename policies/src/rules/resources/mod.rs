//! What containers ask for.

pub mod cpu_requests;
pub mod memory_limits;
pub mod memory_requests;
