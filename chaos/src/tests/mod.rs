//! Against a fake API server: what needs answers of Kubernetes but no Kubernetes.

mod drain;
mod fake_api;
mod faults;
mod recovery;
