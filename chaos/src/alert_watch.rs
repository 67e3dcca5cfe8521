//! Watches a platform's AlertManager through a fault: each alert that an experiment names must fire while the fault holds,
//! and resolve after it.
//!
//! AlertManager has no way to be watched but its API, so it is polled, over a forwarded port: that works whatever the
//! platform's NetworkPolicies say.

use crate::error::ChaosError;
use crate::port_forward::PortForward;
use crate::store::selected_pods;
use gauntlet_fixtures::platform::Experiment as Spec;
use gauntlet_reports::event::EventKind;
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::run::Assertion;
use k8s_openapi::api::core::v1::Service;
use kube::api::ListParams;
use kube::{Api, Client};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// AlertManager's own port.
const PORT: u16 = 9093;
/// Between two looks.
const PACE: Duration = Duration::from_secs(2);
/// An alert must resolve within this time after recovery: Prometheus' scrape and evaluation, then AlertManager.
pub const RESOLVED_WITHIN: Duration = Duration::from_secs(150);

/// An alert as `GET /api/v2/alerts` gives it; resolved ones are not in it.
#[derive(Debug, Clone, Deserialize)]
struct Alert {
    labels: BTreeMap<String, String>,
    #[serde(default)]
    receivers: Vec<Receiver>,
    status: Status,
}

#[derive(Debug, Clone, Deserialize)]
struct Receiver {
    name: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Status {
    state: String,
}

/// Names of the alerts that fire, each with its receivers. Silenced and inhibited ones notify nobody.
fn firing(body: &[u8]) -> Result<BTreeMap<String, Vec<String>>, String> {
    let alerts: Vec<Alert> = serde_json::from_slice(body).map_err(|e| format!("AlertManager's answer: {e}"))?;
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for alert in alerts.into_iter().filter(|a| a.status.state != "suppressed") {
        let Some(name) = alert.labels.get("alertname") else { continue };
        let receivers = all.entry(name.clone()).or_default();
        receivers.extend(alert.receivers.into_iter().map(|r| r.name));
        receivers.sort();
        receivers.dedup();
    }
    Ok(all)
}

/// A change of one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// On the run's clock, in ms.
    pub at_ms: u64,
    /// It fires from now on, or it does not.
    pub fires: bool,
    /// Who is notified.
    pub receivers: Vec<String>,
}

/// What was seen of all alerts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertLog {
    /// Changes by alert, in their order. An alert that never fired is not in it.
    pub changes: BTreeMap<String, Vec<Change>>,
    /// Looks that were answered.
    pub looks: u64,
    /// Why the last look was not.
    pub error: Option<String>,
}

impl AlertLog {
    /// The alert fires, by the last look.
    pub fn fires(&self, alert: &str) -> bool {
        self.changes.get(alert).and_then(|c| c.last()).is_some_and(|c| c.fires)
    }

    /// Takes one look into account. Gives the changes of the alerts that are `wanted`.
    fn look(&mut self, at_ms: u64, now: &BTreeMap<String, Vec<String>>, wanted: &[String]) -> Vec<(String, Change)> {
        self.looks += 1;
        self.error = None;
        let mut changed = Vec::new();
        for alert in wanted {
            let fires = now.contains_key(alert);
            if fires != self.fires(alert) {
                let change = Change { at_ms, fires, receivers: now.get(alert).cloned().unwrap_or_default() };
                self.changes.entry(alert.clone()).or_default().push(change.clone());
                changed.push((alert.clone(), change));
            }
        }
        changed
    }
}

/// Keeps one look, and tells the run what changed.
fn note(log: &Mutex<AlertLog>, seen: Result<BTreeMap<String, Vec<String>>, String>, wanted: &[String], recorder: &Recorder) {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    match seen {
        Ok(now) => {
            for (alert, change) in log.look(recorder.clock().now_ms(), &now, wanted) {
                let what = if change.fires { format!("fires at {}", change.receivers.join(", ")) } else { "is resolved".to_owned() };
                recorder.emit_at(change.at_ms, EventKind::Note { message: format!("alert {alert} {what}") });
            }
        }
        Err(why) => log.error = Some(why),
    }
}

