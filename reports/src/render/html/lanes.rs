//! What lasts: load phases and faults, as spans on the run's clock.

use super::super::words::{duration, one_line};
use crate::event::{Event, EventKind, FaultPhase};
use crate::run::StageName;

/// A phase of the load.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PhaseSpan<'a> {
    /// Its name, such as `scaling`.
    pub name: &'a str,
    /// The stage that it belongs to.
    pub stage: Option<StageName>,
    /// Start in ms.
    pub from: u64,
    /// End in ms.
    pub to: u64,
}

/// The phases in order. A phase lasts until the next one, or until its stage or the events end.
pub(super) fn phases<'a>(events: &[&'a Event]) -> Vec<PhaseSpan<'a>> {
    let mut spans: Vec<PhaseSpan<'a>> = Vec::new();
    let mut open: Option<(&'a str, u64, Option<StageName>)> = None;
    let last = events.last().map_or(0, |e| e.at_ms);
    for event in events {
        let ends = match &event.kind {
            EventKind::Phase { .. } => true,
            EventKind::StageEnded { .. } => open.is_some_and(|(_, _, stage)| stage == event.stage),
            _ => false,
        };
        if let Some((name, from, stage)) = open.filter(|_| ends) {
            spans.push(PhaseSpan { name, stage, from, to: event.at_ms });
            open = None;
        }
        if let EventKind::Phase { phase } = &event.kind {
            open = Some((phase, event.at_ms, event.stage));
        }
    }
    spans.extend(open.map(|(name, from, stage)| PhaseSpan { name, stage, from, to: last }));
    spans
}

/// The life of one fault. All times in ms on the run's clock.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct FaultLife<'a> {
    /// The experiment, such as `delete-pod`.
    pub experiment: &'a str,
    /// The target.
    pub target: &'a str,
    /// When it was applied.
    pub applied: Option<u64>,
    /// When its effect was seen.
    pub proven: Option<u64>,
    /// When it was taken back.
    pub recovered: Option<u64>,
    /// When the platform served again.
    pub steady: Option<u64>,
    /// What was seen, one line per part of its life.
    pub details: Vec<String>,
}

impl FaultLife<'_> {
    /// Where its band ends: steady state, else recovery, else `end`.
    pub fn until(&self, end: u64) -> u64 {
        self.steady.or(self.recovered).unwrap_or(end)
    }

    /// The last word on the fault.
    pub fn outcome(&self) -> String {
        match (self.applied, self.proven, self.steady) {
            (None, ..) => "never applied".to_owned(),
            (_, None, _) => "effect not proven".to_owned(),
            (Some(applied), _, Some(steady)) => format!("steady after {}", duration(steady.saturating_sub(applied))),
            _ if self.recovered.is_some() => "recovered, no steady state seen".to_owned(),
            _ => "not recovered".to_owned(),
        }
    }
}

/// The faults in the order in which they were journaled or applied.
pub(super) fn faults<'a>(events: &[&'a Event]) -> Vec<FaultLife<'a>> {
    let mut lives: Vec<FaultLife<'a>> = Vec::new();
    for event in events {
        let EventKind::Fault { experiment, target, phase, detail } = &event.kind else { continue };
        let same = |life: &FaultLife<'_>| life.experiment == experiment && life.target == target;
        let begins = match phase {
            FaultPhase::Journaled => true,
            // Applied belongs to the journaled life, unless that one was applied before.
            FaultPhase::Applied => lives.iter().rev().find(|l| same(l)).is_none_or(|l| l.applied.is_some()),
            _ => !lives.iter().any(same),
        };
        if begins {
            lives.push(FaultLife { experiment, target, ..FaultLife::default() });
        }
        let Some(life) = lives.iter_mut().rev().find(|l| same(l)) else { continue };
        let at = Some(event.at_ms);
        match phase {
            FaultPhase::Journaled => {}
            FaultPhase::Applied => life.applied = at,
            FaultPhase::Proven => life.proven = at,
            FaultPhase::Recovered => life.recovered = at,
            FaultPhase::SteadyState => life.steady = at,
        }
        if !detail.is_empty() {
            life.details.push(one_line(detail));
        }
    }
    lives
}

/// Puts labelled things into as few rows as hold them without overlap. Takes the left and right edge of each, in order
/// of the left edge; gives each one's row.
pub(super) fn rows(extents: &[(f64, f64)]) -> Vec<usize> {
    let mut ends: Vec<f64> = Vec::new();
    extents
        .iter()
        .map(|(left, right)| {
            let row = ends.iter().position(|end| end + 6.0 <= *left).unwrap_or(ends.len());
            match ends.get_mut(row) {
                Some(end) => *end = *right,
                None => ends.push(*right),
            }
            row
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    fn event(at_ms: u64, kind: EventKind) -> Event {
        Event { at_ms, platform: None, stage: Some(StageName::Load), kind }
    }

    fn fault(at_ms: u64, phase: FaultPhase) -> Event {
        event(at_ms, EventKind::Fault { experiment: "drain".into(), target: "node/w1".into(), phase, detail: String::new() })
    }

    #[test]
    fn a_phase_lasts_until_the_next_or_the_end_of_its_stage() {
        let phase = |at, name: &str| event(at, EventKind::Phase { phase: name.into() });
        let ended = EventKind::StageEnded { verdict: Verdict::Pass, reason: String::new() };
        let events = [phase(0, "before"), phase(10, "scaling"), event(30, ended), event(99, EventKind::Note { message: "x".into() })];
        let spans = phases(&events.iter().collect::<Vec<_>>());
        assert_eq!(spans.iter().map(|s| (s.name, s.from, s.to)).collect::<Vec<_>>(), [("before", 0, 10), ("scaling", 10, 30)]);
    }

    #[test]
    fn the_same_fault_twice_is_two_lives() {
        use FaultPhase::*;
        let events: Vec<_> = [(1, Journaled), (2, Applied), (3, Proven), (4, Recovered), (9, SteadyState), (20, Applied)]
            .into_iter()
            .map(|(at, phase)| fault(at, phase))
            .collect();
        let lives = faults(&events.iter().collect::<Vec<_>>());
        assert_eq!(lives.len(), 2);
        assert_eq!((lives[0].until(100), lives[0].outcome()), (9, "steady after 7 ms".to_owned()));
        assert_eq!((lives[1].until(100), lives[1].outcome()), (100, "effect not proven".to_owned()));
    }

    #[test]
    fn rows_are_shared_where_nothing_overlaps() {
        assert_eq!(rows(&[(0.0, 50.0), (20.0, 80.0), (60.0, 90.0), (100.0, 120.0)]), [0, 1, 0, 0]);
    }
}
