//! What a soak will be, before any connection is opened. Pure.

use gauntlet_fixtures::endpoint::{Endpoint, NotLoopback};
use gauntlet_fixtures::platform::{SoakProfile, WebSocketEndpoint};
use serde::Serialize;

/// The most connections that one soak may hold: a process has about 20,000 open files at most.
pub const MOST_CONNECTIONS: u32 = 18_000;

/// The longest soak, in seconds.
pub const LONGEST_SECONDS: u64 = 24 * 3600;

/// The most messages that one client may send in a second.
pub const MOST_MESSAGES: f64 = 50.0;

/// Slowest and fastest rate of new connections, in connections per second.
const CONNECTS: (f64, f64) = (5.0, 200.0);

/// Open files that the rest of the process needs.
const OTHER_FILES: u64 = 200;

/// Everything that a soak of one endpoint goes by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SoakPlan {
    /// The endpoint's name in platform.yaml.
    pub name: String,
    /// Where it is.
    pub endpoint: Endpoint,
    /// Path of the upgrade.
    pub path: String,
    /// The `Origin` that is sent.
    pub origin: Option<String>,
    /// `Kind/name` of the workload that holds the connections.
    pub workload: String,
    /// `Kind/name` of the workloads that events pass on their way.
    pub upstream: Vec<String>,
    /// Connections to hold.
    pub connections: u32,
    /// How long, in seconds, once all are open.
    pub seconds: u64,
    /// Messages that each client sends in a second.
    pub messages_per_second: f64,
    /// Within this time after a pod is gone every connection is open again, in seconds.
    pub reconnect_seconds: u64,
    /// Rate at which connections are opened, at first and again, in connections per second.
    pub connects_per_second: f64,
    /// Seed of everything drawn.
    pub seed: u64,
}

/// Why there can be no such soak.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The endpoint is on another machine.
    #[error(transparent)]
    NotLoopback(#[from] NotLoopback),
    /// A number is out of its bounds.
    #[error("plan the soak {name}: {what} is {is}; it must be {must}")]
    OutOfBounds {
        /// The endpoint.
        name: String,
        /// The key.
        what: &'static str,
        /// What stands there.
        is: String,
        /// What may.
        must: String,
    },
    /// This process may not open as many files.
    #[error("plan the soak {name}: {needed} open files are needed and {limit} are allowed: raise the limit (ulimit -n)")]
    Files {
        /// The endpoint.
        name: String,
        /// Connections, and what the rest of the process needs.
        needed: u64,
        /// The soft limit of this process.
        limit: u64,
    },
}

impl SoakPlan {
    /// The soak of an endpoint. `open_files`: the limit of this process, when it is known.
    ///
    /// # Errors
    /// [`PlanError`]; an endpoint that is not loopback is refused.
    pub fn new(socket: &WebSocketEndpoint, profile: &SoakProfile, endpoint: Endpoint, seed: u64, open_files: Option<u64>) -> Result<Self, PlanError> {
        endpoint.check_loopback()?;
        let within = |what, is: f64, low: f64, high: f64| {
            let wrong = || PlanError::OutOfBounds { name: socket.name.clone(), what, is: is.to_string(), must: format!("{low} to {high}") };
            if (low..=high).contains(&is) { Ok(()) } else { Err(wrong()) }
        };
        within("connections", profile.connections.into(), 1.0, MOST_CONNECTIONS.into())?;
        within("seconds", profile.seconds as f64, 1.0, LONGEST_SECONDS as f64)?;
        within("messagesPerSecond", profile.messages_per_second, 0.0, MOST_MESSAGES)?;
        within("reconnectSeconds", profile.reconnect_seconds as f64, 1.0, LONGEST_SECONDS as f64)?;
        let needed = u64::from(profile.connections) + OTHER_FILES;
        if let Some(limit) = open_files.filter(|limit| *limit < needed) {
            return Err(PlanError::Files { name: socket.name.clone(), needed, limit });
        }
        // Half of the time to reconnect is enough to open every connection anew.
        let connects = 2.0 * f64::from(profile.connections) / profile.reconnect_seconds as f64;
        Ok(SoakPlan {
            name: socket.name.clone(),
            endpoint,
            path: socket.path.clone(),
            origin: socket.origin.clone(),
            workload: socket.workload.clone(),
            upstream: socket.upstream.clone(),
            connections: profile.connections,
            seconds: profile.seconds,
            messages_per_second: profile.messages_per_second,
            reconnect_seconds: profile.reconnect_seconds,
            connects_per_second: connects.clamp(CONNECTS.0, CONNECTS.1),
            seed,
        })
    }

