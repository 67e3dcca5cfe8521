//! A WebSocket server of docs/websocket.md that plays several pods, well or badly, and the API server that it is known to.

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures::StreamExt;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// The key of the tokens.
pub const KEY: &[u8] = b"a-secret-key-for-tests";

/// The origin that is allowed.
pub const ORIGIN: &str = "https://shop.test";

/// What the server does wrong. One connection among all does it, once, where that is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    None,
    LosesAnEvent,
    RepeatsAnEvent,
    SwapsTwoEvents,
    CorruptsAPayload,
    CutsAConnection,
    CutsOnDrain,
    ForgetsOnResume,
    StopsSending,
    AcceptsExpired,
    AcceptsAnyOrigin,
    NeverAcks,
    NeverSends,
    LeavesTheNewPodIdle,
    KeepsMemory,
}

struct Pod {
    name: String,
    draining: CancellationToken,
}

pub struct World {
    flaw: Flaw,
    pods: Mutex<Vec<Pod>>,
    /// What the API server says of pods.
    objects: Mutex<BTreeMap<String, Value>>,
    changes: broadcast::Sender<Value>,
    connections: AtomicUsize,
    flawed: AtomicBool,
    held: Mutex<BTreeMap<&'static str, VecDeque<Value>>>,
    live: broadcast::Sender<Value>,
    deleted: AtomicBool,
}

type Shared = Arc<World>;

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

fn object(name: &str, deleted: bool) -> Value {
    let now = Timestamp::now().to_string();
    let mut object = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "resourceVersion": "9", "labels": {"app": "ws"}},
        "spec": {"nodeName": "node-1", "containers": []},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}]}});
    if deleted {
        object["metadata"]["deletionTimestamp"] = json!(now);
    }
    object
}

impl World {
    pub fn new(flaw: Flaw) -> Shared {
        let pod = |name: &str| Pod { name: name.to_owned(), draining: CancellationToken::new() };
        Arc::new(World {
            flaw,
            pods: Mutex::new(vec![pod("ws-a"), pod("ws-b")]),
            objects: Mutex::new(["ws-a", "ws-b"].map(|name| (name.to_owned(), object(name, false))).into()),
            changes: broadcast::Sender::new(64),
            connections: AtomicUsize::new(0),
            flawed: AtomicBool::new(false),
            held: Mutex::default(),
            live: broadcast::Sender::new(1024),
            deleted: AtomicBool::new(false),
        })
    }

    /// True once, for the flaw that this world has.
    fn once(&self, flaw: Flaw) -> bool {
        self.flaw == flaw && !self.flawed.swap(true, Ordering::Relaxed)
    }

    /// Events in two channels, 50 a second.
    pub async fn produce(self: Shared) {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        for n in 0_u64.. {
            tick.tick().await;
            if self.flaw == Flaw::NeverSends {
                continue;
            }
            let channel = ["feed/0", "feed/1"][(n % 2) as usize];
            let payload = format!("event {n} says \"hello\"");
            let crc = crc32fast::hash(payload.as_bytes());
            let event = json!({"type": "event", "channel": channel, "seq": n / 2 + 1, "sentMs": unix_ms(), "payload": payload, "crc": crc});
            let mut held = self.held.lock().expect("lock");
            let ring = held.entry(channel).or_default();
            ring.push_back(event.clone());
            if ring.len() > 1000 {
                ring.pop_front();
            }
            let _ = self.live.send(event);
        }
    }

    /// A resume: newer events that are still held, and live ones from there on.
    fn resume(&self, channels: &Value) -> (Vec<Value>, broadcast::Receiver<Value>) {
        let held = self.held.lock().expect("lock");
        let newer = |e: &&Value| channels[e["channel"].as_str().expect("channel")].as_u64().is_some_and(|last| e["seq"].as_u64() > Some(last));
        let missed = if self.flaw == Flaw::ForgetsOnResume { Vec::new() } else { held.values().flatten().filter(newer).cloned().collect() };
        (missed, self.live.subscribe())
    }

