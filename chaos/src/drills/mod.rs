//! One file, one data store. Each file's doc comment is its manual page; [`drill`](crate::drill) lists them.

pub mod mongodb;
