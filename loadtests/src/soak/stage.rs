//! The soak stage: each WebSocket endpoint of a platform, one after the other.

use super::board::Board;
use super::dial::Dialer;
use super::limiter::Limiter;
use super::plan::{SoakPlan, open_files};
use super::pods::PodWatch;
use super::session::Crowd;
use super::token::Mint;
use super::{course, evidence, judge, rejects};
use crate::profile;
use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_fixtures::platform::{Platform, Token, WebSocketEndpoint};
use gauntlet_reports::event::EventKind;
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::{Assertion, StageName, StageReport};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;

/// How much longer than the soak its clients' tokens hold, in seconds.
const TOKEN_SPARE: u64 = 3_600;

/// How long the stage waits for what is not the platform's to hurry.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For all connections to be open, beyond the time that their rate needs.
    pub open: Duration,
    /// For a pod in place of the deleted one.
    pub replacement: Duration,
    /// For events and acknowledgements that are on their way at the end.
    pub settle: Duration,
    /// For a fresh sample of the servers' memory.
    pub memory: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Patience { open: seconds(30), replacement: seconds(60), settle: seconds(5), memory: seconds(60) }
    }
}

/// What the soak stage needs.
pub struct SoakStage<'a> {
    /// The cluster.
    pub client: Client,
    /// The platform, deployed.
    pub platform: &'a Platform,
    /// One of [`profile::PROFILES`].
    pub profile: &'a str,
    /// The platform's entry points by name, published on this machine.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// The run's seed.
    pub seed: u64,
    /// Scoped to the platform and the soak stage.
    pub recorder: Recorder,
    /// The run's folder; evidence goes to the platform's folder in it.
    pub run_dir: &'a Path,
    /// Cancelled: the stage closes its connections and returns at once, inconclusive.
    pub stop: CancellationToken,
    /// How long it waits.
    pub patience: Patience,
}

/// Runs the soak stage. Never fails as a function: what goes wrong is in the report.
pub async fn run(ctx: SoakStage<'_>) -> StageReport {
    let started = ctx.recorder.clock().now_ms();
    if ctx.platform.websockets.is_empty() {
        return StageReport::not_applicable(StageName::Soak, started, "the platform declares no WebSocket endpoint");
    }
    let mut assertions = Vec::new();
    let mut told = Vec::new();
    for socket in &ctx.platform.websockets {
        let soaked = tokio::select! {
            biased;
            () = ctx.stop.cancelled() => {
                let mut report = StageReport::inconclusive(StageName::Soak, started, ctx.recorder.clock().now_ms(), "interrupted");
                report.assertions = assertions;
                return report;
            }
            soaked = one(&ctx, socket, &mut assertions) => soaked,
        };
        match soaked {
            Ok(summary) => told.push(summary),
            Err(why) => {
                let assertion = Assertion::inconclusive(format!("soak.{}.runs", socket.name), "the soak can be made", why);
                assertions.push(ctx.recorder.assert(assertion));
            }
        }
    }
    StageReport::judge(StageName::Soak, started, ctx.recorder.clock().now_ms(), assertions, told.join("; "))
}

fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// How long the soaks of a platform may take, in seconds.
pub fn expected_seconds(platform: &Platform, profile: &str) -> u64 {
    let loopback = Endpoint { address: ([127, 0, 0, 1], 0).into(), host: String::new(), tls: false, ca_pem: None, health_path: String::new() };
    let one = |socket: &WebSocketEndpoint| {
        let chosen = profile::choose("soak", &socket.profiles, profile).ok()?;
        SoakPlan::new(socket, chosen.profile, loopback.clone(), 0, None).ok().map(|plan| plan.expected_seconds())
    };
    platform.websockets.iter().filter_map(one).sum()
}

/// Soaks one endpoint. Assertions are pushed as they are made, so that an interruption loses none.
async fn one(ctx: &SoakStage<'_>, socket: &WebSocketEndpoint, assertions: &mut Vec<Assertion>) -> Result<String, String> {
    let chosen = profile::choose("soak", &socket.profiles, ctx.profile).map_err(|e| e.to_string())?;
    let note = chosen.note();
    if let Some(message) = &note {
        ctx.recorder.emit(EventKind::Note { message: message.clone() });
    }
    let endpoint = ctx.endpoints.get(&socket.entrypoint).cloned();
    let endpoint = endpoint.ok_or_else(|| format!("the entry point {:?} is not published on this machine", socket.entrypoint))?;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let plan = SoakPlan::new(socket, chosen.profile, endpoint, ctx.seed, open_files(&limits)).map_err(|e| e.to_string())?;
    let dialer = Dialer::new(&plan)?;
    let mint = match &socket.token {
        Some(token) => Some(Mint::new(token, key(&ctx.client, &ctx.platform.namespace, token).await?)),
        None => None,
    };
    let unusable = |e: jsonwebtoken::errors::Error| format!("the platform's key signs no token: {e}");
    let pods = PodWatch::start(&ctx.client, &ctx.platform.namespace, &plan.workload, ctx.recorder.clock()).await;
    let pods = pods.map_err(|e| format!("cannot {}", crate::stage::chain(&e)))?;

    ctx.recorder.progress(format!("{}: upgrades that must be refused", plan.name));
    for assertion in rejects::all(&plan, &dialer, mint.as_ref(), unix_s()).await.map_err(unusable)? {
        assertions.push(ctx.recorder.assert(assertion));
    }

    let holds = plan.expected_seconds() + TOKEN_SPARE;
    let token = mint.as_ref().map(|m| m.good("gauntlet", unix_s(), holds)).transpose().map_err(unusable)?;
    let crowd = Arc::new(Crowd {
        dialer,
        token,
        origin: plan.origin.clone(),
        per_second: plan.messages_per_second,
        seed: plan.seed,
        limiter: Limiter::new(plan.connects_per_second),
        board: Board::new(),
        clock: ctx.recorder.clock(),
    });
    let facts = course::run(ctx, &plan, &crowd, &pods).await;
    let file = evidence::write(ctx.run_dir, &ctx.platform.name, &facts).map_err(|e| format!("cannot write the soak's evidence: {e}"))?;
    for assertion in judge::all(&facts) {
        assertions.push(ctx.recorder.assert(assertion.with_evidence(&file)));
    }
    let note = note.map_or_else(String::new, |note| format!(" ({note})"));
    Ok(format!("{}: {} connections held for {} s, {} events, none lost{note}", plan.name, plan.connections, plan.seconds, facts.events()))
}

/// The signing key in the platform's Secret.
async fn key(client: &Client, namespace: &str, token: &Token) -> Result<Vec<u8>, String> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = secrets.get(&token.secret).await.map_err(|e| format!("read the Secret {namespace}/{}: {e}", token.secret))?;
    let value = secret.data.unwrap_or_default().remove(&token.key).map(|value| value.0);
    value.ok_or_else(|| format!("the Secret {namespace}/{} has no key {:?}", token.secret, token.key))
}
