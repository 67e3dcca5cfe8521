//! What a guide promises of the platform's answers, tried step by step: `deploy.promise.<name>`.

use super::entrypoint::{chain, client};
use gauntlet_chaos::experiments::run_script;
use gauntlet_chaos::store::workload_pods;
use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_fixtures::facts::means;
use gauntlet_fixtures::platform::{Promise, PromisedAnswer, PromisedLog, PromisedOutput, PromiseStep};
use gauntlet_reports::run::Assertion;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// What a container writes takes a moment to be read back.
const LOGGED_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(500);
/// A promise is no load.
const MOST_TIMES: u32 = 1_000;

/// What steps need.
pub struct Trial<'a> {
    /// The API server.
    pub client: &'a kube::Client,
    /// The platform's.
    pub namespace: &'a str,
    /// Entry points by name.
    pub endpoints: &'a BTreeMap<String, Endpoint>,
    /// A name that no other trial has: of lower-case letters, digits and `-`.
    pub unique: &'a str,
}

/// Why a step was not kept.
#[derive(Debug, PartialEq, Eq)]
enum Broken {
    /// It was tried, and something else came of it.
    Promise(String),
    /// It could not be tried.
    Trial(String),
}

/// Tries one promise.
pub async fn try_one(trial: &Trial<'_>, promise: &Promise) -> Assertion {
    let (id, count) = (format!("deploy.promise.{}", promise.name), promise.steps.len());
    let expected = format!("all of its {count} steps end as promised");
    let Some(endpoint) = trial.endpoints.get(&promise.entrypoint) else {
        return Assertion::inconclusive(id, expected, format!("entry point {} is not published on this machine", promise.entrypoint));
    };
    if let Err(refused) = endpoint.check_loopback() {
        return Assertion::inconclusive(id, expected, refused.to_string());
    }
    let mut told = Vec::new();
    for (at, step) in promise.steps.iter().enumerate() {
        match one_step(trial, endpoint, step).await {
            Ok(seen) => told.push(seen),
            Err(Broken::Promise(why)) => return Assertion::fail(id, expected, told.join("; "), format!("step {}: {why}", at + 1)),
            Err(Broken::Trial(why)) => return Assertion::inconclusive(id, expected, format!("step {}: {why}", at + 1)),
        }
    }
    Assertion::pass(id, expected, told.join("; "))
}

async fn one_step(trial: &Trial<'_>, endpoint: &Endpoint, step: &PromiseStep) -> Result<String, Broken> {
    match step {
        PromiseStep { request: Some(request), script: None, logs: None, wait_seconds: None } => ask(endpoint, request, trial.unique).await,
        PromiseStep { request: None, script: Some(script), logs: None, wait_seconds: None } => run(trial, script).await,
        PromiseStep { request: None, script: None, logs: Some(logs), wait_seconds: None } => logged(trial, logs).await,
        PromiseStep { request: None, script: None, logs: None, wait_seconds: Some(seconds) } => {
            tokio::time::sleep(Duration::from_secs(*seconds)).await;
            Ok(format!("{seconds} s passed"))
        }
        _ => Err(Broken::Trial("a step has exactly one of request, script, logs and waitSeconds".to_owned())),
    }
}

fn filled(text: &str, unique: &str) -> String {
    text.replace("{{unique}}", unique)
}

fn filled_json(value: &Value, unique: &str) -> Value {
    match value {
        Value::String(text) => filled(text, unique).into(),
        Value::Array(items) => items.iter().map(|v| filled_json(v, unique)).collect(),
        Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), filled_json(v, unique))).collect(),
        other => other.clone(),
    }
}

