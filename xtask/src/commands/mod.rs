//! One file per verb.

pub mod deploy;
pub mod doctor;
pub mod down;
