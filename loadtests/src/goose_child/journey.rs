//! Journeys as a user walks them: templates read once, the next step drawn from the user's own seed.

use super::client::method;
use crate::plan::{LoadPlan, PlanError};
use crate::template::{Body, Scope, Template, TemplateError};
use goose::goose::GooseMethod;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A step, ready to be sent.
pub(super) struct ReadyStep {
    /// Index among all steps, as [`step_names`] counts them.
    pub(super) index: usize,
    pub(super) method: GooseMethod,
    path: Template,
    headers: Vec<(String, Template)>,
    body: Option<Body>,
    pub(super) expect_status: u16,
    capture: Vec<(String, String)>,
}

/// A journey, ready to be walked.
pub(super) struct ReadyJourney {
    weight: u32,
    think_ms: (u64, u64),
    steps: Vec<ReadyStep>,
}

/// What goes into one request.
pub(super) struct Filled {
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<Value>,
}

/// The names of all steps, `journey/step`.
pub(super) fn step_names(plan: &LoadPlan) -> Vec<String> {
    plan.journeys.iter().flat_map(|j| j.steps.iter().map(move |s| format!("{}/{}", j.name, s.name))).collect()
}

/// Reads the templates of a plan.
pub(super) fn ready(plan: &LoadPlan) -> Result<Vec<ReadyJourney>, PlanError> {
    let mut index = 0;
    let mut journeys = Vec::new();
    for journey in &plan.journeys {
        let mut steps = Vec::new();
        for step in &journey.steps {
            let name = || format!("{}/{}", journey.name, step.name);
            let wrong = |error: TemplateError| PlanError::Template { step: name(), error };
            let header = |(key, text): (&String, &String)| Ok((key.clone(), Template::parse(text)?));
            steps.push(ReadyStep {
                index,
                method: method(&step.method).ok_or_else(|| PlanError::Method { step: name(), method: step.method.clone() })?,
                path: Template::parse(&step.path).map_err(wrong)?,
                headers: step.headers.iter().map(header).collect::<Result<_, _>>().map_err(wrong)?,
                body: step.body.as_ref().map(Body::parse).transpose().map_err(wrong)?,
                expect_status: step.expect_status,
                capture: step.capture.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            });
            index += 1;
        }
        // A journey without steps cannot be walked, whatever its weight.
        let weight = if steps.is_empty() { 0 } else { journey.weight };
        journeys.push(ReadyJourney { weight, think_ms: journey.think_ms, steps });
    }
    Ok(journeys)
}

/// Where one user is. Everything drawn depends on the plan's seed and the user's number only.
pub(super) struct Walk {
    rng: ChaCha8Rng,
    at: Option<(usize, usize)>,
    captured: BTreeMap<String, Value>,
}

impl Walk {
    /// A user before the first step.
    pub(super) fn new(seed: u64, user: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(user);
        Walk { rng, at: None, captured: BTreeMap::new() }
    }

    /// The next step; a new journey, drawn by weight, when the last one is over.
    pub(super) fn next<'a>(&mut self, journeys: &'a [ReadyJourney]) -> &'a ReadyStep {
        let (journey, step) = match self.at {
            Some((journey, step)) if step + 1 < journeys[journey].steps.len() => (journey, step + 1),
            _ => {
                self.captured.clear();
                (draw(journeys, &mut self.rng), 0)
            }
        };
        self.at = Some((journey, step));
        &journeys[journey].steps[step]
    }

    /// Leaves the journey: its later steps need what this one did not bring.
    pub(super) fn abandon(&mut self) {
        self.at = None;
    }

    /// Fills a step's templates.
    pub(super) fn fill(&mut self, step: &ReadyStep, seq: u64) -> Result<Filled, TemplateError> {
        let mut scope = Scope { seq, rng: &mut self.rng, captured: &self.captured };
        let path = step.path.text(&mut scope)?;
        let mut headers = Vec::with_capacity(step.headers.len());
        for (key, template) in &step.headers {
            headers.push((key.clone(), template.text(&mut scope)?));
        }
        let body = step.body.as_ref().map(|b| b.fill(&mut scope)).transpose()?;
        Ok(Filled { path, headers, body })
    }

    /// Takes what a step captures from its answer, or names the first value that is not there.
    pub(super) fn capture(&mut self, step: &ReadyStep, answer: &[u8]) -> Result<(), String> {
        if step.capture.is_empty() {
            return Ok(());
        }
        let json: Value = serde_json::from_slice(answer).unwrap_or(Value::Null);
        for (name, pointer) in &step.capture {
            let value = json.pointer(pointer).ok_or_else(|| name.clone())?;
            self.captured.insert(name.clone(), value.clone());
        }
        Ok(())
    }

    /// The pause after a step.
    pub(super) fn think(&mut self, journeys: &[ReadyJourney]) -> Duration {
        let (low, high) = self.at.map_or((0, 0), |(journey, _)| journeys[journey].think_ms);
        Duration::from_millis(self.rng.random_range(low..=high.max(low)))
    }

    /// A share of a length, so that not all users do the same thing at the same time.
    pub(super) fn jitter(&mut self, whole: Duration) -> Duration {
        whole.mul_f64(self.rng.random_range(0.5..=1.0))
    }
}

fn draw(journeys: &[ReadyJourney], rng: &mut ChaCha8Rng) -> usize {
    let total: u64 = journeys.iter().map(|j| u64::from(j.weight)).sum();
    let mut drawn = rng.random_range(0..total.max(1));
    for (index, journey) in journeys.iter().enumerate() {
        match drawn.checked_sub(u64::from(journey.weight)) {
            Some(rest) => drawn = rest,
            None => return index,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{endpoint, load};

    fn plan() -> LoadPlan {
        let mut load = load();
        let mut second = load.journeys[0].clone();
        second.name = "browse".into();
        second.weight = 3;
        load.journeys.push(second);
        LoadPlan::steady(&load, endpoint("127.0.0.1:80"), 2, 9, 0, 10).expect("plan")
    }

    fn walked(user: u64) -> Vec<String> {
        let plan = plan();
        let (journeys, mut walk) = (ready(&plan).expect("ready"), Walk::new(plan.seed, user));
        let walk_one = |n| {
            let step = walk.next(&journeys);
            let filled = walk.fill(step, n).map(|f| format!("{} {:?}", f.path, f.body));
            walk.capture(step, br#"{"id": 5}"#).expect("captured");
            filled.expect("filled")
        };
        (0..40).map(walk_one).collect()
    }

    #[test]
    fn a_user_walks_the_same_way_for_the_same_seed() {
        assert_eq!(walked(1), walked(1));
        assert_ne!(walked(1), walked(2));
    }

    #[test]
    fn journeys_are_drawn_by_weight() {
        let plan = plan();
        let (journeys, mut walk) = (ready(&plan).expect("ready"), Walk::new(3, 0));
        let mut count = [0; 4];
        (0..8000).for_each(|_| count[walk.next(&journeys).index] += 1);
        assert_eq!((count[0], count[2]), (count[1], count[3]), "both steps of a journey are walked");
        assert!((850..1150).contains(&count[0]), "weight 1 of 4: {count:?}");
    }

    #[test]
    fn a_value_that_is_not_in_the_answer_is_named() {
        let plan = plan();
        let (journeys, mut walk) = (ready(&plan).expect("ready"), Walk::new(3, 0));
        let step = walk.next(&journeys);
        assert_eq!(walk.capture(step, b"<html>"), Err("id".to_owned()));
        assert_eq!(walk.capture(step, br#"{"id": "x"}"#), Ok(()));
    }
}
