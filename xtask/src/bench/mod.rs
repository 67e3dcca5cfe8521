//! Measurements of the policy engine beside a bare parse and other checkers.

pub mod child;
pub mod outcome;
pub mod peers;