    /// How long it takes to open all connections, in seconds.
    pub fn opening_seconds(&self) -> u64 {
        (f64::from(self.connections) / self.connects_per_second).ceil() as u64
    }

    /// How long the soak may take, in seconds, with its checks before and after.
    pub fn expected_seconds(&self) -> u64 {
        let held = self.seconds.max(self.seconds / 2 + self.reconnect_seconds);
        self.opening_seconds() + held + 30
    }

    /// The id of one of its assertions.
    pub fn id(&self, what: &str) -> String {
        format!("soak.{}.{what}", self.name)
    }
}

/// The soft limit of open files in `/proc/self/limits`; `None`: unlimited, or not to be read.
pub fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find(|l| l.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn planned(address: &str, change: &[(&str, Value)], files: Option<u64>) -> Result<SoakPlan, PlanError> {
        let mut profile = json!({"connections": 40, "seconds": 60, "messagesPerSecond": 0.5, "reconnectSeconds": 8});
        for (key, value) in change {
            profile[*key] = value.clone();
        }
        let socket = json!({"name": "live", "entrypoint": "ws", "path": "/ws", "workload": "Deployment/ws", "profiles": {"quick": profile}});
        let socket: WebSocketEndpoint = serde_json::from_value(socket).expect("endpoint");
        SoakPlan::new(&socket, &socket.profiles["quick"], crate::plan::tests::endpoint(address), 7, files)
    }

    /// A plan of 40 connections, for the tests of this crate.
    pub(crate) fn plan() -> SoakPlan {
        planned("127.0.0.1:80", &[], None).expect("plan")
    }

    #[test]
    fn the_rate_of_connects_fits_into_half_of_the_time_to_reconnect() {
        assert_eq!((plan().connects_per_second, plan().opening_seconds()), (10.0, 4));
        assert_eq!(planned("127.0.0.1:80", &[("connections", json!(3))], None).expect("plan").connects_per_second, 5.0);
        assert_eq!(plan().id("held"), "soak.live.held");
        assert_eq!(plan().expected_seconds(), 94);
    }

    #[rstest]
    #[case("connections", json!(0))]
    #[case("connections", json!(18_001))]
    #[case("seconds", json!(0))]
    #[case("messagesPerSecond", json!(51))]
    #[case("messagesPerSecond", json!(-1.0))]
    #[case("reconnectSeconds", json!(0))]
    fn bounds_are_kept(#[case] key: &str, #[case] value: Value) {
        let refused = planned("127.0.0.1:80", &[(key, value)], None).expect_err("refused").to_string();
        assert!(refused.contains(key) && refused.contains("soak live"), "{refused}");
    }

    #[test]
    fn another_machine_is_never_soaked() {
        assert!(matches!(planned("192.0.2.1:443", &[], None), Err(PlanError::NotLoopback(_))));
    }

    #[test]
    fn too_few_open_files_are_told_before_the_start() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            220                  20000                files\n";
        assert_eq!(open_files(limits), Some(220));
        assert!(matches!(planned("127.0.0.1:80", &[], open_files(limits)), Err(PlanError::Files { needed: 240, limit: 220, .. })));
        assert_eq!(open_files("Max open files            unlimited            unlimited            files\n"), None);
    }
}
