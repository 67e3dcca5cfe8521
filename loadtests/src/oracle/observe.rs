//! Watches an HPA, its pods and their samples while a load flows, and compares each decision with the calculator's.

use super::ControllerSettings;
use super::algorithm::{Census, Reading};
use super::census::{CensusRange, PodView, Samples, for_custom, for_resource};
use super::observation::{Life, Observation, point, stuck, values};
use super::replay::{Input, Judge};
use super::spec::{HpaView, Metric};
use super::target::{TargetError, pod_view, samples, selector, unix_on_clock};
use futures::{Stream, StreamExt};
use gauntlet_reports::event::EventKind;
use gauntlet_reports::recorder::Recorder;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Event as CoreEvent, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::runtime::watcher::{Config, Error as WatchError, Event};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often samples are read and series are told, in ms.
const TICK_MS: u64 = 2_000;

/// A custom metric of a pod younger than this may not be there yet, in ms.
const CUSTOM_SETTLED_MS: i64 = 60_000;

/// Watches until it is finished or dropped.
pub struct Observer {
    seen: watch::Receiver<Observation>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Observer {
    /// Begins to watch.
    ///
    /// # Errors
    /// [`TargetError`] when the HPA or its scale target cannot be read; a missing HPA is `Api` with code 404.
    pub async fn start(client: Client, namespace: &str, hpa: &str, settings: ControllerSettings, recorder: Recorder) -> Result<Self, TargetError> {
        let what = format!("HorizontalPodAutoscaler {namespace}/{hpa}");
        let hpas: Api<HorizontalPodAutoscaler> = Api::namespaced(client.clone(), namespace);
        let found = hpas.get(hpa).await.map_err(|cause| TargetError::Api { what, cause })?;
        let target = found.spec.unwrap_or_default().scale_target_ref;
        let selector = selector(&client, namespace, &target.kind, &target.name).await?;
        let workload = format!("{}/{}", target.kind, target.name);
        let (tell, seen) = watch::channel(Observation { workload: workload.clone(), ..Observation::default() });
        let cancel = CancellationToken::new();
        let eye = Eye {
            client,
            namespace: namespace.to_owned(),
            workload,
            settings,
            recorder,
            tell,
            judge: Judge::default(),
            samples: Samples::new(),
            before: (Vec::new(), Samples::new()),
        };
        let watch_for = (hpa.to_owned(), selector);
        let until = cancel.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = eye.watch(watch_for) => {}
                () = until.cancelled() => {}
            }
        });
        Ok(Observer { seen, cancel, task })
    }

    /// Everything seen so far, and a way to wait for more.
    pub fn watch(&self) -> watch::Receiver<Observation> {
        self.seen.clone()
    }

    /// Ends the watch and gives what was seen.
    pub async fn finish(mut self) -> Observation {
        self.cancel.cancel();
        let _ = (&mut self.task).await;
        self.seen.borrow().clone()
    }
}

struct Eye {
    client: Client,
    namespace: String,
    workload: String,
    settings: ControllerSettings,
    recorder: Recorder,
    tell: watch::Sender<Observation>,
    judge: Judge,
    samples: Samples,
    /// Pods and samples at the tick before: the controller may have gone by them.
    before: (Vec<PodView>, Samples),
}

fn stream<K>(api: Api<K>, config: Config) -> std::pin::Pin<Box<dyn Stream<Item = Result<Event<K>, WatchError>> + Send>>
where
    K: kube::Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    watcher(api, config).default_backoff().boxed()
}

