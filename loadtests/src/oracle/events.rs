//! The Events that Kubernetes writes in a namespace, on the run's own event log.

use futures::StreamExt;
use gauntlet_reports::event::EventKind;
use gauntlet_reports::recorder::Recorder;
use k8s_openapi::api::core::v1::Event as CoreEvent;
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::task::JoinHandle;

/// Tells until it is dropped.
pub struct Told {
    task: JoinHandle<()>,
}

impl Drop for Told {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Puts every Event that is written from now on in a namespace on the recorder. One for a stage, however many objects are
/// observed: else each Event would stand there more than once.
pub fn tell(client: Client, namespace: &str, recorder: Recorder) -> Told {
    let events: Api<CoreEvent> = Api::namespaced(client, namespace);
    let task = tokio::spawn(async move {
        let mut stream = watcher(events, Config::default()).default_backoff().boxed();
        while let Some(event) = stream.next().await {
            // Events of the first list are from before.
            let Ok(Event::Apply(event)) = event else { continue };
            let of = event.involved_object;
            recorder.emit(EventKind::Kubernetes {
                object: format!("{} {}/{}", of.kind.unwrap_or_default(), of.namespace.unwrap_or_default(), of.name.unwrap_or_default()),
                reason: event.reason.unwrap_or_default(),
                message: event.message.unwrap_or_default(),
            });
        }
    });
    Told { task }
}
