//! What the HPA of the workload sees of the connections. An HPA that goes by a custom metric, such as open connections, is
//! moved by nothing else of a run.

use crate::oracle::ControllerSettings;
use crate::oracle::observation::Observation;
use crate::oracle::observe::Observer;
use gauntlet_reports::recorder::Recorder;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};

/// An HPA under watch.
pub(super) struct Watched {
    hpa: String,
    observer: Observer,
}

/// What was seen of it.
pub(super) struct Scaled {
    /// The HPA.
    pub(super) hpa: String,
    /// Everything seen.
    pub(super) seen: Observation,
}

/// True: it scales this workload, by a metric that is no resource.
fn goes_by_custom(hpa: &HorizontalPodAutoscaler, workload: &str) -> bool {
    let Some(spec) = &hpa.spec else { return false };
    let target = format!("{}/{}", spec.scale_target_ref.kind, spec.scale_target_ref.name);
    let custom = |kind: &str| kind != "Resource" && kind != "ContainerResource";
    target == workload && spec.metrics.iter().flatten().any(|metric| custom(&metric.type_))
}

impl Watched {
    /// Begins to watch the HPA of a workload. None: there is none that goes by a custom metric.
    ///
    /// # Errors
    /// Why it cannot be watched, for people.
    pub(super) async fn start(client: &Client, namespace: &str, workload: &str, recorder: &Recorder) -> Result<Option<Self>, String> {
        let hpas: Api<HorizontalPodAutoscaler> = Api::namespaced(client.clone(), namespace);
        let all = match hpas.list(&ListParams::default()).await {
            Ok(all) => all.items,
            // A cluster without that API has none.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
            Err(error) => return Err(format!("list HorizontalPodAutoscalers: {error}")),
        };
        let Some(found) = all.iter().find(|hpa| goes_by_custom(hpa, workload)) else { return Ok(None) };
        let hpa = found.name_any();
        // Its decisions are the load stage's to judge: only values are read here, which no setting changes.
        let started = Observer::start(client.clone(), namespace, &hpa, ControllerSettings::default(), recorder.clone()).await;
        let observer = started.map_err(|e| format!("cannot {}", crate::stage::chain(&e)))?;
        Ok(Some(Watched { hpa, observer }))
    }

    /// Ends the watch.
    pub(super) async fn finish(self) -> Scaled {
        Scaled { hpa: self.hpa, seen: self.observer.finish().await }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_an_hpa_of_the_workload_with_a_custom_metric_is_watched() {
        let hpa = |name: &str, kind: &str| -> HorizontalPodAutoscaler {
            let metric = if kind == "Pods" {
                json!({"type": "Pods", "pods": {"metric": {"name": "open"}, "target": {"type": "AverageValue", "averageValue": "20"}}})
            } else {
                json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}})
            };
            serde_json::from_value(json!({"spec": {"maxReplicas": 5, "scaleTargetRef": {"kind": "Deployment", "name": name}, "metrics": [metric]}})).expect("hpa")
        };
        assert!(goes_by_custom(&hpa("ws", "Pods"), "Deployment/ws"));
        assert!(!goes_by_custom(&hpa("ws", "Resource"), "Deployment/ws"));
        assert!(!goes_by_custom(&hpa("api", "Pods"), "Deployment/ws"));
    }
}
