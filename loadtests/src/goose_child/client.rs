//! The users' HTTP clients.

use super::ChildError;
use crate::plan::LoadPlan;
use crate::tls::trusting;
use goose::goose::GooseMethod;
use reqwest::{Client, ClientBuilder, redirect};
use std::time::Duration;

/// Builds one client after the other with the same settings. HTTP/1.1 and one idle connection: a user is one client with
/// one connection, as a browser tab or a service instance behind the platform would be.
pub(super) struct Clients {
    plan: LoadPlan,
    tls: Option<rustls::ClientConfig>,
}

impl Clients {
    /// Reads the certificate authority once; the clients share it and its session cache.
    pub(super) fn new(plan: &LoadPlan) -> Result<Self, ChildError> {
        let tls = plan.endpoint.ca_pem.as_deref().map(trusting).transpose().map_err(ChildError::Client)?;
        let clients = Clients { plan: plan.clone(), tls };
        clients.build()?;
        Ok(clients)
    }

    /// One more client.
    pub(super) fn build(&self) -> Result<Client, ChildError> {
        self.builder().build().map_err(|e| ChildError::Client(e.to_string()))
    }

    fn builder(&self) -> ClientBuilder {
        let endpoint = &self.plan.endpoint;
        let builder = Client::builder()
            .resolve(&endpoint.host, endpoint.address)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .http1_only()
            .pool_max_idle_per_host(1)
            .connect_timeout(Duration::from_millis(self.plan.timeout_ms.min(3_000)))
            .timeout(Duration::from_millis(self.plan.timeout_ms))
            .user_agent("gauntlet");
        match &self.tls {
            Some(tls) => builder.tls_backend_preconfigured(tls.clone()),
            None => builder,
        }
    }
}

/// goose's word for a method of [`crate::plan::METHODS`].
pub(super) fn method(name: &str) -> Option<GooseMethod> {
    Some(match name {
        "GET" => GooseMethod::Get,
        "HEAD" => GooseMethod::Head,
        "POST" => GooseMethod::Post,
        "PUT" => GooseMethod::Put,
        "PATCH" => GooseMethod::Patch,
        "DELETE" => GooseMethod::Delete,
        _ => return None,
    })
}

/// The cause of a failed request in a few words, the same for the same cause so that it can be counted.
pub(super) fn cause(error: &reqwest::Error) -> &'static str {
    match error {
        e if e.is_timeout() => "timeout",
        e if e.is_connect() => "connect",
        e if e.is_body() || e.is_decode() => "body",
        e if e.is_redirect() => "redirect",
        _ => "connection lost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_a_plan_is_known_to_goose() {
        assert!(crate::plan::METHODS.iter().all(|m| method(m).is_some()));
        assert!(method("CONNECT").is_none());
    }
}
