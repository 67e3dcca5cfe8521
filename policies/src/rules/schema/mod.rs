//! Objects that fit together.

pub mod duplicate_object;
pub mod mismatching_selector;
