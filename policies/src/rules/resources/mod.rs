//! What containers ask for.

pub mod cpu_limits;
pub mod cpu_requests;
pub mod ephemeral_storage;
pub mod hpa_max_exceeds_quota;
pub mod limit_range;
pub mod limit_range_breach;
pub mod limit_request_ratio;
pub mod memory_limits;
pub mod memory_request_equals_limit;
pub mod memory_requests;
pub mod namespace_quota;
pub mod quota_without_requests;
pub mod request_exceeds_limit;