async fn ask(endpoint: &Endpoint, promised: &PromisedAnswer, unique: &str) -> Result<String, Broken> {
    let (method, path) = (&promised.method, filled(&promised.path, unique));
    let untried = |error: &dyn std::error::Error| Broken::Trial(format!("{method} {path}: {}", chain(error)));
    let client = client(endpoint).map_err(|e| untried(&e))?;
    let verb = reqwest::Method::from_bytes(method.as_bytes()).map_err(|e| untried(&e))?;
    for nth in 1..=promised.times.clamp(1, MOST_TIMES) {
        let mut request = client.request(verb.clone(), endpoint.url(&path));
        for (name, value) in &promised.headers {
            request = request.header(name, filled(value, unique));
        }
        if let Some(json) = &promised.json {
            request = request.header("content-type", "application/json").body(filled_json(json, unique).to_string());
        }
        let answer = request.send().await.map_err(|e| Broken::Promise(format!("{method} {path}: {}", chain(&e))))?;
        let status = answer.status().as_u16();
        let headers: BTreeMap<_, _> = answer.headers().iter().map(|(k, v)| (k.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect();
        let which = if promised.times > 1 { format!(" for the {nth}. time") } else { String::new() };
        if status != promised.status {
            let body: String = answer.text().await.unwrap_or_default().chars().take(120).collect();
            return Err(Broken::Promise(format!("{method} {path}{which}: promised {}, answered {status} {}", promised.status, body.trim())));
        }
        for (name, wanted) in &promised.answer_headers {
            let (wanted, given) = (filled(wanted, unique), headers.get(&name.to_lowercase()));
            if !given.is_some_and(|given| means(&wanted, given)) {
                let given = given.map_or("none", String::as_str);
                return Err(Broken::Promise(format!("{method} {path}{which}: promised the header {name}: {wanted}, answered {given}")));
            }
        }
    }
    let times = if promised.times > 1 { format!(" {} times", promised.times) } else { String::new() };
    Ok(format!("{method} {path}: {}{times}", promised.status))
}

async fn pods(trial: &Trial<'_>, workload: &str) -> Result<Vec<String>, Broken> {
    let found = workload_pods(trial.client, trial.namespace, workload).await.map_err(|e| Broken::Trial(format!("failed to {e}")))?;
    if found.pods.is_empty() { Err(Broken::Trial(format!("{workload} has no pod"))) } else { Ok(found.pods) }
}

async fn run(trial: &Trial<'_>, promised: &PromisedOutput) -> Result<String, Broken> {
    let pods = pods(trial, &promised.workload).await?;
    let Some(pod) = pods.first() else { return Err(Broken::Trial("no pod".to_owned())) };
    let container = first_container(trial, pod).await?;
    let script = filled(&promised.run, trial.unique);
    let line = run_script::run(trial.client, trial.namespace, pod, &container, &script).await.map_err(|e| Broken::Promise(format!("{pod}: failed to {e}")))?;
    judge_line(promised, &line, trial.unique).map_err(|why| Broken::Promise(format!("{pod}: {why}")))?;
    Ok(format!("{pod}: {line}"))
}

/// Compares the last line of a script's output with what was promised.
fn judge_line(promised: &PromisedOutput, line: &str, unique: &str) -> Result<(), String> {
    if let Some(wanted) = &promised.line
        && !means(&filled(wanted, unique), line)
    {
        return Err(format!("promised {wanted:?}, got {line:?}"));
    }
    if promised.least.is_none() && promised.most.is_none() {
        return Ok(());
    }
    let number: i64 = line.trim().parse().map_err(|_| format!("promised a number, got {line:?}"))?;
    let (least, most) = (promised.least.unwrap_or(i64::MIN), promised.most.unwrap_or(i64::MAX));
    if (least..=most).contains(&number) { Ok(()) } else { Err(format!("promised {least} to {most}, got {number}")) }
}

async fn first_container(trial: &Trial<'_>, pod: &str) -> Result<String, Broken> {
    let api: Api<Pod> = Api::namespaced(trial.client.clone(), trial.namespace);
    let found = api.get(pod).await.map_err(|e| Broken::Trial(format!("failed to read the pod {pod}: {e}")))?;
    let container = found.spec.and_then(|s| s.containers.into_iter().next()).map(|c| c.name);
    container.ok_or_else(|| Broken::Trial(format!("the pod {pod} has no container")))
}

async fn logged(trial: &Trial<'_>, promised: &PromisedLog) -> Result<String, Broken> {
    let (wanted, started) = (filled(&promised.contains, trial.unique), Instant::now());
    let api: Api<Pod> = Api::namespaced(trial.client.clone(), trial.namespace);
    loop {
        for pod in pods(trial, &promised.workload).await? {
            let container = first_container(trial, &pod).await?;
            let params = LogParams { container: Some(container), since_seconds: Some(120), ..LogParams::default() };
            let text = api.logs(&pod, &params).await.map_err(|e| Broken::Trial(format!("failed to read the log of {pod}: {e}")))?;
            if text.contains(&wanted) {
                return Ok(format!("{pod} has logged {wanted}"));
            }
        }
        if started.elapsed() >= LOGGED_WITHIN {
            return Err(Broken::Promise(format!("no pod of {} has logged {wanted}", promised.workload)));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::fake_api;
    use gauntlet_reports::verdict::Verdict;
    use serde_json::json;
    use wiremock::matchers::{body_json, header, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    fn promise(steps: Value) -> Promise {
        serde_json::from_value(json!({"name": "limited", "entrypoint": "api", "steps": steps})).expect("a promise")
    }

    async fn tried(server: &MockServer, steps: Value) -> Assertion {
        let endpoint = Endpoint { address: *server.address(), host: "api.example.org".into(), tls: false, ca_pem: None, health_path: "/health".into() };
        let endpoints = BTreeMap::from([("api".to_owned(), endpoint)]);
        let (_api, client) = fake_api::start().await;
        try_one(&Trial { client: &client, namespace: "shop", endpoints: &endpoints, unique: "t-1" }, &promise(steps)).await
    }

    #[tokio::test]
    async fn a_limit_is_seen_to_refuse_after_the_last_one_that_is_free() {
        let server = MockServer::start().await;
        let login = || Mock::given(method("POST")).and(path("/login")).and(body_json(json!({"user": "t-1"}))).and(header("x-client", "t-1"));
        login().respond_with(ResponseTemplate::new(200)).up_to_n_times(5).mount(&server).await;
        login().respond_with(ResponseTemplate::new(429).insert_header("Retry-After", "60")).mount(&server).await;
        let step = |times: u32, status: u16, headers: Value| json!({"request": {"method": "POST", "path": "/login", "json": {"user": "{{unique}}"},
            "headers": {"x-client": "{{unique}}"}, "times": times, "status": status, "answerHeaders": headers}});
        let kept = tried(&server, json!([step(5, 200, json!({})), step(1, 429, json!({"retry-after": "*"}))])).await;
        assert_eq!((kept.id.as_str(), kept.verdict), ("deploy.promise.limited", Verdict::Pass), "{}", kept.reason);
        let broken = tried(&server, json!([step(5, 200, json!({}))])).await;
        assert_eq!(broken.verdict, Verdict::Fail);
        assert!(broken.reason.contains("for the 1. time: promised 200, answered 429"), "{}", broken.reason);
        let other = tried(&server, json!([step(1, 429, json!({"retry-after": "1*"}))])).await;
        assert!(other.reason.contains("promised the header retry-after: 1*, answered 60"), "{}", other.reason);
    }

    #[tokio::test]
    async fn what_cannot_be_tried_is_not_judged() {
        let server = MockServer::start().await;
        assert_eq!(tried(&server, json!([{"waitSeconds": 0, "request": {"path": "/", "status": 200}}])).await.verdict, Verdict::Inconclusive);
        let elsewhere = Promise { entrypoint: "other".into(), ..promise(json!([])) };
        let (_api, client) = fake_api::start().await;
        let seen = try_one(&Trial { client: &client, namespace: "shop", endpoints: &BTreeMap::new(), unique: "t" }, &elsewhere).await;
        assert!(seen.reason.contains("entry point other is not published"), "{}", seen.reason);
    }

    #[test]
    fn a_line_is_a_number_in_its_range_or_a_text() {
        let promised = |value: Value| serde_json::from_value::<PromisedOutput>(value).expect("an output");
        let number = promised(json!({"workload": "StatefulSet/redis", "run": "x", "least": 1, "most": 5}));
        assert_eq!(judge_line(&number, "5", ""), Ok(()));
        assert_eq!(judge_line(&number, "-2", ""), Err("promised 1 to 5, got -2".to_owned()));
        assert!(judge_line(&number, "(nil)", "").is_err());
        let text = promised(json!({"workload": "StatefulSet/redis", "run": "x", "line": "*{{unique}}"}));
        assert_eq!(judge_line(&text, "seen t-1", "t-1"), Ok(()));
        assert!(judge_line(&text, "seen t-2", "t-1").is_err());
    }
}
