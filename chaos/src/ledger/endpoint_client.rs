//! The HTTP client of an endpoint, and the requests of a ledger.

use crate::error::ChaosError;
use crate::ledger::Outcome;
use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_fixtures::platform::Step;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::time::Duration;

/// A client whose connections go to the endpoint's loopback address and carry its host name.
///
/// # Errors
/// When the endpoint is not on this machine or its certificate authority cannot be read.
pub fn client(endpoint: &Endpoint, timeout: Duration) -> Result<reqwest::Client, ChaosError> {
    let wrong = |e: &dyn std::fmt::Display| ChaosError::Platform(format!("endpoint {}: {e}", endpoint.host));
    endpoint.check_loopback().map_err(|e| wrong(&e))?;
    let mut builder = reqwest::Client::builder()
        .resolve(&endpoint.host, endpoint.address)
        .timeout(timeout)
        .connect_timeout(Duration::from_secs(2))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    if let Some(pem) = &endpoint.ca_pem {
        let certificate = reqwest::Certificate::from_pem(pem.as_bytes()).map_err(|e| wrong(&e))?;
        builder = builder.tls_certs_only([certificate]);
    }
    builder.build().map_err(|e| wrong(&e))
}

/// Fills in `{{id}}`, `{{seq}}` and `{{rand:A:B}}`. A string that is nothing but `{{seq}}` or `{{rand:A:B}}` becomes a
/// number, as in the journeys of the load.
fn fill(text: &str, id: &str, seq: u64, rng: &mut ChaCha8Rng) -> String {
    let mut out = text.replace("{{id}}", id).replace("{{seq}}", &seq.to_string());
    while let Some(start) = out.find("{{rand:") {
        let Some(length) = out[start..].find("}}") else { break };
        let range = out[start + 7..start + length].split_once(':');
        let Some((low, high)) = range.and_then(|(a, b)| Some((a.parse::<i64>().ok()?, b.parse::<i64>().ok()?))) else { break };
        let drawn = rng.random_range(low.min(high)..=low.max(high));
        out.replace_range(start..start + length + 2, &drawn.to_string());
    }
    out
}

fn fill_value(value: &Value, id: &str, seq: u64, rng: &mut ChaCha8Rng) -> Value {
    match value {
        Value::String(text) => {
            let filled = fill(text, id, seq, rng);
            let number = text.starts_with("{{seq}}") || text.starts_with("{{rand:");
            let whole = number && text.ends_with("}}") && text.matches("{{").count() == 1;
            match filled.parse::<i64>() {
                Ok(n) if whole => Value::from(n),
                _ => Value::String(filled),
            }
        }
        Value::Array(items) => items.iter().map(|v| fill_value(v, id, seq, rng)).collect(),
        Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), fill_value(v, id, seq, rng))).collect(),
        other => other.clone(),
    }
}

/// One write, ready to be sent.
///
/// # Errors
/// When the method or a header of the step is not HTTP.
pub fn request(client: &reqwest::Client, endpoint: &Endpoint, step: &Step, id: &str, seq: u64, rng: &mut ChaCha8Rng) -> Result<reqwest::Request, ChaosError> {
    let wrong = |e: &dyn std::fmt::Display| ChaosError::Platform(format!("ledger.write {}: {e}", step.name));
    let method = reqwest::Method::from_bytes(step.method.as_bytes()).map_err(|e| wrong(&e))?;
    let mut request = client.request(method, endpoint.url(&fill(&step.path, id, seq, rng)));
    for (name, value) in &step.headers {
        request = request.header(name, fill(value, id, seq, rng));
    }
    if let Some(body) = &step.body {
        request = request.json(&fill_value(body, id, seq, rng));
    }
    request.build().map_err(|e| wrong(&e))
}

/// What an answer says of a write. Only the expected status acknowledges. 4xx refuses, but for 408 and 425, which say
/// nothing of what was done; a connection that was never made sent nothing. All else is not known.
pub fn judge(answer: Result<u16, &reqwest::Error>, expect_status: u16) -> Outcome {
    match answer {
        Ok(status) if status == expect_status => Outcome::Ok,
        Ok(408 | 425) => Outcome::Info,
        Ok(400..=499) => Outcome::Fail,
        Ok(_) => Outcome::Info,
        Err(error) if error.is_connect() && !error.is_timeout() => Outcome::Fail,
        Err(_) => Outcome::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use serde_json::json;

    #[test]
    fn templates_are_filled_and_repeat_with_their_seed() {
        let body = json!({"key": "o-{{id}}", "n": "{{seq}}", "q": "{{rand:1:9}}", "list": ["{{rand:5:5}} pieces"], "keep": 1.5});
        let filled = |seed| fill_value(&body, "7", 42, &mut ChaCha8Rng::seed_from_u64(seed));
        let value = filled(1);
        assert_eq!((&value["key"], &value["n"], &value["keep"]), (&json!("o-7"), &json!(42), &json!(1.5)));
        assert_eq!(value["list"][0], json!("5 pieces"));
        assert!((1..=9).contains(&value["q"].as_i64().expect("a number")));
        assert_eq!(filled(1), value);
    }

    #[test]
    fn a_broken_template_is_left_as_it_is() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(fill("{{rand:a:b}} {{id}}", "7", 1, &mut rng), "{{rand:a:b}} 7");
        assert_eq!(fill("{{rand:1:2", "7", 1, &mut rng), "{{rand:1:2");
    }

    #[test]
    fn only_the_expected_status_acknowledges() {
        assert_eq!(judge(Ok(201), 201), Outcome::Ok);
        assert_eq!(judge(Ok(200), 201), Outcome::Info, "another 2xx is no acknowledgement");
        assert_eq!(judge(Ok(429), 201), Outcome::Fail);
        assert_eq!(judge(Ok(408), 201), Outcome::Info);
        assert_eq!(judge(Ok(503), 201), Outcome::Info, "a server error may have stored it");
    }

    #[tokio::test]
    async fn nothing_was_sent_where_nobody_listens() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("bind").local_addr().expect("address");
        let endpoint = Endpoint { address: free, host: "orders.test".into(), tls: false, ca_pem: None, health_path: "/".into() };
        let client = client(&endpoint, Duration::from_secs(2)).expect("client");
        let error = client.get(endpoint.url("/x")).send().await.expect_err("refused");
        assert_eq!(judge(Err(&error), 200), Outcome::Fail);
        let far = Endpoint { address: "192.0.2.1:80".parse().expect("address"), ..endpoint };
        assert!(super::client(&far, Duration::from_secs(1)).is_err(), "only loopback");
    }
}
