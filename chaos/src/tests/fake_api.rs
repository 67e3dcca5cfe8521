//! An API server in memory that knows pods, nodes, Deployments and PodDisruptionBudgets of one namespace, and evicts the
//! way Kubernetes does: 429 while the budget allows nothing. Watches are answered with "410 Gone", so that watchers list
//! again; more of the protocol is not needed here.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

/// What the fake cluster holds.
pub struct State {
    pub pods: BTreeMap<String, Value>,
    pub nodes: BTreeMap<String, Value>,
    pub deployments: BTreeMap<String, Value>,
    pub namespaces: BTreeMap<String, Value>,
    pub policies: BTreeMap<String, Value>,
    /// Policies may be read, and not changed.
    pub policies_refused: bool,
    /// A workload that is scaled up gets its pods.
    pub heals: bool,
    pub budget: Option<Value>,
    /// A budget that is not asked: evictions beyond it are admitted.
    pub lenient: bool,
    /// After so many refusals the replacement is ready and the budget allows one more.
    pub heal_after: u32,
    pub refusals: u32,
    /// Answers 503 to so many requests first: a control plane that is still starting.
    pub unavailable: u32,
    /// Methods and paths, in order.
    pub log: Vec<String>,
}

pub type Shared = Arc<Mutex<State>>;

pub fn node(name: &str, ready: &str, unschedulable: bool) -> Value {
    json!({"metadata": {"name": name, "uid": name, "labels": {}}, "spec": {"unschedulable": unschedulable},
        "status": {"conditions": [{"type": "Ready", "status": ready}]}})
}

fn pod(name: &str, node: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "labels": {"app": "order"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "order-1", "uid": "r", "controller": true}]},
        "spec": {"nodeName": node, "containers": []},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}})
}

/// Two workers; three pods of one service, two of them on `worker-2`; a budget of two.
pub fn shop() -> State {
    let named = |values: Vec<Value>| {
        let name = |v: &Value| v.pointer("/metadata/name").and_then(Value::as_str).expect("name").to_owned();
        values.into_iter().map(|v| (name(&v), v)).collect()
    };
    State {
        pods: named(vec![pod("order-a", "worker-1"), pod("order-b", "worker-2"), pod("order-c", "worker-2")]),
        nodes: named(vec![node("worker-1", "True", false), node("worker-2", "True", false)]),
        deployments: named(vec![json!({"metadata": {"name": "order", "namespace": "shop", "generation": 1},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "order"}}, "template": {}},
            "status": {"readyReplicas": 3, "observedGeneration": 1}})]),
        namespaces: BTreeMap::new(),
        policies: BTreeMap::new(),
        policies_refused: false,
        heals: true,
        budget: Some(json!({"metadata": {"name": "order", "namespace": "shop", "generation": 1},
            "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "order"}}},
            "status": {"currentHealthy": 3, "desiredHealthy": 2, "disruptionsAllowed": 1, "expectedPods": 3, "observedGeneration": 1}})),
        lenient: false,
        heal_after: 3,
        refusals: 0,
        unavailable: 0,
        log: Vec::new(),
    }
}

fn failure(code: u16, reason: &str) -> ResponseTemplate {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason, "metadata": {}});
    ResponseTemplate::new(code).set_body_json(body)
}

fn list(kind: &str, version: &str, items: Vec<Value>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"kind": kind, "apiVersion": version, "metadata": {"resourceVersion": "1"}, "items": items}))
}

impl State {
    fn allowed(&mut self) -> Option<&mut Value> {
        self.budget.as_mut()?.pointer_mut("/status/disruptionsAllowed")
    }

    fn evict(&mut self, name: &str, body: &Value, dry_run: bool) -> ResponseTemplate {
        let Some(pod) = self.pods.get(name) else { return failure(404, "NotFound") };
        // The UID must come where Kubernetes reads it.
        if body.pointer("/deleteOptions/preconditions/uid") != pod.pointer("/metadata/uid") {
            return failure(409, "Conflict");
        }
        let lenient = self.lenient;
        if let Some(allowed) = self.allowed() {
            let left = allowed.as_i64().expect("number");
            if left == 0 && !lenient {
                self.refusals += 1;
                if self.refusals == self.heal_after {
                    *self.allowed().expect("budget") = json!(1);
                }
                return failure(429, "TooManyRequests");
            }
            if !dry_run {
                *allowed = json!((left - 1).max(0));
            }
        }
        if !dry_run {
            self.pods.remove(name);
        }
        ResponseTemplate::new(201).set_body_json(json!({"kind": "Status", "apiVersion": "v1", "status": "Success", "metadata": {}}))
    }

    /// Scales a Deployment; its pods come and go at once.
    fn scale(&mut self, name: &str, body: &Value) -> ResponseTemplate {
        let replicas = body.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
        if replicas == 0 {
            self.pods.clear();
        } else if self.heals {
            self.pods = (0..replicas).map(|n| (format!("{name}-new-{n}"), pod(&format!("{name}-new-{n}"), "worker-1"))).collect();
        }
        let ready = self.pods.len();
        let Some(deployment) = self.deployments.get_mut(name) else { return failure(404, "NotFound") };
        deployment["spec"]["replicas"] = json!(replicas);
        deployment["status"]["readyReplicas"] = json!(ready);
        ResponseTemplate::new(200).set_body_json(json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": name}, "spec": {"replicas": replicas}}))
    }

    fn policy(&mut self, method: &str, name: Option<&str>, body: Value) -> ResponseTemplate {
        let named = |name: Option<&str>| name.map(str::to_owned).or_else(|| body.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned));
        let name = named(name).unwrap_or_default();
        if method != "GET" && self.policies_refused {
            return failure(403, "Forbidden");
        }
        match method {
            "GET" => self.policies.get(&name).map_or_else(|| failure(404, "NotFound"), |p| ResponseTemplate::new(200).set_body_json(p)),
            "DELETE" => self.policies.remove(&name).map_or_else(|| failure(404, "NotFound"), |p| ResponseTemplate::new(200).set_body_json(p)),
            _ => {
                self.policies.insert(name, body.clone());
                ResponseTemplate::new(200).set_body_json(body)
            }
        }
    }

