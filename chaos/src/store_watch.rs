//! Asks stores whether they are whole, from a fault's proof until they are whole in a platform at rest; and the judgement.

use crate::error::ChaosError;
use crate::ledger::LedgerView;
use crate::store::{Engine, Place};
use crate::stores::engine_of;
use gauntlet_fixtures::platform::{Experiment as Spec, Platform, Store};
use gauntlet_reports::clock::Clock;
use gauntlet_reports::run::Assertion;
use kube::Client;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A store that does not answer by then is not whole.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// One answer of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// When it was asked, on the run's clock, in ms.
    pub at_ms: u64,
    /// What was seen; the error says what is missing.
    pub answer: Result<String, String>,
}

/// All answers of a store, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreView {
    /// The store's name in platform.yaml.
    pub store: String,
    /// Its answers.
    pub asked: Vec<Asked>,
}

/// Stores that are being asked.
pub struct StoreWatch {
    asking: JoinSet<StoreView>,
    at_rest: CancellationToken,
}

/// One store and how long it is asked.
struct Question {
    client: Client,
    namespace: String,
    store: Store,
    engine: &'static dyn Engine,
    clock: Clock,
    deadline: Instant,
    at_rest: CancellationToken,
    stop: CancellationToken,
}

impl StoreWatch {
    /// Begins to ask the stores that an experiment names. After `deadline` a store that is not whole is given up.
    ///
    /// # Errors
    /// When platform.yaml names a store or an engine that does not exist.
    pub fn start(client: &Client, platform: &Platform, spec: &Spec, clock: Clock, deadline: Instant, stop: &CancellationToken) -> Result<Self, ChaosError> {
        let (mut asking, at_rest) = (JoinSet::new(), CancellationToken::new());
        for name in &spec.stores {
            let store = crate::ledger::final_read::store_of(platform, name)?.clone();
            let question = Question {
                client: client.clone(),
                namespace: platform.namespace.clone(),
                engine: engine_of(&store)?,
                store,
                clock,
                deadline,
                at_rest: at_rest.clone(),
                stop: stop.clone(),
            };
            asking.spawn(question.ask());
        }
        Ok(StoreWatch { asking, at_rest })
    }

    /// The platform is at rest: an answer that was asked for from now on ends the asking when the store is whole.
    pub async fn finish(mut self) -> Vec<StoreView> {
        self.at_rest.cancel();
        let mut all = Vec::new();
        while let Some(view) = self.asking.join_next().await {
            all.extend(view.ok());
        }
        all
    }
}

impl Question {
    async fn ask(self) -> StoreView {
        let mut view = StoreView { store: self.store.name.clone(), asked: Vec::new() };
        let place = Place { client: &self.client, namespace: &self.namespace, store: &self.store };
        loop {
            let (at_ms, at_rest) = (self.clock.now_ms(), self.at_rest.is_cancelled());
            let answer = tokio::select! {
                () = self.stop.cancelled() => return view,
                answer = tokio::time::timeout(ANSWER_WITHIN, self.engine.whole(&place)) => answer,
            };
            let answer = answer.unwrap_or_else(|_| Err(format!("it did not answer within {} s", ANSWER_WITHIN.as_secs())));
            let whole = answer.is_ok();
            view.asked.push(Asked { at_ms, answer });
            if at_rest && (whole || Instant::now() >= self.deadline) {
                return view;
            }
            tokio::select! {
                () = self.stop.cancelled() => return view,
                () = tokio::time::sleep(self.engine.pace()) => {}
            }
        }
    }
}

fn seconds(ms: u64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}