    /// Deletes a pod: it drains, is gone after a while, and another one comes.
    fn delete(self: &Shared, name: &str) -> Option<Value> {
        let mut pods = self.pods.lock().expect("lock");
        let index = pods.iter().position(|p| p.name == name)?;
        let pod = pods.remove(index);
        self.deleted.store(true, Ordering::Relaxed);
        pod.draining.cancel();
        let going = object(name, true);
        self.changed("MODIFIED", &going);
        let (world, gone) = (Arc::clone(self), going.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(400)).await;
            world.changed("DELETED", &gone);
            world.changed("ADDED", &object("ws-c", false));
            if world.flaw != Flaw::LeavesTheNewPodIdle {
                world.pods.lock().expect("lock").push(Pod { name: "ws-c".to_owned(), draining: CancellationToken::new() });
            }
        });
        Some(going)
    }

    fn changed(&self, how: &str, object: &Value) {
        let name = object["metadata"]["name"].as_str().expect("name").to_owned();
        let mut objects = self.objects.lock().expect("lock");
        if how == "DELETED" { objects.remove(&name) } else { objects.insert(name, object.clone()) };
        let _ = self.changes.send(json!({"type": how, "object": object}));
    }
}

fn refused(world: &World, headers: &HeaderMap) -> Option<StatusCode> {
    let text = |name| headers.get(name).and_then(|v: &axum::http::HeaderValue| v.to_str().ok());
    let Some(token) = text("authorization").and_then(|t| t.strip_prefix("Bearer ")) else { return Some(StatusCode::UNAUTHORIZED) };
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_aud = false;
    validation.validate_exp = world.flaw != Flaw::AcceptsExpired;
    if jsonwebtoken::decode::<Value>(token, &DecodingKey::from_secret(KEY), &validation).is_err() {
        return Some(StatusCode::UNAUTHORIZED);
    }
    let foreign = text("origin").is_some_and(|o| o != ORIGIN) && world.flaw != Flaw::AcceptsAnyOrigin;
    foreign.then_some(StatusCode::FORBIDDEN)
}

async fn upgrade(State(world): State<Shared>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    if let Some(status) = refused(&world, &headers) {
        return status.into_response();
    }
    let number = world.connections.fetch_add(1, Ordering::Relaxed);
    let (name, draining) = {
        let pods = world.pods.lock().expect("lock");
        let pod = &pods[number % pods.len()];
        (pod.name.clone(), pod.draining.clone())
    };
    let talk = move |socket| async move {
        let _ = talk(socket, world, draining).await;
    };
    let mut answer = upgrade.on_upgrade(talk);
    answer.headers_mut().insert("x-served-by", name.parse().expect("header"));
    answer
}

/// One connection. `None`: it is over.
async fn talk(mut socket: WebSocket, world: Shared, draining: CancellationToken) -> Option<()> {
    let mut live = world.live.subscribe();
    // A resume comes first, or not at all.
    if let Ok(first) = tokio::time::timeout(Duration::from_millis(150), socket.recv()).await {
        let Message::Text(text) = first?.ok()? else { return None };
        let message: Value = serde_json::from_str(&text).ok()?;
        if message["type"] == "resume" {
            let missed;
            (missed, live) = world.resume(&message["channels"]);
            for event in missed {
                say(&mut socket, &event).await?;
            }
        } else {
            hear(&mut socket, &world, &message).await?;
        }
    }
    let mut count = 0;
    let mut kept: Option<Value> = None;
    loop {
        tokio::select! {
            () = draining.cancelled() => {
                if world.flaw != Flaw::CutsOnDrain {
                    let frame = CloseFrame { code: 1001, reason: "draining".into() };
                    socket.send(Message::Close(Some(frame))).await.ok()?;
                    while let Some(Ok(_)) = socket.recv().await {}
                }
                return None;
            }
            event = live.recv() => {
                count += 1;
                let mut event = event.ok()?;
                // Early, so that it does not fall into the window of the deleted pod.
                if count == 10 {
                    if world.once(Flaw::LosesAnEvent) {
                        continue;
                    }
                    if world.once(Flaw::RepeatsAnEvent) {
                        say(&mut socket, &event).await?;
                    }
                    if world.once(Flaw::SwapsTwoEvents) {
                        kept = Some(event);
                        continue;
                    }
                    if world.once(Flaw::CorruptsAPayload) {
                        event["payload"] = json!("something else");
                    }
                    if world.once(Flaw::CutsAConnection) {
                        return None;
                    }
                }
                if world.deleted.load(Ordering::Relaxed) && count > 10 && world.once(Flaw::StopsSending) {
                    // It answers on, but no event comes any more.
                    silent(&mut socket, &world, &draining).await?;
                }
                say(&mut socket, &event).await?;
                // The next one of its own channel went out before it.
                if kept.as_ref().is_some_and(|k| k["channel"] == event["channel"]) {
                    let late = kept.take()?;
                    say(&mut socket, &late).await?;
                }
            }
            message = socket.recv() => {
                match message?.ok()? {
                    Message::Text(text) => hear(&mut socket, &world, &serde_json::from_str(&text).ok()?).await?,
                    Message::Close(_) => return answered(&mut socket).await,
                    _ => {}
                }
            }
        }
    }
}

