//! What a load will be, before any of it flows. Pure: the same inputs give the same plan.

use crate::template::{Body, Template, TemplateError};
use gauntlet_fixtures::endpoint::{Endpoint, NotLoopback};
use gauntlet_fixtures::platform::{Journey, Load, LoadProfile};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Methods that journeys may use.
pub const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Index of the segment in which the push happens, in plans made by [`LoadPlan::stage`].
pub const PUSH: usize = 1;

/// Index of the segment after the push, in plans made by [`LoadPlan::stage`].
pub const AFTER: usize = 2;

/// A stretch of time with a constant number of users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Concurrent users.
    pub users: u32,
    /// Length in seconds, the second in which users are added or leave included.
    pub seconds: u64,
    /// The phase that starts with it.
    pub phase: String,
}

/// Everything a load's child process needs. Travels as one line of JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadPlan {
    /// Where the load goes.
    pub endpoint: Endpoint,
    /// What the users do.
    pub journeys: Vec<Journey>,
    /// How many users when.
    pub segments: Vec<Segment>,
    /// Seed of everything drawn: journeys, think times, `{{rand}}`.
    pub seed: u64,
    /// Origin of the run's clock: [`gauntlet_reports::clock::Clock::origin_ns`].
    pub origin_ns: u64,
    /// The child ends itself this long after its start, in seconds, whatever happens.
    pub max_seconds: u64,
    /// A request that takes longer has failed, in ms.
    pub timeout_ms: u64,
    /// A user's connection is replaced when it is older, in ms: keep-alive would hold users to old pods.
    pub rotate_ms: u64,
}

/// Why there can be no such load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The endpoint is on another machine.
    #[error(transparent)]
    NotLoopback(#[from] NotLoopback),
    /// No journey, or none with steps and a weight.
    #[error("plan the load: no journey has both steps and a weight above 0")]
    NoJourney,
    /// The method is not one of [`METHODS`].
    #[error("plan the load: step {step:?} has the method {method:?}; the methods are GET, HEAD, POST, PUT, PATCH, DELETE")]
    Method {
        /// `journey/step`.
        step: String,
        /// What stands there.
        method: String,
    },
    /// A template cannot be read, or asks for what no earlier step captures.
    #[error("plan the load: step {step:?}: {error}")]
    Template {
        /// `journey/step`.
        step: String,
        /// What is wrong.
        error: TemplateError,
    },
    /// Think times the wrong way round.
    #[error("plan the load: journey {journey:?} thinks from {low} to {high} ms: the first must not be larger")]
    Think {
        /// The journey.
        journey: String,
        /// Lower end in ms.
        low: u64,
        /// Upper end in ms.
        high: u64,
    },
    /// No segment, an empty one, or two in a row that do not differ.
    #[error("plan the load: {0}")]
    Segments(String),
}

impl LoadPlan {
    /// The load of the load stage: quiet, push, quiet. The phases are `before`, `scaling` and `after`; the stage itself
    /// tells when `scaling` becomes `during`.
    ///
    /// # Errors
    /// [`PlanError`]; an endpoint that is not loopback is refused.
    pub fn stage(load: &Load, profile: &LoadProfile, endpoint: Endpoint, seed: u64, origin_ns: u64) -> Result<Self, PlanError> {
        let segment = |users, seconds, phase: &str| Segment { users, seconds, phase: phase.to_owned() };
        let segments = vec![
            segment(profile.quiet_users, profile.before_seconds, "before"),
            segment(profile.push_users, profile.push_seconds, "scaling"),
            segment(profile.quiet_users, profile.after_seconds, "after"),
        ];
        let max_seconds = segments.iter().map(|s| s.seconds).sum::<u64>() + 30;
        Self::new(load, endpoint, segments, seed, origin_ns, max_seconds)
    }

    /// A constant load that runs until it is stopped, `max_seconds` at most: the background of experiments and drills.
    ///
    /// # Errors
    /// [`PlanError`]; an endpoint that is not loopback is refused.
    pub fn steady(load: &Load, endpoint: Endpoint, users: u32, seed: u64, origin_ns: u64, max_seconds: u64) -> Result<Self, PlanError> {
        let segments = vec![Segment { users, seconds: max_seconds, phase: "steady".to_owned() }];
        Self::new(load, endpoint, segments, seed, origin_ns, max_seconds)
    }

    fn new(load: &Load, endpoint: Endpoint, segments: Vec<Segment>, seed: u64, origin_ns: u64, max_seconds: u64) -> Result<Self, PlanError> {
        let journeys = load.journeys.clone();
        let plan = LoadPlan { endpoint, journeys, segments, seed, origin_ns, max_seconds, timeout_ms: 10_000, rotate_ms: 5_000 };
        plan.check()?;
        Ok(plan)
    }

    /// Refuses what cannot be run. The child checks again what it was given.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn check(&self) -> Result<(), PlanError> {
        self.endpoint.check_loopback()?;
        if !self.journeys.iter().any(|j| j.weight > 0 && !j.steps.is_empty()) {
            return Err(PlanError::NoJourney);
        }
        self.journeys.iter().try_for_each(check_journey)?;
        check_segments(&self.segments)
    }

    /// goose's test plan: one second to reach each number of users, then the rest of the segment to hold it.
    pub fn goose_test_plan(&self) -> String {
        let hold = |s: &Segment| format!("{u},1;{u},{}", s.seconds - 1, u = s.users);
        self.segments.iter().map(hold).chain(["0,0".to_owned()]).collect::<Vec<_>>().join(";")
    }
}