impl Eye {
    async fn watch(mut self, (hpa, selector): (String, String)) {
        let only = Config::default().fields(&format!("metadata.name={hpa}"));
        let mut hpas = stream::<HorizontalPodAutoscaler>(Api::namespaced(self.client.clone(), &self.namespace), only);
        let mut pods = stream::<Pod>(Api::namespaced(self.client.clone(), &self.namespace), Config::default().labels(&selector));
        let own = Config::default().fields(&format!("involvedObject.kind=HorizontalPodAutoscaler,involvedObject.name={hpa}"));
        let mut events = stream::<CoreEvent>(Api::namespaced(self.client.clone(), &self.namespace), own);
        let mut tick = tokio::time::interval(Duration::from_millis(TICK_MS));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(event) = hpas.next() => self.on_hpa(event).await,
                Some(event) = pods.next() => self.on_pod(event),
                Some(event) = events.next() => self.on_event(event),
                _ = tick.tick() => self.on_tick().await,
            }
        }
    }

    fn now(&self) -> u64 {
        self.recorder.clock().now_ms()
    }

    fn interrupted(&mut self) {
        self.tell.send_modify(|o| o.interruptions += 1);
        self.judge(Input::Interrupted { at_ms: self.now() });
    }

    /// Judges, and keeps what was judged by: the run can be judged again from it.
    fn judge(&mut self, input: Input) {
        let comparison = self.judge.take(&input);
        self.tell.send_modify(|o| {
            o.inputs.push(input);
            o.comparisons.extend(comparison);
        });
    }

    async fn on_hpa(&mut self, event: Result<Event<HorizontalPodAutoscaler>, WatchError>) {
        let hpa = match event {
            Ok(Event::Apply(hpa) | Event::InitApply(hpa)) => HpaView::of(&hpa, self.settings),
            Ok(Event::Delete(_)) => return self.tell.send_modify(|o| o.hpa = None),
            Ok(_) => return,
            Err(_) => return self.interrupted(),
        };
        if self.tell.borrow().hpa.as_ref() == Some(&hpa) {
            return;
        }
        let now = self.now();
        let input = if self.judge.has_begun() {
            self.read_samples().await;
            let censuses = self.censuses(&hpa);
            Input::Status { at_ms: now, hpa: hpa.clone(), censuses }
        } else {
            // The first status was written at an unknown time: it is where the comparison starts, not its subject.
            let last_scale_ms = hpa.last_scale_unix_ms.map(|at| unix_on_clock(at, self.recorder.clock()));
            Input::Began { at_ms: now, settings: self.settings, last_scale_ms }
        };
        self.judge(input);
        self.tell.send_modify(|o| {
            values(o, &hpa, now);
            o.hpa = Some(hpa);
            point(o, now);
        });
        self.sample_hpa();
    }

    fn on_pod(&mut self, event: Result<Event<Pod>, WatchError>) {
        let now = self.now();
        match event {
            Ok(Event::Apply(pod) | Event::InitApply(pod)) => self.seen_pod(pod_view(&pod), now),
            Ok(Event::Delete(pod)) => {
                let name = pod.metadata.name.unwrap_or_default();
                self.told(&name, "Deleted");
                self.tell.send_modify(|o| {
                    o.pods.retain(|p| p.name != name);
                    o.lives.entry(name).or_default().gone_ms.get_or_insert(now);
                    point(o, now);
                });
            }
            Ok(Event::Init) => self.tell.send_modify(|o| o.pods.clear()),
            Ok(Event::InitDone) => self.tell.send_modify(|o| point(o, now)),
            Err(_) => self.interrupted(),
        }
    }

    fn seen_pod(&mut self, pod: PodView, now: u64) {
        let was_ready = self.tell.borrow().lives.get(&pod.name).is_some_and(|l| l.ready_ms.is_some());
        if pod.is_ready() && !was_ready {
            self.told(&pod.name, "Ready");
        }
        self.tell.send_modify(|o| {
            let life = o.lives.entry(pod.name.clone()).or_insert_with(|| Life { seen_ms: now, ..Life::default() });
            if pod.node.is_some() {
                life.scheduled_ms.get_or_insert(now);
            }
            if pod.is_ready() {
                life.ready_ms.get_or_insert(now);
            }
            if pod.deleted {
                life.gone_ms.get_or_insert(now);
            }
            stuck(life, pod.unschedulable.clone().filter(|_| !pod.deleted), now);
            o.pods.retain(|p| p.name != pod.name);
            o.pods.push(pod);
            point(o, now);
        });
    }

    fn told(&self, pod: &str, reason: &str) {
        let object = format!("Pod {}/{pod}", self.namespace);
        self.recorder.emit(EventKind::Kubernetes { object, reason: reason.to_owned(), message: String::new() });
    }

    fn on_event(&mut self, event: Result<Event<CoreEvent>, WatchError>) {
        let Ok(Event::Apply(event) | Event::InitApply(event)) = event else { return };
        if event.type_.as_deref() != Some("Warning") {
            return;
        }
        let (reason, message) = (event.reason.unwrap_or_default(), event.message.unwrap_or_default());
        self.tell.send_modify(|o| {
            o.complaints.insert(reason, message);
        });
    }

    async fn on_tick(&mut self) {
        self.before = (self.tell.borrow().pods.clone(), self.samples.clone());
        self.read_samples().await;
        let now = self.now();
        self.tell.send_modify(|o| {
            for life in o.lives.values_mut() {
                life.stuck_ms = life.stuck_ms.max(life.stuck_since_ms.map_or(0, |since| now - since));
            }
        });
        self.sample("replicas_ready", f64::from(self.tell.borrow().ready()));
        self.sample_hpa();
    }

    async fn read_samples(&mut self) {
        let read = samples(&self.client, &self.namespace);
        let trouble = match tokio::time::timeout(Duration::from_secs(2), read).await {
            Ok(Ok(samples)) => {
                self.samples = samples;
                None
            }
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("no answer within 2 s".to_owned()),
        };
        self.tell.send_if_modified(|o| {
            let changed = o.metrics_api != trouble;
            o.metrics_api = trouble;
            changed
        });
    }

    fn sample(&self, series: &str, value: f64) {
        self.sample_of(series, None, value);
    }

    fn sample_of(&self, series: &str, metric: Option<&str>, value: f64) {
        let mut labels = BTreeMap::from([("workload".to_owned(), self.workload.clone())]);
        labels.extend(metric.map(|m| ("metric".to_owned(), m.to_owned())));
        self.recorder.emit(EventKind::Sample { series: series.to_owned(), labels, value });
    }

    fn sample_hpa(&self) {
        let hpa = self.tell.borrow().hpa.clone();
        let Some(hpa) = hpa else { return };
        self.sample("replicas_desired", f64::from(hpa.desired));
        if let Some(percent) = hpa.cpu_percent() {
            self.sample("cpu_percent_of_request", percent as f64);
        }
        for metric in hpa.metrics.iter().filter(|m| !m.resource) {
            if let Some(reading) = metric.reading {
                self.sample_of("hpa_metric", Some(&metric.name), reading.pair().0 as f64 / 1000.0);
            }
        }
    }

    fn censuses(&self, hpa: &HpaView) -> Vec<CensusRange> {
        let pods = self.tell.borrow().pods.clone();
        let unix_now = Timestamp::now().as_millisecond();
        hpa.metrics.iter().map(|metric| self.census(metric, &pods, unix_now)).collect()
    }

    /// The looks at the cluster that the controller may have had: the present, and the tick before.
    fn census(&self, metric: &Metric, pods: &[PodView], now: i64) -> CensusRange {
        let (pods_before, samples_before) = &self.before;
        let earlier = now - TICK_MS as i64;
        let looks: Vec<Census> = match metric.reading {
            Some(Reading::Value { .. } | Reading::Share { .. }) => {
                let ready = |pods: &[PodView]| i32::try_from(pods.iter().filter(|p| p.is_ready()).count()).unwrap_or(0);
                [ready(pods), ready(pods_before)].map(|ready| Census { ready, ..Census::default() }).into()
            }
            _ if metric.resource => {
                let look = |pods: &[PodView], samples: &Samples, at| for_resource(pods, samples, metric.cpu, self.settings, at);
                vec![look(pods_before, samples_before, earlier), look(pods, samples_before, now), look(pods, &self.samples, now)]
            }
            _ => for_custom(pods, CUSTOM_SETTLED_MS, now).into_iter().chain(for_custom(pods_before, CUSTOM_SETTLED_MS, earlier)).collect(),
        };
        CensusRange::of(&looks)
    }
}