/// A watch of some alerts. Dropping it ends it.
pub struct AlertWatch {
    log: Arc<Mutex<AlertLog>>,
    changes: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Drop for AlertWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl AlertWatch {
    /// Begins to look. Each change of a wanted alert is an event of the run.
    pub fn start(client: &Client, namespace: &str, wanted: &[String], recorder: &Recorder) -> Self {
        let log = Arc::new(Mutex::new(AlertLog::default()));
        let (sender, changes) = watch::channel(0);
        let (client, namespace, wanted) = (client.clone(), namespace.to_owned(), wanted.to_vec());
        let (recorder, kept) = (recorder.clone(), log.clone());
        let task = tokio::spawn(async move {
            let mut way: Option<AlertManager> = None;
            loop {
                let seen = async {
                    if way.is_none() {
                        way = Some(AlertManager::find(&client, &namespace).await?);
                    }
                    match &way {
                        Some(manager) => manager.firing().await,
                        None => Ok(BTreeMap::new()),
                    }
                };
                let seen = seen.await;
                if seen.is_err() {
                    // Its pod may be another one by now.
                    way = None;
                }
                note(&kept, seen, &wanted, &recorder);
                sender.send_modify(|n| *n += 1);
                tokio::time::sleep(PACE).await;
            }
        });
        AlertWatch { log, changes, task }
    }

    /// What was seen so far.
    pub fn log(&self) -> AlertLog {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until at least one look was answered and none of the alerts fires. False when that takes too long.
    pub async fn quiet(&self, alerts: &[String], timeout: Duration, stop: &CancellationToken) -> bool {
        let deadline = tokio::time::Instant::now() + timeout;
        let mut changes = self.changes.clone();
        loop {
            changes.mark_unchanged();
            let log = self.log();
            if log.looks > 0 && !alerts.iter().any(|a| log.fires(a)) {
                return true;
            }
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep_until(deadline) => return false,
                looked = changes.changed() => if looked.is_err() { return false },
            }
        }
    }
}

/// The way to a platform's AlertManager.
struct AlertManager {
    http: reqwest::Client,
    url: String,
    _forward: PortForward,
}

impl AlertManager {
    /// A pod behind a Service whose name begins with `alertmanager`, else one with the label `app: alertmanager`.
    async fn find(client: &Client, namespace: &str) -> Result<Self, String> {
        let told = |e: ChaosError| format!("failed to {e}");
        let services: Api<Service> = Api::namespaced(client.clone(), namespace);
        let listed = services.list(&ListParams::default()).await.map_err(ChaosError::kubernetes("list services")).map_err(told)?;
        let service = listed.items.into_iter().find(|s| s.metadata.name.as_deref().is_some_and(|n| n.starts_with("alertmanager")));
        let selector = service.and_then(|s| s.spec).and_then(|s| s.selector).unwrap_or_default();
        let label = ("app".to_owned(), "alertmanager".to_owned());
        let selector = if selector.is_empty() { BTreeMap::from([label]) } else { selector };
        let pods = selected_pods(client, namespace, &selector).await.map_err(told)?;
        let pod = pods.first().ok_or_else(|| format!("namespace {namespace} has no AlertManager"))?;
        let forward = PortForward::open(client, namespace, pod, PORT).await.map_err(|e| e.to_string())?;
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().map_err(|e| e.to_string())?;
        Ok(AlertManager { http, url: format!("http://{}/api/v2/alerts", forward.address), _forward: forward })
    }

    async fn firing(&self) -> Result<BTreeMap<String, Vec<String>>, String> {
        let answer = self.http.get(&self.url).send().await.and_then(reqwest::Response::error_for_status).map_err(|e| e.to_string())?;
        firing(&answer.bytes().await.map_err(|e| e.to_string())?)
    }
}

/// When the fault stood, on the run's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Injection, in ms.
    pub from_ms: u64,
    /// Where the recovery began, in ms.
    pub until_ms: u64,
}

