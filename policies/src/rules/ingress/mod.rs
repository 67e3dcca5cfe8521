//! How clients come in: hosts, paths, certificates, controllers.

pub mod dangling_gateway_route;
pub mod duplicate_host_path;
pub mod hosts;
pub mod ingress_rate_limit;
pub mod nginx_snippet_annotations;
pub mod retired_controller;
pub mod tls_host_mismatch;
pub mod wildcard_host;