fn check_journey(journey: &Journey) -> Result<(), PlanError> {
    let (low, high) = journey.think_ms;
    if low > high {
        return Err(PlanError::Think { journey: journey.name.clone(), low, high });
    }
    let mut captured = BTreeSet::new();
    for step in &journey.steps {
        let name = format!("{}/{}", journey.name, step.name);
        if !METHODS.contains(&step.method.as_str()) {
            return Err(PlanError::Method { step: name, method: step.method.clone() });
        }
        let in_step = |error| PlanError::Template { step: name.clone(), error };
        let texts = std::iter::once(&step.path).chain(step.headers.values());
        let templates = texts.map(|t| Template::parse(t)).collect::<Result<Vec<_>, _>>().map_err(in_step)?;
        let body = step.body.as_ref().map(Body::parse).transpose().map_err(in_step)?;
        let mut names = templates.iter().flat_map(Template::names).chain(body.iter().flat_map(Body::names));
        if let Some(missing) = names.find(|n| !captured.contains(n.to_owned())) {
            return Err(in_step(TemplateError::Missing { name: missing.to_owned() }));
        }
        captured.extend(step.capture.keys().map(String::as_str));
    }
    Ok(())
}

fn check_segments(segments: &[Segment]) -> Result<(), PlanError> {
    let wrong = |text: String| Err(PlanError::Segments(text));
    if segments.is_empty() {
        return wrong("there is no segment".into());
    }
    if let Some(s) = segments.iter().find(|s| s.users == 0 || s.seconds < 2) {
        return wrong(format!("phase {:?} needs at least one user and two seconds, not {} and {}", s.phase, s.users, s.seconds));
    }
    if let Some(pair) = segments.windows(2).find(|pair| pair[0].users == pair[1].users) {
        return wrong(format!("phases {:?} and {:?} have the same number of users, {}", pair[0].phase, pair[1].phase, pair[0].users));
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// A load with one journey, for the tests of this crate.
    pub(crate) fn load() -> Load {
        let slo = json!({"errorRatio": 0.01, "p95Ms": 500});
        serde_json::from_value(json!({
            "entrypoint": "api", "targets": [{"hpa": "orders", "expectReplicas": {"quick": 4}}],
            "journeys": [{"name": "order", "weight": 1, "thinkMs": [0, 5], "steps": [
                {"name": "create", "method": "POST", "path": "/orders?n={{seq}}", "expectStatus": 201,
                 "body": {"portfolio": "p-{{rand:1:9}}", "quantity": "{{rand:1:100}}"}, "capture": {"id": "/id"}},
                {"name": "read", "method": "GET", "path": "/orders/{{id}}", "expectStatus": 200}]}],
            "profiles": {"quick": {"quietUsers": 2, "pushUsers": 8, "beforeSeconds": 4, "pushSeconds": 6,
                                   "afterSeconds": 5}},
            "slo": {"before": slo, "scaling": slo, "during": slo, "after": slo}
        }))
        .expect("load")
    }

    /// An endpoint at a port of this machine.
    pub(crate) fn endpoint(address: &str) -> Endpoint {
        let address = address.parse().expect("address");
        Endpoint { address, host: "orders.test".into(), tls: false, ca_pem: None, health_path: "/health".into() }
    }

    fn plan(load: &Load, address: &str) -> Result<LoadPlan, PlanError> {
        LoadPlan::stage(load, &load.profiles["quick"], endpoint(address), 7, 0)
    }

    #[test]
    fn the_same_inputs_give_the_same_plan() {
        let plan = |seed| LoadPlan::stage(&load(), &load().profiles["quick"], endpoint("127.0.0.1:80"), seed, 5).expect("plan");
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
        let line = serde_json::to_string(&plan(1)).expect("json");
        assert_eq!(serde_json::from_str::<LoadPlan>(&line).expect("plan"), plan(1));
    }

    #[test]
    fn segments_become_a_test_plan_of_goose() {
        let plan = plan(&load(), "127.0.0.1:80").expect("plan");
        assert_eq!(plan.goose_test_plan(), "2,1;2,3;8,1;8,5;2,1;2,4;0,0");
        assert_eq!(plan.max_seconds, 45);
        assert_eq!((plan.segments[PUSH].phase.as_str(), plan.segments[AFTER].phase.as_str()), ("scaling", "after"));
    }

    #[test]
    fn another_machine_is_never_loaded() {
        let refused = plan(&load(), "10.0.0.1:80").expect_err("refused");
        assert!(matches!(refused, PlanError::NotLoopback(_)), "{refused}");
        let steady = LoadPlan::steady(&load(), endpoint("8.8.8.8:443"), 3, 1, 0, 60);
        assert!(matches!(steady, Err(PlanError::NotLoopback(_))));
    }

    #[test]
    fn a_name_must_be_captured_by_an_earlier_step() {
        let mut load = load();
        load.journeys[0].steps.swap(0, 1);
        let refused = plan(&load, "127.0.0.1:80").expect_err("refused").to_string();
        assert!(refused.contains("order/read") && refused.contains("\"id\""), "{refused}");
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        let mut quiet = load();
        quiet.profiles.get_mut("quick").expect("profile").push_users = 2;
        assert!(matches!(plan(&quiet, "127.0.0.1:80"), Err(PlanError::Segments(_))));
        let mut none = load();
        none.journeys[0].weight = 0;
        assert_eq!(plan(&none, "127.0.0.1:80"), Err(PlanError::NoJourney));
        let mut method = load();
        method.journeys[0].steps[0].method = "BREW".into();
        assert!(matches!(plan(&method, "127.0.0.1:80"), Err(PlanError::Method { .. })));
    }
}
