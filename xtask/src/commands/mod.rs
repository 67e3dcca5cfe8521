//! One file per verb.

pub mod backup;
pub mod bench;
pub mod deploy;
pub mod doctor;
pub mod down;
pub mod explain;
pub mod guides;
pub mod hpa;
pub mod internal_goose;
pub mod load;
pub mod policies;
pub mod reach;
pub mod recover;
pub mod restore;
pub mod rollback;
pub mod scale;
pub mod selftest;
pub mod target;
pub mod test;
pub mod up;
pub mod upgrade;
pub mod verify;
