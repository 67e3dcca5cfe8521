//! The model of a run and its renderers. This crate is the leaf of the house: every other crate speaks its words.
//!
//! One [`Recorder`](recorder::Recorder) takes every [`Event`](event::Event) of a run in the order of one clock, writes it
//! to `events.jsonl`, and hands it to the live terminal. The files that people read are drawn from the same events.

pub mod clock;
pub mod event;
pub mod finding;
pub mod recorder;
pub mod render;
pub mod run;
pub mod verdict;