    fn answer(&mut self, request: &Request) -> ResponseTemplate {
        let query: BTreeMap<String, String> = request.url.query_pairs().into_owned().collect();
        let path = request.url.path().to_owned();
        if self.unavailable > 0 {
            self.unavailable -= 1;
            return failure(503, "ServiceUnavailable");
        }
        if query.contains_key("watch") {
            let gone = json!({"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410,
                "reason": "Expired", "message": "list again", "metadata": {}}});
            return ResponseTemplate::new(200).set_body_string(format!("{gone}\n"));
        }
        let method = request.method.as_str();
        if method != "GET" {
            self.log.push(format!("{method} {path}{}", if query.contains_key("dryRun") { " dry" } else { "" }));
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let parts: Vec<_> = path.trim_matches('/').split('/').collect();
        let field = |key: &str| query.get("fieldSelector").and_then(|f| f.strip_prefix(&format!("{key}="))).map(str::to_owned);
        let keep = |all: &BTreeMap<String, Value>, pointer: &str, wanted: Option<String>| -> Vec<Value> {
            let fits = |v: &&Value| wanted.as_deref().is_none_or(|w| v.pointer(pointer).and_then(Value::as_str) == Some(w));
            all.values().filter(fits).cloned().collect()
        };
        match (method, parts.as_slice()) {
            ("GET", ["api", "v1", "namespaces", "shop", "pods"]) => list("PodList", "v1", keep(&self.pods, "/spec/nodeName", field("spec.nodeName"))),
            ("GET", ["api", "v1", "nodes"]) => list("NodeList", "v1", keep(&self.nodes, "/metadata/name", field("metadata.name"))),
            ("GET", ["api", "v1", "nodes", name]) => match self.nodes.get(*name) {
                Some(node) => ResponseTemplate::new(200).set_body_json(node),
                None => failure(404, "NotFound"),
            },
            ("PATCH", ["api", "v1", "nodes", name]) => match self.nodes.get_mut(*name) {
                Some(node) => {
                    node["spec"]["unschedulable"] = body["spec"]["unschedulable"].clone();
                    ResponseTemplate::new(200).set_body_json(node)
                }
                None => failure(404, "NotFound"),
            },
            ("POST", ["api", "v1", "namespaces", "shop", "pods", name, "eviction"]) => self.evict(name, &body, query.contains_key("dryRun")),
            ("GET", ["apis", "apps", "v1", "namespaces", "shop", "deployments"]) => {
                list("DeploymentList", "apps/v1", self.deployments.values().cloned().collect())
            }
            ("PATCH", ["apis", "apps", "v1", "namespaces", "shop", "deployments", name, "scale"]) => self.scale(name, &body),
            ("GET", ["apis", "networking.k8s.io", "v1", "namespaces", "shop", "networkpolicies"]) => {
                list("NetworkPolicyList", "networking.k8s.io/v1", self.policies.values().cloned().collect())
            }
            (_, ["apis", "networking.k8s.io", "v1", "namespaces", "shop", "networkpolicies", rest @ ..]) => self.policy(method, rest.first().copied(), body),
            ("GET", ["apis", "apps", "v1", "namespaces", "shop", "statefulsets"]) => list("StatefulSetList", "apps/v1", vec![]),
            ("GET", ["apis", "policy", "v1", "namespaces", "shop", "poddisruptionbudgets"]) => {
                list("PodDisruptionBudgetList", "policy/v1", self.budget.iter().cloned().collect())
            }
            ("GET", ["apis", "policy", "v1", "namespaces", "shop", "poddisruptionbudgets", _]) => match &self.budget {
                Some(budget) => ResponseTemplate::new(200).set_body_json(budget),
                None => failure(404, "NotFound"),
            },
            ("GET", ["api", "v1", "namespaces"]) => list("NamespaceList", "v1", keep(&self.namespaces, "/metadata/name", field("metadata.name"))),
            ("GET", ["api", "v1", "namespaces", name]) => match self.namespaces.get(*name) {
                Some(found) => ResponseTemplate::new(200).set_body_json(found),
                None => failure(404, "NotFound"),
            },
            ("DELETE", ["api", "v1", "namespaces", name]) => match self.namespaces.remove(*name) {
                Some(gone) => ResponseTemplate::new(200).set_body_json(gone),
                None => failure(404, "NotFound"),
            },
            _ => failure(404, "NotFound"),
        }
    }
}

struct Answers(Shared);

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        self.0.lock().expect("lock").answer(request)
    }
}

/// Starts the server; gives it, its state, and a client.
pub async fn start(state: State) -> (MockServer, Shared, kube::Client) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let shared: Shared = Arc::new(Mutex::new(state));
    let server = MockServer::start().await;
    Mock::given(matchers::any()).respond_with(Answers(shared.clone())).mount(&server).await;
    let config = kube::Config::new(server.uri().parse().expect("uri"));
    let client = crate::api_client::without_retries(config).expect("client");
    (server, shared, client)
}
