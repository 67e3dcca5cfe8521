//! The course of one soak: open, hold, delete pods upstream, delete a pod half-way, send some clients to the new one, close.

use super::facts::{Facts, Spread};
use super::judge::PER_POD;
use super::kill::{self, Kill, Killer};
use super::memory::{self, ByPod, Memory};
use super::plan::SoakPlan;
use super::pods::{self, PodWatch};
use super::session::{Crowd, Order, Session};
use super::scaling::Watched;
use super::stage::SoakStage;
use super::upstream::{self, Upstream};
use super::windows::{Window, Windows};
use super::board;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// How long clients have to rotate, and to close, beyond the time that their rate needs.
const GRACE: Duration = Duration::from_secs(15);

/// Shortest time between the last client that rotated and the end.
const LAST_HOLD: Duration = Duration::from_secs(2);

/// So many clients for each Ready pod rotate: that all of them miss one of the pods by chance is then one case in ten
/// thousand, as (1 - 1/n)^(9.2 n) is about e^-9.2.
const ROTATED_PER_POD: f64 = 9.2;

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

struct Course<'a> {
    ctx: &'a SoakStage<'a>,
    plan: &'a SoakPlan,
    crowd: &'a Arc<Crowd>,
    pods: &'a PodWatch,
    orders: watch::Sender<Order>,
    windows: Vec<Window>,
    upstream: Vec<Result<Upstream, String>>,
}

/// Soaks. Dropped, it aborts its clients.
pub(super) async fn run(ctx: &SoakStage<'_>, plan: &SoakPlan, crowd: &Arc<Crowd>, pods: &PodWatch) -> Facts {
    let mut memory = Memory::default();
    let mut listed = pods.watch();
    // The list of pods may not be there yet: without one that is Ready there is nobody to connect to.
    let _ = timeout(ctx.patience.open, listed.wait_for(|pods| !pods::ready(pods).is_empty())).await;
    memory.own[0] = memory::own();
    let serving = pods::ready(&pods.now());
    match memory::of_pods(&ctx.client, &ctx.platform.namespace, || serving.clone(), 0, ctx.patience.memory).await {
        Ok(before) => memory.before = before,
        Err(why) => memory.trouble = why,
    }

    let scaling = Watched::start(&ctx.client, &ctx.platform.namespace, &plan.workload, &ctx.recorder).await;

    let orders = watch::Sender::new(Order::Hold);
    let mut sessions = JoinSet::new();
    for client in 0..plan.connections {
        sessions.spawn(Session::new(Arc::clone(crowd), client, orders.subscribe()).run());
    }
    let mut keeper = JoinSet::new();
    keeper.spawn({
        let (crowd, recorder, name) = (Arc::clone(crowd), ctx.recorder.clone(), plan.name.clone());
        async move { board::keep(&crowd.board, &recorder, &name).await }
    });
    let mut course = Course { ctx, plan, crowd, pods, orders, windows: Vec::new(), upstream: Vec::new() };
    let (mut spread, mut kill) = (Spread::default(), Err("the connections could not be opened".to_owned()));
    let opened_ms = course.open().await;
    if let Some(opened_ms) = opened_ms {
        crowd.board.begins(opened_ms);
        kill = course.hold(&mut spread, &mut memory).await;
    }
    let quiet_ms = course.now();
    course.orders.send_replace(Order::Quiet);
    tokio::time::sleep(ctx.patience.settle).await;
    keeper.abort_all();
    course.orders.send_replace(Order::Close);
    let mut ends = Vec::new();
    let _ = timeout(GRACE, async {
        while let Some(end) = sessions.join_next().await {
            ends.extend(end);
        }
    })
    .await;
    sessions.shutdown().await;
    course.memory_after(&mut memory).await;
    course.windows_of_pods(kill.as_ref().ok());
    let scaled = match scaling {
        Ok(None) => None,
        Ok(Some(watched)) => Some(Ok(watched.finish().await)),
        Err(why) => Some(Err(why)),
    };
    let (seen, windows, upstream) = (crowd.board.seen(), Windows(course.windows), course.upstream);
    Facts { plan: plan.clone(), opened_ms, quiet_ms, seen, ends, windows, kill, upstream, spread, memory, scaled }
}

