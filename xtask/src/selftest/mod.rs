//! Platforms that are broken on purpose. A verifier that has never been seen to fail a bad platform says nothing by passing a
//! good one.

pub mod defect;
pub mod trial;
