//! Watches a platform's AlertManager through a fault: each alert that an experiment names must fire while the fault holds,
//! be told to somebody, and resolve after it.
//!
//! AlertManager has no way to be watched but its API, so it is polled, over a forwarded port: that works whatever the
//! platform's NetworkPolicies say.

use crate::error::ChaosError;
use crate::port_forward::PortForward;
use crate::store::selected_pods;
use gauntlet_reports::event::EventKind;
use gauntlet_reports::recorder::Recorder;
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

/// Messages that AlertManager has tried to send since it started, by its own metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notifications {
    /// `alertmanager_notifications_total`: all, the failed ones too.
    pub sent: u64,
    /// `alertmanager_notifications_failed_total`: given up after the last try.
    pub failed: u64,
}

impl Notifications {
    /// Reads AlertManager's `/metrics`. None when it has no such metrics.
    fn parse(text: &str) -> Option<Self> {
        let sum = |metric: &str| {
            let of_metric = |line: &&str| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with(['{', ' ']));
            let mut values = text.lines().filter(of_metric).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).peekable();
            values.peek()?;
            Some(values.sum::<f64>() as u64)
        };
        Some(Notifications { sent: sum("alertmanager_notifications_total")?, failed: sum("alertmanager_notifications_failed_total")? })
    }
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
    /// Messages at the first look and at the last one.
    pub notifications: Option<(Notifications, Notifications)>,
}

impl AlertLog {
    /// The alert fires, by the last look.
    pub fn fires(&self, alert: &str) -> bool {
        self.changes.get(alert).and_then(|c| c.last()).is_some_and(|c| c.fires)
    }

    /// Takes one look into account. Gives the changes of the alerts that are `wanted`.
    pub(crate) fn look(&mut self, at_ms: u64, Look { firing: now, notifications }: &Look, wanted: &[String]) -> Vec<(String, Change)> {
        self.looks += 1;
        self.error = None;
        if let Some(last) = *notifications {
            let (first, _) = self.notifications.unwrap_or((last, last));
            self.notifications = Some((first, last));
        }
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

/// What AlertManager answered at one time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Look {
    /// Alerts that fire, each with its receivers.
    pub firing: BTreeMap<String, Vec<String>>,
    /// None when it has no such metrics.
    pub notifications: Option<Notifications>,
}

/// Keeps one look, and tells the run what changed.
fn note(log: &Mutex<AlertLog>, seen: Result<Look, String>, wanted: &[String], recorder: &Recorder) {
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
                        Some(manager) => manager.look().await,
                        None => Ok(Look::default()),
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
        Ok(AlertManager { http, url: format!("http://{}", forward.address), _forward: forward })
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>, String> {
        let request = self.http.get(format!("{}{path}", self.url));
        let answer = request.send().await.and_then(reqwest::Response::error_for_status).map_err(|e| e.to_string())?;
        Ok(answer.bytes().await.map_err(|e| e.to_string())?.into())
    }

    async fn look(&self) -> Result<Look, String> {
        let firing = firing(&self.get("/api/v2/alerts").await?)?;
        let metrics = self.get("/metrics").await?;
        Ok(Look { firing, notifications: Notifications::parse(&String::from_utf8_lossy(&metrics)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn messages_are_counted_over_all_integrations() {
        let text = "# HELP alertmanager_notifications_total x\n# TYPE alertmanager_notifications_total counter\n\
            alertmanager_notifications_total{integration=\"email\"} 2\nalertmanager_notifications_total{integration=\"webhook\"} 3\n\
            alertmanager_notifications_failed_total{integration=\"webhook\"} 1\n";
        assert_eq!(Notifications::parse(text), Some(Notifications { sent: 5, failed: 1 }));
        assert_eq!(Notifications::parse("up 1\n"), None);
    }
}
