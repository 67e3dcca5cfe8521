//! One drawing per platform: load, errors, replicas, faults and phases on the same time axis.

use super::chart::{HoverSeries, Panel, panels};
use super::lanes::{FaultLife, faults, phases, rows};
use super::scale::TimeScale;
use super::series::Series;
use super::{duration, sign, spoken, stamp};
use crate::event::{Event, EventKind};
use crate::run::{PlatformReport, StageName};
use crate::verdict::Verdict;
use serde::Serialize;

const WIDTH: f64 = 1160.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 1030.0;
/// Average width of a letter of the small type, for labels that must not overlap.
const LETTER: f64 = 6.3;
/// The same for the bold type of stages.
const BOLD: f64 = 7.2;
const LANE: f64 = 22.0;

/// The drawing, ready for the template.
pub(super) struct Timeline {
    pub width: f64,
    pub height: f64,
    pub left: f64,
    pub right: f64,
    /// Where panels and bands end; the time labels stand below.
    pub bottom: f64,
    pub stages: Vec<Band>,
    pub phases: Vec<Band>,
    pub phases_y: f64,
    pub faults: Vec<FaultBand>,
    pub panels: Vec<Panel>,
    pub ticks: Vec<(f64, String)>,
    /// For a person who cannot see it.
    pub description: String,
    /// JSON for the pointer. Safe inside `<script>`.
    pub hover: String,
}

/// A stretch of time.
pub(super) struct Band {
    pub x: f64,
    pub width: f64,
    pub label: String,
    pub title: String,
    pub class: &'static str,
}

/// A fault: a band through all panels, and a bar with its name in a lane above them.
pub(super) struct FaultBand {
    pub x: f64,
    pub width: f64,
    /// x where the fault was taken back; the band's end when it never was.
    pub recovered_x: f64,
    pub lane_y: f64,
    pub label: String,
    pub label_x: f64,
    /// `start`, or `end` where the label would leave the drawing.
    pub anchor: &'static str,
    pub title: String,
    pub proven: bool,
}

#[derive(Serialize)]
struct Hover<'a> {
    from: u64,
    to: u64,
    left: f64,
    right: f64,
    spans: Vec<(String, u64, u64)>,
    series: &'a [HoverSeries],
}

/// The timeline of a platform; none when nothing happened in time (a run of policies alone).
pub(super) fn draw(report: &PlatformReport, events: &[&Event], series: &[Series]) -> Option<Timeline> {
    let time = axis(report, events)?;
    let stages = report.stages.iter().filter(|s| s.name != StageName::Policies && s.ended_ms > s.started_ms);
    let mut spans = Vec::new();
    let stages: Vec<Band> = stages
        .map(|s| {
            let title = format!("{} {}: {} to {}. {}", s.name, spoken(s.verdict), stamp(s.started_ms), stamp(s.ended_ms), s.reason);
            let class = match s.verdict {
                Verdict::Pass => "pass",
                Verdict::Fail => "fail",
                Verdict::Inconclusive => "inconclusive",
                Verdict::NotApplicable => "none",
            };
            spans.push((format!("stage {}", s.name), s.started_ms, s.ended_ms));
            band(&time, s.started_ms, s.ended_ms, &format!("{} {}", sign(s.verdict), s.name), title, class)
        })
        .collect();

    let mut y = 34.0;
    let found = phases(events);
    let phases_y = y;
    let phases: Vec<Band> = found
        .iter()
        .map(|p| {
            spans.push((format!("load phase {}", p.name), p.from, p.to));
            let title = format!("load phase {}: {} to {}", p.name, stamp(p.from), stamp(p.to));
            band(&time, p.from, p.to, p.name, title, "phase")
        })
        .collect();
    y += if phases.is_empty() { 0.0 } else { LANE };
    let lives = faults(events);
    spans.extend(lives.iter().filter_map(|l| {
        Some((format!("fault {} {}", l.experiment, l.target), l.applied?, l.until(time.to)))
    }));
    let (faults, lanes) = fault_bands(&lives, report, &time, y);
    y += lanes as f64 * LANE;

    let (panels, hover_series, bottom) = panels(series, &time, y);
    if panels.is_empty() && faults.is_empty() && stages.is_empty() {
        return None;
    }
    let bottom = bottom + 6.0;
    let hover = Hover { from: time.from, to: time.to, left: LEFT, right: RIGHT, spans, series: &hover_series };
    Some(Timeline {
        width: WIDTH,
        height: bottom + 26.0,
        left: LEFT,
        right: RIGHT,
        bottom,
        description: describe(&time, &panels, &lives),
        stages,
        phases,
        phases_y,
        faults,
        panels,
        ticks: time.ticks(),
        hover: serde_json::to_string(&hover).unwrap_or_default().replace('<', "\\u003c"),
    })
}

