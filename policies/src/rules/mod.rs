//! The rules, by family. One file is one rule; tables and readers of a family stand beside its rules.

pub mod autoscaling;
pub mod availability;
pub mod images;
pub mod ingress;
pub mod network;
pub mod observability;
pub mod pod_security;
pub mod rbac;
pub mod resources;
pub mod schema;
pub mod secrets;
pub mod storage;
