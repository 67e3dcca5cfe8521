//! The platform answers where its clients enter.

use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_reports::run::Assertion;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const ID: &str = "deploy.entrypoint_serves";
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);
/// For one request.
const REQUEST: Duration = Duration::from_secs(5);

/// `deploy.entrypoint_serves`: the health path of `endpoint` answers 2xx within `limit`; a TLS certificate is verified.
pub async fn serves(name: &str, endpoint: &Endpoint, limit: Duration, stop: &CancellationToken) -> Assertion {
    let url = endpoint.url(&endpoint.health_path);
    let expected = format!("{name}: GET {url} answers 2xx");
    if let Err(refused) = endpoint.check_loopback() {
        return Assertion::inconclusive(ID, expected, refused.to_string());
    }
    let client = match client(endpoint) {
        Ok(client) => client,
        Err(error) => return Assertion::inconclusive(ID, expected, format!("make a client for {url}: {}", chain(&error))),
    };
    let start = Instant::now();
    loop {
        let failure = match client.get(&url).send().await {
            Ok(answer) if answer.status().is_success() => {
                return Assertion::pass(ID, expected, format!("{} after {:.1} s", answer.status(), start.elapsed().as_secs_f64()));
            }
            Ok(answer) => {
                let status = answer.status();
                let body: String = answer.text().await.unwrap_or_default().chars().take(120).collect();
                format!("{status} {}", body.trim())
            }
            Err(error) => chain(&error),
        };
        if start.elapsed() + PAUSE >= limit || stop.is_cancelled() {
            let reason = format!("{name}: GET {url} at {} for {} s: {}", endpoint.address, limit.as_secs(), failure.trim());
            return Assertion::fail(ID, expected, failure.trim(), reason);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

pub(crate) fn client(endpoint: &Endpoint) -> Result<reqwest::Client, reqwest::Error> {
    // Installed once for the process; a second call finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder().no_proxy().timeout(REQUEST).redirect(reqwest::redirect::Policy::none());
    builder = builder.resolve(&endpoint.host, endpoint.address);
    if let Some(ca) = &endpoint.ca_pem {
        builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(ca.as_bytes())?);
    }
    builder.build()
}

/// An error with its causes: reqwest's own text hides the one that matters.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use gauntlet_reports::verdict::Verdict;
    use wiremock::matchers::{header, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    fn endpoint(server: &MockServer) -> Endpoint {
        Endpoint { address: *server.address(), host: "orders.example.org".into(), tls: false, ca_pem: None, health_path: "/health".into() }
    }

    #[tokio::test]
    async fn answers_under_its_own_host_name_after_a_moment() {
        let server = MockServer::start().await;
        Mock::given(path("/health")).respond_with(ResponseTemplate::new(503)).up_to_n_times(1).mount(&server).await;
        Mock::given(path("/health")).and(header("host", "orders.example.org")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
        let seen = serves("api", &endpoint(&server), Duration::from_secs(10), &CancellationToken::new()).await;
        assert_eq!(seen.verdict, Verdict::Pass, "{}", seen.reason);
    }

    #[tokio::test]
    async fn what_it_answers_instead_is_told() {
        let server = MockServer::start().await;
        Mock::given(path("/health")).respond_with(ResponseTemplate::new(404).set_body_string("no route")).mount(&server).await;
        let seen = serves("api", &endpoint(&server), Duration::from_millis(1), &CancellationToken::new()).await;
        assert_eq!(seen.verdict, Verdict::Fail);
        assert!(seen.reason.contains("404 Not Found no route"), "{}", seen.reason);
    }

    #[tokio::test]
    async fn nothing_outside_this_machine_is_asked() {
        let elsewhere = Endpoint { address: "192.0.2.1:80".parse().expect("address"), host: "h".into(), tls: false, ca_pem: None, health_path: "/".into() };
        let seen = serves("api", &elsewhere, Duration::from_secs(1), &CancellationToken::new()).await;
        assert_eq!(seen.verdict, Verdict::Inconclusive);
    }
}