/// From the first thing that lasts to the last. Policies take no place: they run while the cluster is made.
fn axis(report: &PlatformReport, events: &[&Event]) -> Option<TimeScale> {
    let lasting = report.stages.iter().filter(|s| s.name != StageName::Policies && s.ended_ms > s.started_ms);
    let mut times: Vec<u64> = lasting.flat_map(|s| [s.started_ms, s.ended_ms]).collect();
    let shown = |e: &&&Event| matches!(e.kind, EventKind::Sample { .. } | EventKind::Fault { .. } | EventKind::Phase { .. });
    times.extend(events.iter().filter(shown).map(|e| e.at_ms));
    let (from, to) = (*times.iter().min()?, *times.iter().max()?);
    (to > from).then_some(TimeScale { from, to, left: LEFT, right: RIGHT })
}

fn band(time: &TimeScale, from: u64, to: u64, label: &str, title: String, class: &'static str) -> Band {
    let (x, end) = (time.x(from), time.x(to));
    let width = super::scale::round((end - x).max(1.0));
    // What does not fit is shortened or left out; the title has the whole.
    let letter = if class == "phase" { LETTER } else { BOLD };
    let fits = |text: &str| text.chars().count() as f64 * letter <= width - 2.0;
    let name = label.split_once(' ').map_or(label, |(_, name)| name);
    let short: String = label.chars().take(((width / letter) as usize).saturating_sub(1)).chain(['…']).collect();
    let choices = [label, name, if short.chars().count() > 3 { short.as_str() } else { "" }];
    let label = choices.into_iter().find(|text| fits(text)).unwrap_or_default().to_owned();
    Band { x, width, label, title, class }
}

fn fault_bands(lives: &[FaultLife<'_>], report: &PlatformReport, time: &TimeScale, top: f64) -> (Vec<FaultBand>, usize) {
    let applied: Vec<(&FaultLife<'_>, u64)> = lives.iter().filter_map(|l| Some((l, l.applied?))).collect();
    let mut bands = Vec::new();
    let mut extents = Vec::new();
    for (life, from) in applied {
        // A fault that was never seen to recover lasts until its stage ended.
        let stage_end = report.stages.iter().filter(|s| s.started_ms <= from && from <= s.ended_ms).map(|s| s.ended_ms).max();
        let end = stage_end.unwrap_or(time.to);
        let (x, end_x) = (time.x(from), time.x(life.until(end)).max(time.x(from) + 3.0));
        let target = life.target.rsplit('/').next().unwrap_or(life.target);
        let label = format!("{} {}: {}", life.experiment, target, life.outcome());
        let length = label.chars().count() as f64 * LETTER;
        let fits_right = end_x + 6.0 + length <= WIDTH - 4.0;
        let (label_x, anchor) = if fits_right { (end_x + 6.0, "start") } else { (x - 6.0, "end") };
        extents.push(if fits_right { (x, end_x + 6.0 + length) } else { (x - 6.0 - length, end_x) });
        let title = format!(
            "{} on {}: applied {}{}{}{}. {}",
            life.experiment,
            life.target,
            stamp(from),
            life.proven.map_or(", effect not proven".into(), |t| format!(", proven {}", stamp(t))),
            life.recovered.map_or(String::new(), |t| format!(", recovered {}", stamp(t))),
            life.steady.map_or(", no steady state".into(), |t| {
                format!(", steady state {} ({} after it was applied)", stamp(t), duration(t.saturating_sub(from)))
            }),
            life.details.join("; ")
        );
        bands.push(FaultBand {
            x,
            width: super::scale::round(end_x - x),
            recovered_x: time.x(life.recovered.unwrap_or(life.until(end))).clamp(x, end_x),
            lane_y: 0.0,
            label,
            label_x: super::scale::round(label_x),
            anchor,
            title,
            proven: life.proven.is_some(),
        });
    }
    let lanes = rows(&extents);
    for (band, row) in bands.iter_mut().zip(&lanes) {
        band.lane_y = top + *row as f64 * LANE;
    }
    (bands, lanes.iter().max().map_or(0, |m| m + 1))
}

fn describe(time: &TimeScale, panels: &[Panel], lives: &[FaultLife<'_>]) -> String {
    let titles: Vec<_> = panels.iter().map(|p| p.title.as_str()).collect();
    let faults: Vec<_> = lives.iter().map(|l| format!("{} on {}, {}", l.experiment, l.target, l.outcome())).collect();
    let faults = if faults.is_empty() { "none".to_owned() } else { faults.join("; ") };
    format!(
        "Timeline from {} to {} on the run's clock. Panels: {}. Faults: {faults}. The tables below have the same figures.",
        stamp(time.from),
        stamp(time.to),
        titles.join(", ")
    )
}