impl Course<'_> {
    fn now(&self) -> u64 {
        self.ctx.recorder.clock().now_ms()
    }

    fn tell(&self, what: &str) {
        self.ctx.recorder.progress(format!("{}: {what}", self.plan.name));
    }

    fn all_open(&self, seen: &board::Seen) -> bool {
        u32::try_from(seen.open.len()) == Ok(self.plan.connections)
    }

    /// Waits until all connections are open.
    async fn open(&self) -> Option<u64> {
        let plan = self.plan;
        self.tell(&format!("opening {} connections, {:.0} a second", plan.connections, plan.connects_per_second));
        let within = Duration::from_secs(plan.opening_seconds() * 2) + self.ctx.patience.open;
        let open = timeout(within, self.crowd.board.until(|seen| self.all_open(seen))).await;
        open.is_ok().then(|| self.now())
    }

    async fn hold(&mut self, spread: &mut Spread, memory: &mut Memory) -> Result<Kill, String> {
        let (plan, since_unix) = (self.plan, unix_ms());
        let end = Instant::now() + Duration::from_secs(plan.seconds);
        self.tell(&format!("holding {} connections for {} s", plan.connections, plan.seconds));
        let half = Instant::now() + Duration::from_secs(plan.seconds) / 2;
        if !plan.upstream.is_empty() {
            tokio::time::sleep(Duration::from_secs(plan.seconds) / 4).await;
            self.delete_upstream().await;
        }
        tokio::time::sleep_until(half).await;
        memory.own[1] = memory::own();
        let serving = pods::ready(&self.pods.now()).len();
        spread.before = self.crowd.board.spread();
        let kill = self.kill(spread).await;
        if kill.is_ok() {
            self.rotate(serving, spread).await;
        } else {
            spread.not_rotated = "no pod was deleted".to_owned();
        }
        tokio::time::sleep_until(end.max(Instant::now() + LAST_HOLD)).await;
        let still = pods::ready(&self.pods.now());
        spread.ready.retain(|pod| still.contains(pod));
        spread.after = self.crowd.board.spread();
        // By now there was time for a sample; one that is not there is not worth a longer soak.
        memory.held = self.memory_of(|| self.there_before(memory), since_unix, Duration::ZERO).await.unwrap_or_default();
        kill
    }

    /// Deletes half of the pods of each upstream workload.
    async fn delete_upstream(&mut self) {
        for workload in &self.plan.upstream {
            self.tell(&format!("deleting half of the pods of {workload}"));
            let deleted = upstream::delete(&self.ctx.client, &self.ctx.platform.namespace, workload, self.plan.seed, &self.ctx.recorder);
            self.upstream.push(deleted.await);
        }
    }

    /// Deletes a pod and waits until its connections are back.
    async fn kill(&self, spread: &Spread) -> Result<Kill, String> {
        let plan = self.plan;
        let ready = pods::ready(&self.pods.now());
        let pod = kill::choose(&ready, &spread.before, plan.seed).ok_or_else(|| format!("no pod of {} is Ready", plan.workload))?;
        let killer = Killer { client: &self.ctx.client, namespace: &self.ctx.platform.namespace, recorder: &self.ctx.recorder, pods: self.pods };
        self.tell(&format!("deleting the pod {pod}"));
        let held = (!spread.before.is_empty()).then(|| spread.before.get(&pod).copied().unwrap_or(0));
        let mut kill = killer.kill(&pod, held).await?;
        let back = async {
            killer.proven(&kill).await;
            if held.is_none() {
                // Nobody knows which connections are its: it has none when it is gone.
                let _ = self.pods.watch().wait_for(|pods| pods.get(&pod).is_some_and(|life| life.gone)).await;
            }
            let left = |seen: &board::Seen| !seen.open.values().flatten().any(|server| *server == pod);
            self.crowd.board.until(|seen| self.all_open(seen) && left(seen)).await;
        };
        if timeout(Duration::from_secs(plan.reconnect_seconds), back).await.is_ok() {
            killer.steady(&mut kill);
        }
        Ok(kill)
    }

    /// Sends some clients away and back once as many pods are Ready as before: long-lived connections move to a new pod only
    /// when clients come anew.
    async fn rotate(&mut self, serving: usize, spread: &mut Spread) {
        let mut seen = self.pods.watch();
        let replaced = timeout(self.ctx.patience.replacement, seen.wait_for(|pods| pods::ready(pods).len() >= serving)).await;
        match replaced {
            Ok(Ok(pods)) => spread.ready = pods::ready(&pods),
            _ => {
                spread.not_rotated = format!("no pod took the deleted one's place within {} s", self.ctx.patience.replacement.as_secs());
                return;
            }
        }
        let ready = u32::try_from(spread.ready.len()).unwrap_or(u32::MAX);
        let connections = self.plan.connections;
        if connections < ready.saturating_mul(PER_POD) {
            spread.not_rotated = format!("{connections} connections are too few for {ready} pods");
            return;
        }
        let wanted = (f64::from(ready) * ROTATED_PER_POD).ceil() as u32;
        let every = (connections / wanted.max(1)).max(1);
        let rotating = connections.div_ceil(every);
        self.tell(&format!("{rotating} clients leave and come back, so that the new pod gets some"));
        let from_ms = self.now();
        self.orders.send_replace(Order::Rotate { every });
        let within = Duration::from_secs_f64(f64::from(rotating) / self.plan.connects_per_second) + GRACE;
        let done = self.crowd.board.until(|seen| seen.rotated >= rotating && self.all_open(seen));
        let _ = timeout(within, done).await;
        self.orders.send_replace(Order::Hold);
        let why = format!("{rotating} clients left and came back");
        self.windows.push(Window { from_ms, to_ms: self.now(), pod: None, why });
    }

    async fn memory_of(&self, pods: impl Fn() -> BTreeSet<String>, since_unix_ms: i64, within: Duration) -> Result<ByPod, String> {
        memory::of_pods(&self.ctx.client, &self.ctx.platform.namespace, pods, since_unix_ms, within).await
    }

    /// The servers that were there before the first connection and still are.
    fn there_before(&self, memory: &Memory) -> BTreeSet<String> {
        let serving = pods::ready(&self.pods.now());
        memory.before.keys().filter(|pod| serving.contains(*pod)).cloned().collect()
    }

    /// Their memory after the last connection.
    async fn memory_after(&self, memory: &mut Memory) {
        memory.own[2] = memory::own();
        if self.there_before(memory).is_empty() {
            return;
        }
        self.tell("waiting for a sample of the servers' memory");
        match self.memory_of(|| self.there_before(memory), unix_ms(), self.ctx.patience.memory).await {
            Ok(after) => memory.after = after,
            Err(why) => memory.trouble = why,
        }
    }

    /// A window for each pod that went away, whoever deleted it: until its connections were back, or should have been. Pods
    /// that never served held none.
    fn windows_of_pods(&mut self, kill: Option<&Kill>) {
        let length = self.plan.reconnect_seconds * 1000;
        for (pod, life) in self.pods.now() {
            let ours = kill.filter(|k| k.pod == pod);
            let Some(from_ms) = ours.map(|k| k.at_ms).or(life.going_ms.filter(|_| life.served)) else { continue };
            let to_ms = ours.and_then(|k| k.steady_ms).unwrap_or(from_ms + length);
            let why = if ours.is_some() { "deleted by this soak" } else { "deleted by somebody else" };
            self.windows.push(Window { from_ms, to_ms, pod: Some(pod), why: why.to_owned() });
        }
    }
}