/// The verdicts over the alerts of an experiment. Pure.
pub fn judge(spec: &Spec, log: &AlertLog, held: Held) -> Vec<Assertion> {
    let seconds = |ms: u64| format!("{:.1} s", ms as f64 / 1000.0);
    let of = |alert: &String| {
        let id = format!("{}.alert.{alert}", spec.name);
        let expected = format!("{alert} fires while the fault holds, and resolves after it");
        if log.looks == 0 {
            let why = log.error.clone().unwrap_or_else(|| "it was not asked".to_owned());
            return Assertion::inconclusive(id, expected, format!("AlertManager was not seen: {why}"));
        }
        let changes = log.changes.get(alert).map_or(&[][..], Vec::as_slice);
        let before = changes.iter().rev().find(|c| c.at_ms <= held.from_ms);
        if before.is_some_and(|c| c.fires) {
            return Assertion::inconclusive(id, expected, "it fired already before the fault");
        }
        let Some(fired) = changes.iter().find(|c| c.fires && c.at_ms > held.from_ms && c.at_ms <= held.until_ms) else {
            let for_long = seconds(held.until_ms.saturating_sub(held.from_ms));
            return Assertion::fail(id, expected, "it did not fire", format!("it did not fire in the {for_long} that the fault held"));
        };
        let whom = if fired.receivers.is_empty() { "no receiver".to_owned() } else { fired.receivers.join(", ") };
        let told = format!("fired after {} at {whom}", seconds(fired.at_ms - held.from_ms));
        if fired.receivers.is_empty() {
            return Assertion::fail(id, expected, told, "AlertManager routes it to no receiver");
        }
        match changes.last() {
            Some(last) if !last.fires => Assertion::pass(id, expected, format!("{told}, resolved {} after recovery began", seconds(last.at_ms.saturating_sub(held.until_ms)))),
            _ => Assertion::fail(id, expected, told, format!("it still fired {} s after recovery", RESOLVED_WITHIN.as_secs())),
        }
    };
    spec.alerts.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_view::sample;
    use gauntlet_reports::verdict::Verdict::{Fail, Inconclusive, Pass};

    /// As AlertManager 0.25 answers, shortened.
    const ANSWER: &str = r#"[{"annotations":{},"endsAt":"2026-01-01T00:04:00.000Z","fingerprint":"1","receivers":[{"name":"critical"}],"startsAt":"2026-01-01T00:00:00.000Z",
        "status":{"inhibitedBy":[],"silencedBy":[],"state":"active"},"updatedAt":"2026-01-01T00:00:00.000Z","labels":{"alertname":"ServiceDown","job":"api"}},
        {"receivers":[{"name":"warning"}],"status":{"state":"suppressed"},"labels":{"alertname":"Silenced"}},
        {"receivers":[{"name":"critical"},{"name":"slack"}],"status":{"state":"active"},"labels":{"alertname":"ServiceDown","job":"web"}}]"#;

    #[test]
    fn alerts_are_read_by_name_and_silenced_ones_do_not_fire() {
        let seen = firing(ANSWER.as_bytes()).expect("alerts");
        assert_eq!(seen, BTreeMap::from([("ServiceDown".to_owned(), vec!["critical".to_owned(), "slack".to_owned()])]));
        assert_eq!(firing(b"[]").expect("none"), BTreeMap::new());
        assert!(firing(b"<html>").is_err());
    }

    const HELD: Held = Held { from_ms: 10_000, until_ms: 70_000 };

    /// Looks at the given times; true: it fires.
    fn log(looks: &[(u64, bool)]) -> AlertLog {
        let mut log = AlertLog::default();
        for (at_ms, fires) in looks {
            let now = if *fires { BTreeMap::from([("Down".to_owned(), vec!["critical".to_owned()])]) } else { BTreeMap::new() };
            log.look(*at_ms, &now, &["Down".to_owned()]);
        }
        log
    }

    fn judged(log: &AlertLog) -> Assertion {
        let spec = Spec { alerts: vec!["Down".into()], ..sample::spec("gone", sample::SERVICE) };
        judge(&spec, log, HELD).remove(0)
    }

    #[test]
    fn it_fires_in_time_and_resolves() {
        let good = judged(&log(&[(9_000, false), (45_000, true), (71_000, true), (90_000, false)]));
        assert_eq!((good.id.as_str(), good.verdict), ("gone.alert.Down", Pass));
        assert_eq!(good.measured, "fired after 35.0 s at critical, resolved 20.0 s after recovery began");
    }

    #[test]
    fn each_flaw_is_told() {
        assert_eq!(judged(&log(&[(9_000, false), (60_000, false)])).reason, "it did not fire in the 60.0 s that the fault held");
        assert_eq!(judged(&log(&[(9_000, false), (71_000, true), (90_000, false)])).verdict, Fail, "too late");
        assert_eq!(judged(&log(&[(9_000, false), (45_000, true)])).reason, "it still fired 150 s after recovery");
        assert_eq!(judged(&log(&[(9_000, true), (90_000, false)])).verdict, Inconclusive);
        let silent = AlertLog { error: Some("namespace shop has no AlertManager".into()), ..Default::default() };
        assert!(judged(&silent).reason.contains("has no AlertManager"));
        let mut unrouted = log(&[(9_000, false), (45_000, true), (90_000, false)]);
        unrouted.changes.get_mut("Down").expect("changes")[0].receivers.clear();
        assert_eq!(judged(&unrouted).reason, "AlertManager routes it to no receiver");
    }
}