/// The verdict over one store: whole at the end, within the RTO, and for no longer than that without an acknowledged
/// write. Pure.
pub fn judge(spec: &Spec, view: &StoreView, injected_ms: u64, ledger: Option<&LedgerView>) -> Assertion {
    let id = format!("{}.{}.whole", spec.name, view.store);
    let gap = ledger.and_then(|l| l.history.longest_gap(injected_ms));
    let expected = match ledger {
        Some(_) => format!("{} is whole within {} s of injection, and takes writes again within that time", view.store, spec.rto_seconds),
        None => format!("{} is whole within {} s of injection", view.store, spec.rto_seconds),
    };
    let Some(last) = view.asked.last() else {
        return Assertion::inconclusive(id, expected, "the run was stopped before it could be seen");
    };
    let text = match &last.answer {
        Ok(text) => text,
        Err(missing) => return Assertion::fail(id, expected, format!("not within {} s", spec.rto_seconds), missing),
    };
    // Whole for good: from the first answer after the last one that missed something.
    let broken = view.asked.iter().rposition(|a| a.answer.is_err());
    let since = view.asked.get(broken.map_or(0, |at| at + 1)).map_or(last.at_ms, |a| a.at_ms);
    let took = if broken.is_some() { since.saturating_sub(injected_ms) } else { 0 };
    let when = if broken.is_some() { format!("after {}", seconds(took)) } else { "at every question".to_owned() };
    let no_writes = gap.map_or(String::new(), |gap| format!("; the longest time without an acknowledged write was {}", seconds(gap)));
    let measured = format!("whole {when}: {text}{no_writes}");
    let rto_ms = spec.rto_seconds * 1000;
    let mut reasons = Vec::new();
    if took > rto_ms {
        reasons.push("it took longer than the RTO");
    }
    if gap.is_some_and(|gap| gap > rto_ms) {
        reasons.push("no write was acknowledged for longer than the RTO");
    }
    Assertion::check(id, reasons.is_empty(), expected, measured, reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_view::sample;
    use crate::ledger::check::History;
    use crate::ledger::{Entry, Outcome};
    use gauntlet_reports::verdict::Verdict::{Fail, Inconclusive, Pass};

    fn view(answers: &[(u64, bool)]) -> StoreView {
        let answer = |ok: bool| if ok { Ok("2 replicas stream".to_owned()) } else { Err("1 of 2 replicas stream".to_owned()) };
        StoreView { store: "db".into(), asked: answers.iter().map(|(at_ms, ok)| Asked { at_ms: *at_ms, answer: answer(*ok) }).collect() }
    }

    fn ledger(times: &[u64]) -> LedgerView {
        let line = |at_ms, id: &str, outcome| Entry { at_ms, id: id.into(), outcome, detail: String::new() };
        let lines: Vec<_> = times.iter().flat_map(|t| [line(*t, &t.to_string(), Outcome::Invoke), line(*t, &t.to_string(), Outcome::Ok)]).collect();
        LedgerView { store: "db".into(), history: History::of(&lines), ..Default::default() }
    }

    fn judged(answers: &[(u64, bool)], writes: Option<&[u64]>) -> Assertion {
        let ledger = writes.map(ledger);
        judge(&sample::spec("x", sample::STORE), &view(answers), 10_000, ledger.as_ref())
    }

    #[test]
    fn whole_counts_from_the_last_answer_that_missed_something() {
        let found = judged(&[(11_000, true), (12_000, false), (15_500, true), (17_000, true)], None);
        assert_eq!((found.verdict, found.measured.as_str()), (Pass, "whole after 5.5 s: 2 replicas stream"));
        assert_eq!(judged(&[(11_000, true), (12_000, true)], None).measured, "whole at every question: 2 replicas stream");
        assert_eq!(judged(&[(11_000, false), (71_000, true)], None).verdict, Fail, "later than the RTO");
        assert_eq!(judged(&[(11_000, true), (12_000, false)], None).reason, "1 of 2 replicas stream");
        assert_eq!(judged(&[], None).verdict, Inconclusive);
    }

    #[test]
    fn a_store_that_takes_no_writes_for_longer_than_the_rto_fails() {
        let answers = [(11_000, false), (12_000, true)];
        let good = judged(&answers, Some(&[9_900, 14_000, 14_200]));
        assert!(good.verdict == Pass && good.measured.ends_with("the longest time without an acknowledged write was 4.1 s"), "{good:?}");
        let silent = judged(&answers, Some(&[9_900, 80_000]));
        assert_eq!((silent.verdict, silent.reason.as_str()), (Fail, "no write was acknowledged for longer than the RTO"));
    }
}