/// The client closed: reading on sends the answer.
async fn answered(socket: &mut WebSocket) -> Option<()> {
    while let Some(Ok(_)) = socket.recv().await {}
    None
}

/// Answers messages, and sends no event.
async fn silent(socket: &mut WebSocket, world: &Shared, draining: &CancellationToken) -> Option<()> {
    loop {
        tokio::select! {
            () = draining.cancelled() => return None,
            message = socket.recv() => match message?.ok()? {
                Message::Text(text) => hear(socket, world, &serde_json::from_str(&text).ok()?).await?,
                Message::Close(_) => return answered(socket).await,
                _ => {}
            }
        }
    }
}

async fn say(socket: &mut WebSocket, message: &Value) -> Option<()> {
    socket.send(Message::Text(message.to_string().into())).await.ok()
}

async fn hear(socket: &mut WebSocket, world: &World, message: &Value) -> Option<()> {
    let payload = message["payload"].as_str()?;
    assert_eq!(message["crc"], crc32fast::hash(payload.as_bytes()), "the client's checksums are right");
    if world.flaw == Flaw::NeverAcks {
        return Some(());
    }
    say(socket, &json!({"type": "ack", "seq": message["seq"], "sentMs": message["sentMs"]})).await
}

async fn pods(State(world): State<Shared>, Query(query): Query<HashMap<String, String>>) -> Response {
    if query.get("watch").is_some_and(|w| w == "true" || w == "1") {
        let changes = futures::stream::unfold(world.changes.subscribe(), |mut changes| async move {
            let change = changes.recv().await.ok()?;
            Some((Ok::<_, std::convert::Infallible>(format!("{change}\n")), changes))
        });
        return axum::body::Body::from_stream(changes.boxed()).into_response();
    }
    let items: Vec<Value> = world.objects.lock().expect("lock").values().cloned().collect();
    Json(json!({"metadata": {"resourceVersion": "9"}, "items": items})).into_response()
}

async fn delete(State(world): State<Shared>, Path(name): Path<String>) -> Response {
    world.delete(&name).map_or_else(|| StatusCode::NOT_FOUND.into_response(), |pod| Json(pod).into_response())
}

async fn metrics(State(world): State<Shared>) -> Json<Value> {
    let leaks = world.flaw == Flaw::KeepsMemory && world.deleted.load(Ordering::Relaxed);
    let memory = if leaks { "90Mi" } else { "20Mi" };
    let sample = |name: &String| {
        json!({"metadata": {"name": name}, "timestamp": Timestamp::now().to_string(), "window": "1s",
            "containers": [{"name": "ws", "usage": {"cpu": "1m", "memory": memory}}]})
    };
    Json(json!({"items": world.objects.lock().expect("lock").keys().map(sample).collect::<Vec<_>>()}))
}

async fn serve(app: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// The addresses of the API server and of the WebSocket server.
pub async fn start(world: &Shared) -> (SocketAddr, SocketAddr) {
    let deployment = json!({"metadata": {"name": "ws"}, "spec": {"selector": {"matchLabels": {"app": "ws"}},
        "template": {"metadata": {}, "spec": {"containers": []}}}});
    let keys = json!({"metadata": {"name": "keys"}, "data": {"jwt": base64_of(KEY)}});
    let api = Router::new()
        .route("/apis/apps/v1/namespaces/shop/deployments/ws", get(|| async { Json(deployment) }))
        .route("/api/v1/namespaces/shop/secrets/keys", get(|| async { Json(keys) }))
        .route("/api/v1/namespaces/shop/pods", get(pods))
        .route("/api/v1/namespaces/shop/pods/{name}", axum::routing::delete(delete))
        .route("/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods", get(metrics))
        .with_state(Arc::clone(world));
    tokio::spawn(Arc::clone(world).produce());
    (serve(api).await, serve(Router::new().route("/ws", get(upgrade)).with_state(Arc::clone(world))).await)
}

/// Bytes as a Secret's data has them.
fn base64_of(bytes: &[u8]) -> Value {
    serde_json::to_value(k8s_openapi::ByteString(bytes.to_vec())).expect("base64")
}
