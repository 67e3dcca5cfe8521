//! The course of one experiment: baseline, journal, fault, proof, recovery, read-back, judgement's material.

use crate::alert_watch::{self, AlertWatch};
use crate::budget_guard::BudgetGuard;
use crate::client_feed::ClientFeed;
use crate::client_view::{self, HEALTHY_IN_A_ROW, Span};
use crate::cluster_watch::{ClusterWatch, Waited};
use crate::error::ChaosError;
use crate::experiment::{Effect, FaultContext, Plan};
use crate::journal::{FaultRecord, FaultState, NewFault};
use crate::judge::Observation;
use crate::ledger::all::{LedgerRun, Ledgers};
use crate::plan;
use crate::rebalance::rebalance;
use crate::recover::{READ_BACK_WITHIN, recover_one};
use crate::snapshot::{self, Snapshot};
use crate::stage::ChaosStage;
use crate::steady_state::{All, AtLeast, WorkloadsFull, at_rest};
use crate::store_watch::StoreWatch;
use gauntlet_fixtures::platform::Experiment as Spec;
use gauntlet_reports::event::{EventKind, FaultPhase};
use std::time::Duration;
use tokio::time::Instant;

/// The platform must come to rest within this time before a fault, and after it.
const REST_WITHIN: Duration = Duration::from_secs(120);
/// Clients must be calm for three seconds within this time before a fault.
const CALM_WITHIN: Duration = Duration::from_secs(45);
/// Objects and nodes must be as before within this time; taints of a node that came back go last.
const EQUAL_WITHIN: Duration = Duration::from_secs(45);
/// Alerts of an earlier fault must be quiet within this time before a fault.
const QUIET_WITHIN: Duration = Duration::from_secs(120);
/// Time for reading back when the run was stopped.
const READ_BACK_WHEN_STOPPED: Duration = Duration::from_secs(60);
/// Acknowledged writes before a fault, so that there is something to lose.
const LEDGER_BASELINE: usize = 20;

/// One experiment and what it runs with.
pub struct ExperimentRun<'a> {
    /// The stage.
    pub stage: &'a ChaosStage<'a>,
    /// The experiment.
    pub spec: &'a Spec,
    /// The live view.
    pub watch: &'a ClusterWatch,
    /// The clients.
    pub feed: &'a ClientFeed,
}

/// What was made ready before the fault.
struct Prepared {
    plan: Plan,
    before: Snapshot,
    from_ms: u64,
    alerts: Option<AlertWatch>,
}

