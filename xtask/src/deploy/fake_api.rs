//! A fake API server for tests: just the paths that a test names, over plain HTTP on loopback.

use kube::{Client, Config};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// The server and a client that talks to it without retries of its own.
pub async fn start() -> (MockServer, Client) {
    // The workspace holds two TLS providers: one is chosen, as main does.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = MockServer::start().await;
    let mut config = Config::new(server.uri().parse().expect("uri"));
    config.default_retry = false;
    let client = Client::try_from(config).expect("client");
    (server, client)
}

/// Lets the server say that it serves these kinds: (kind, plural, namespaced).
pub async fn serve_kinds(server: &MockServer, api_version: &str, kinds: &[(&str, &str, bool)]) {
    let resources: Vec<_> = kinds
        .iter()
        .map(|(kind, plural, namespaced)| json!({"kind": kind, "name": plural, "singularName": "", "namespaced": namespaced, "verbs": ["get", "list", "patch", "watch"]}))
        .collect();
    let body = json!({"kind": "APIResourceList", "groupVersion": api_version, "resources": resources});
    let root = if api_version.contains('/') { "apis" } else { "api" };
    Mock::given(method("GET")).and(path(format!("/{root}/{api_version}"))).respond_with(ResponseTemplate::new(200).set_body_json(body)).mount(server).await;
}

/// The API server's way to refuse.
pub fn status(code: u16, reason: &str, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(code).set_body_json(json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}))
}

/// Answers a list of `items` at `at`.
pub async fn serve_list(server: &MockServer, at: &str, items: Vec<Value>) {
    let body = json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items});
    Mock::given(method("GET")).and(path(at)).respond_with(ResponseTemplate::new(200).set_body_json(body)).mount(server).await;
}
