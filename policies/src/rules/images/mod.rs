//! Where containers come from.

pub mod latest_tag;