impl ExperimentRun<'_> {
    fn now_ms(&self) -> u64 {
        self.stage.recorder.clock().now_ms()
    }

    fn tell(&self, plan: &Plan, phase: FaultPhase, detail: &str, at_ms: u64) {
        let (experiment, target) = (self.spec.name.clone(), plan.target.to_string());
        self.stage.recorder.emit_at(at_ms, EventKind::Fault { experiment, target, phase, detail: detail.to_owned() });
    }

    /// Runs the experiment. Whatever happens after the journal's line, the fault is recovered before this returns.
    pub async fn run(&self) -> Observation {
        let mut seen = Observation::default();
        let stage = self.stage;
        let ledgers = Ledgers::start(LedgerRun {
            platform: stage.platform,
            endpoints: &stage.endpoints,
            run_dir: &stage.run_dir,
            folder: "chaos",
            run_id: &stage.run_id,
            purpose: &self.spec.name,
            seed: stage.seed,
            clock: stage.recorder.clock(),
        });
        match self.prepare(&ledgers).await {
            Ok(prepared) => self.fault(prepared, &mut seen).await,
            Err(error) => seen.took_effect = Some(Err(format!("the fault was not applied: failed to {error}"))),
        }
        seen.ledgers = ledgers.close(&stage.client).await;
        seen
    }

    /// Waits for rest, draws the target, takes the snapshot, and sees that load flows.
    async fn prepare(&self, ledgers: &Ledgers<'_>) -> Result<Prepared, ChaosError> {
        let stage = self.stage;
        match self.watch.wait_until(&at_rest(), REST_WITHIN, &stage.stop).await {
            Waited::Met => {}
            Waited::Stopped => return Err(ChaosError::Stopped),
            Waited::TimedOut(last_seen) => return Err(ChaosError::TimedOut { what: "the platform at rest before the fault".into(), last_seen }),
        }
        if let Some(moved) = rebalance(&stage.client, self.watch, &self.spec.target.workload, &stage.stop).await? {
            stage.recorder.progress(format!("{}: a node stood empty after an earlier fault; {moved} was moved by eviction", self.spec.name));
        }
        let mut drawn = plan::plan_one(&self.watch.view(), self.spec, stage.seed)?;
        plan::name_bystanders(&stage.client, &mut drawn).await?;
        plan::entry(self.spec)?.experiment.prepare(&self.context(), &mut drawn).await?;
        for node in plan::stopped_nodes(&drawn.recovery) {
            // A node that is not ours to start must not be stopped, nor journaled.
            stage.nodes.is_running(node).await?;
        }
        let alerts = self.spec.alerts.first().map(|_| AlertWatch::start(&stage.client, &stage.platform.namespace, &self.spec.alerts, &stage.recorder));
        if let Some(alerts) = &alerts {
            // One that does not become quiet is judged as one that says nothing.
            alerts.quiet(&self.spec.alerts, QUIET_WITHIN, &stage.stop).await;
        }
        let before = Snapshot::take(&stage.client, &stage.platform.namespace).await?;
        // Judged by each ledger itself: nothing acknowledged is inconclusive. The fault goes on.
        for store in ledgers.acknowledged(LEDGER_BASELINE, CALM_WITHIN).await {
            stage.recorder.note(format!("{}: the ledger of {store} has few acknowledged writes before the fault", self.spec.name));
        }
        let (clock, budget) = (stage.recorder.clock(), self.spec.error_budget_outside);
        let calm = |w: &[client_view::Window]| client_view::steady(w, clock.now_ms(), HEALTHY_IN_A_ROW, budget);
        // Not calm in time: judged by `load_flowed` and `errors_outside`, with numbers.
        self.feed.wait_until(calm, CALM_WITHIN, &stage.stop).await;
        if stage.stop.is_cancelled() {
            return Err(ChaosError::Stopped);
        }
        let from_ms = self.now_ms().saturating_sub((HEALTHY_IN_A_ROW as u64 + 1) * 1000);
        stage.recorder.progress(format!("{}: {} is the target (seed {})", self.spec.name, drawn.target, stage.seed));
        Ok(Prepared { plan: drawn, before, from_ms, alerts })
    }

    async fn fault(&self, prepared: Prepared, seen: &mut Observation) {
        let Prepared { plan, before, from_ms, alerts } = prepared;
        let stage = self.stage;
        let record = match self.journal(&plan) {
            Ok(record) => record,
            Err(error) => return seen.took_effect = Some(Err(format!("the fault was not applied: failed to {error}"))),
        };
        self.tell(&plan, FaultPhase::Journaled, &record.id, self.now_ms());
        let guard = BudgetGuard::start(&stage.client, &stage.platform.namespace, &stage.recorder);
        let ctx = self.context();
        let (injected_ms, injected) = (self.now_ms(), Instant::now());
        let effect = self.apply_and_prove(&ctx, &plan, &record, injected_ms, seen).await;
        // Asked only after the proof: before it, everything still looks whole.
        let proven = seen.took_effect.as_ref().is_some_and(Result::is_ok);
        let deadline = injected + Duration::from_secs(self.spec.rto_seconds);
        let stores = proven.then(|| StoreWatch::start(&stage.client, stage.platform, self.spec, stage.recorder.clock(), deadline, &stage.stop));
        let (recovered, (until_ms, read_back)) =
            tokio::join!(self.workloads_full(&plan, &effect, injected, injected_ms, proven), self.hold_and_recover(record, injected));
        seen.held = crate::alert_judge::Held { from_ms: injected_ms, until_ms };
        seen.recovered = recovered;
        seen.read_back = Some(read_back);
        // The whole of the fault was watched; what comes now is the aftermath.
        let worst = guard.finish();
        seen.budgets = effect.evictions.as_ref().map(|_| worst);
        seen.evictions = effect.evictions;
        seen.exits = effect.graceful.then(|| self.watch.exits_of(&effect.lost));
        self.watch.wait_until(&at_rest(), REST_WITHIN, &stage.stop).await;
        // The aftermath is seen by all at once: each waits for its own rest.
        let stores = async {
            match stores {
                Some(Ok(stores)) => stores.finish().await,
                Some(Err(error)) => {
                    stage.recorder.note(format!("{}: the stores were not asked: failed to {error}", self.spec.name));
                    Vec::new()
                }
                None => Vec::new(),
            }
        };
        let alerts = async {
            let alerts = alerts?;
            alerts.quiet(&self.spec.alerts, alert_watch::RESOLVED_WITHIN, &stage.stop).await;
            Some(alerts.log())
        };
        let found;
        (seen.stores, seen.client, seen.alerts, found) = tokio::join!(stores, self.clients(from_ms, injected_ms), alerts, self.differences(&before));
        seen.left_over = Some(found.as_ref().map(|(_, left)| left.clone()).map_err(Clone::clone));
        seen.differences = Some(found.map(|(different, _)| different));
    }

    fn context(&self) -> FaultContext<'_> {
        let stage = self.stage;
        FaultContext {
            client: &stage.client,
            watch: self.watch,
            nodes: stage.nodes.as_ref(),
            recorder: &stage.recorder,
            stop: &stage.stop,
            spec: self.spec,
        }
    }

    fn journal(&self, plan: &Plan) -> Result<FaultRecord, ChaosError> {
        let stage = self.stage;
        Ok(stage.journal.begin(NewFault {
            run_id: stage.run_id.clone(),
            platform: stage.platform.name.clone(),
            cluster: stage.cluster.clone(),
            experiment: self.spec.name.clone(),
            fault: self.spec.fault.clone(),
            target: plan.target.to_string(),
            recovery: plan.recovery.clone(),
        })?)
    }

    async fn apply_and_prove(&self, ctx: &FaultContext<'_>, plan: &Plan, record: &FaultRecord, injected_ms: u64, seen: &mut Observation) -> Effect {
        let applied = match plan::entry(self.spec) {
            Ok(entry) => entry.experiment.apply(ctx, plan).await.map(|effect| (entry, effect)),
            Err(error) => Err(error),
        };
        let (entry, effect) = match applied {
            Ok(applied) => applied,
            Err(error) => {
                seen.took_effect = Some(Err(format!("failed to {error}")));
                return Effect::default();
            }
        };
        // The record is recovered in any case; a journal that cannot say "applied" still says "journaled".
        if let Err(error) = self.stage.journal.mark(&record.id, FaultState::Applied) {
            self.stage.recorder.note(format!("{}: failed to write the journal: {error}", self.spec.name));
        }
        self.tell(plan, FaultPhase::Applied, &effect.detail, injected_ms);
        seen.took_effect = Some(match entry.experiment.prove(ctx, plan, &effect).await {
            Ok(proof) => {
                self.tell(plan, FaultPhase::Proven, &proof, self.now_ms());
                Ok(proof)
            }
            Err(error) => Err(format!("failed to {error}")),
        });
        effect
    }

    /// From injection to workloads full, in ms. Asked only after the proof: before it, the cluster still looks whole.
    async fn workloads_full(&self, plan: &Plan, effect: &Effect, injected: Instant, injected_ms: u64, proven: bool) -> Option<Result<u64, String>> {
        if !proven {
            return None;
        }
        let full = All(vec![
            Box::new(WorkloadsFull { only: None, lost: effect.lost.clone() }),
            Box::new(AtLeast(effect.at_least.clone())),
        ]);
        let left = Duration::from_secs(self.spec.rto_seconds).saturating_sub(injected.elapsed());
        match self.watch.wait_until(&full, left, &self.stage.stop).await {
            Waited::Met => {
                let took = self.now_ms() - injected_ms;
                self.tell(plan, FaultPhase::SteadyState, &format!("workloads full {took} ms after injection"), self.now_ms());
                Some(Ok(took))
            }
            Waited::TimedOut(missing) => Some(Err(missing)),
            Waited::Stopped => None,
        }
    }

    /// Keeps the fault for its time (or until the run is stopped), then recovers it. Gives when the recovery began, in ms, and
    /// what the cluster showed.
    async fn hold_and_recover(&self, record: FaultRecord, injected: Instant) -> (u64, (String, bool)) {
        let stage = self.stage;
        tokio::select! {
            () = stage.stop.cancelled() => {}
            () = tokio::time::sleep_until(injected + Duration::from_secs(self.spec.hold_seconds)) => {}
        }
        let until_ms = self.now_ms();
        // Whoever stops a run waits for the fault to go, not for slow pods.
        let within = if stage.stop.is_cancelled() { READ_BACK_WHEN_STOPPED } else { READ_BACK_WITHIN };
        let recovered = recover_one(Some(&stage.client), stage.nodes.as_ref(), &stage.journal, &stage.recorder, record, within).await;
        (until_ms, (recovered.read_back, recovered.ok))
    }

    /// Observes until clients are calm, at the longest until a little after the fault window.
    async fn clients(&self, from_ms: u64, injected_ms: u64) -> Option<client_view::ClientView> {
        let stage = self.stage;
        let (clock, budget) = (stage.recorder.clock(), self.spec.error_budget_outside);
        let window_end_ms = injected_ms + self.spec.rto_seconds * 1000;
        let tail = (HEALTHY_IN_A_ROW as u64 + 2) * 1000;
        let since = clock.now_ms();
        let view = |w: &[client_view::Window], until_ms| client_view::judge(w, Span { from_ms, injected_ms, window_end_ms, until_ms }, budget);
        let calm = |w: &[client_view::Window]| {
            let now = clock.now_ms();
            // Seconds from after the aftermath only: the fault's own first seconds may look calm. Pods that came back are slow at first.
            now >= since + tail && client_view::steady(w, now, HEALTHY_IN_A_ROW, budget) && view(w, now).latency.is_none_or(|l| l.is_back())
        };
        let at_most = window_end_ms.saturating_sub(since).max(tail) + tail;
        self.feed.wait_until(calm, Duration::from_millis(at_most), &stage.stop).await;
        if stage.stop.is_cancelled() {
            return None;
        }
        Some(view(&self.feed.windows(), clock.now_ms()))
    }

    /// What is still different, and what is left over, when the time for it is over.
    async fn differences(&self, before: &Snapshot) -> Result<(Vec<String>, Vec<String>), String> {
        let stage = self.stage;
        let deadline = Instant::now() + EQUAL_WITHIN;
        loop {
            let after = Snapshot::take(&stage.client, &stage.platform.namespace).await.map_err(|e| format!("failed to {e}"))?;
            let found = (snapshot::compare(before, &after), snapshot::left_over(before, &after));
            if (found.0.is_empty() && found.1.is_empty()) || Instant::now() >= deadline || stage.stop.is_cancelled() {
                return Ok(found);
            }
            self.watch.next_change(Duration::from_secs(2)).await;
        }
    }
}
