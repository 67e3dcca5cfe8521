//! Memory on both sides: this process' from /proc, the servers' from `metrics.k8s.io`.

use crate::oracle::quantity::milli;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Client;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often a fresh sample is asked for.
const ASK_EACH: Duration = Duration::from_secs(2);

/// Resident memory in `/proc/self/status`, in bytes.
pub fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// This process' resident memory, in bytes.
pub fn own() -> Option<u64> {
    resident(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// Bytes by pod.
pub type ByPod = BTreeMap<String, u64>;

/// Memory over a soak.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// This process before the first connection, with all of them, and after the last, in bytes.
    pub own: [Option<u64>; 3],
    /// The servers before the first connection.
    pub before: ByPod,
    /// With all of them.
    pub held: ByPod,
    /// After the last.
    pub after: ByPod,
    /// Why the servers' memory is not known, when it is not.
    pub trouble: String,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    metadata: ObjectMeta,
    timestamp: Time,
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    usage: BTreeMap<String, Quantity>,
}

/// The samples of a namespace: bytes by pod, of those that were taken after `since_unix_ms`.
fn fresh(list: List, since_unix_ms: i64) -> ByPod {
    let bytes = |c: &Container| c.usage.get("memory").and_then(|q| milli(&q.0)).map_or(0, |m| m.unsigned_abs() / 1000);
    let newer = |item: &Item| item.timestamp.0.as_millisecond() > since_unix_ms;
    let one = |item: Item| Some((item.metadata.name?, item.containers.iter().map(bytes).sum()));
    list.items.into_iter().filter(newer).filter_map(one).collect()
}

/// The memory of pods, by samples taken after `since_unix_ms` (0: any). Waits for those that `pods` still names: an
/// autoscaler may take one away meanwhile, and then there is no sample to wait for.
///
/// # Errors
/// Why they could not be had in time, for people.
pub async fn of_pods(client: &Client, namespace: &str, pods: impl Fn() -> BTreeSet<String>, since_unix_ms: i64, within: Duration) -> Result<ByPod, String> {
    let until = tokio::time::Instant::now() + within;
    let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods");
    loop {
        let request = kube::core::Request::new(&path).list(&Default::default()).map_err(|e| e.to_string())?;
        let read = tokio::time::timeout(ASK_EACH, client.request::<List>(request)).await;
        let (why, found) = match read {
            Ok(Ok(list)) => (String::new(), fresh(list, since_unix_ms)),
            Ok(Err(error)) => (error.to_string(), ByPod::new()),
            Err(_) => ("no answer".to_owned(), ByPod::new()),
        };
        let pods = pods();
        if pods.iter().all(|pod| found.contains_key(pod)) {
            return Ok(found.into_iter().filter(|(pod, _)| pods.contains(pod)).collect());
        }
        let now = tokio::time::Instant::now();
        if now >= until {
            let missing: Vec<_> = pods.iter().filter(|pod| !found.contains_key(*pod)).cloned().collect();
            let why = if why.is_empty() { format!("no fresh sample of {}", missing.join(", ")) } else { why };
            return Err(format!("metrics.k8s.io, after {} s: {why}", within.as_secs()));
        }
        // metrics.k8s.io has no watch.
        tokio::time::sleep_until((now + ASK_EACH).min(until)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(resident("VmPeak:\t  9000 kB\nVmRSS:\t    1234 kB\n"), Some(1_263_616));
        assert_eq!(resident("VmPeak:\t  9000 kB\n"), None);
        assert!(own().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn containers_add_up_and_old_samples_do_not_count() {
        let item = |name: &str, at: &str, memory: &[&str]| {
            let containers: Vec<_> = memory.iter().map(|m| json!({"name": "c", "usage": {"cpu": "1m", "memory": m}})).collect();
            json!({"metadata": {"name": name}, "timestamp": at, "window": "10s", "containers": containers})
        };
        let list = json!({"items": [
            item("a", "2026-01-01T00:00:10Z", &["10Mi", "6Mi"]),
            item("b", "2026-01-01T00:00:01Z", &["1Ki"])]});
        let read = |since| fresh(serde_json::from_value(list.clone()).expect("list"), since);
        assert_eq!(read(0), ByPod::from([("a".to_owned(), 16 << 20), ("b".to_owned(), 1024)]));
        let since = "2026-01-01T00:00:05Z".parse::<k8s_openapi::jiff::Timestamp>().expect("time").as_millisecond();
        assert_eq!(read(since).keys().collect::<Vec<_>>(), ["a"]);
    }
}
