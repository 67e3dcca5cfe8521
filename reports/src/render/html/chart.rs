//! The panels of a timeline: which series share one, and how they are drawn.

use super::scale::{TimeScale, ValueScale};
use super::series::{Point, Series, changes, silence, thin};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// How many buckets of time a line has at most. About one for each second pixel of a wide screen.
const BUCKETS: u64 = 500;
/// A panel shows at most this many workloads; those that moved most come first.
const WORKLOADS: usize = 5;
/// How many panels the series that nobody planned for may take.
const OTHERS: usize = 6;

/// What one panel shows. `lines` pairs a series with its label and its style.
struct Spec<'a> {
    title: String,
    unit: &'a str,
    height: f64,
    look: Look,
    lines: Vec<(&'a str, &'a str, &'a str)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Look {
    /// A line from point to point; the scale may be logarithmic.
    Line,
    /// A line with its area filled down to zero.
    Area,
    /// A value holds until the next one. One colour per workload.
    Step,
}

fn planned() -> Vec<Spec<'static>> {
    let spec = |title: &str, unit, height, look, lines: &[_]| Spec { title: title.to_owned(), unit, height, look, lines: lines.to_vec() };
    vec![
        spec(
            "Latency",
            "ms",
            150.0,
            Look::Line,
            &[
                ("latency_p50_ms", "p50", "p50"),
                ("latency_p95_ms", "p95", "p95"),
                ("latency_p99_ms", "p99", "p99"),
                ("slo_latency_p99_ms", "SLO p99", "slo"),
            ],
        ),
        spec("Errors per second", "/s", 74.0, Look::Area, &[("errors_per_s", "errors", "errors")]),
        spec("Requests per second", "/s", 84.0, Look::Area, &[("requests_per_s", "requests", "requests")]),
        spec("Replicas", "", 110.0, Look::Step, &[("replicas_desired", "desired", "desired"), ("replicas_ready", "ready", "ready")]),
        spec("Healthy pods", "", 74.0, Look::Step, &[("currently_healthy", "healthy", "ready"), ("desired_healthy", "floor (PDB)", "desired")]),
        spec("CPU, percent of request", "%", 84.0, Look::Line, &[("cpu_percent_of_request", "CPU", "other")]),
    ]
}

fn unit_of(name: &str) -> &'static str {
    let units = [("_ms", "ms"), ("_per_s", "/s"), ("_percent", "%"), ("_mib", "MiB"), ("_bytes", "B"), ("_s", "s")];
    units.into_iter().find(|(suffix, _)| name.ends_with(suffix)).map_or("", |(_, unit)| unit)
}

/// A panel, ready for the template. All places are in the drawing's units.
pub(super) struct Panel {
    pub title: String,
    pub top: f64,
    pub ticks: Vec<(f64, String)>,
    pub lines: Vec<Line>,
}

/// A drawn series.
pub(super) struct Line {
    /// Its style.
    pub class: String,
    /// SVG path data.
    pub path: String,
    /// The same down to zero, when the area is filled; else empty.
    pub area: String,
    /// What stands at its end.
    pub label: String,
    pub label_y: f64,
}

/// What the pointer reads: per point its time in ms, its lowest and its highest value.
#[derive(Serialize)]
pub(super) struct HoverSeries {
    panel: String,
    name: String,
    unit: String,
    class: String,
    step: bool,
    /// How far a reading may be from its point, in ms.
    reach: u64,
    points: Vec<(u64, f64, f64)>,
}

/// All panels below `top`, with what the pointer reads from them, and the drawing's bottom.
pub(super) fn panels(all: &[Series], time: &TimeScale, top: f64) -> (Vec<Panel>, Vec<HoverSeries>, f64) {
    let mut specs = planned();
    let mut known: Vec<&str> = specs.iter().flat_map(|s| s.lines.iter().map(|l| l.0)).collect();
    let mut others = 0;
    for series in all {
        let name = series.name.as_str();
        if !known.contains(&name) && others < OTHERS {
            let title = name.replace('_', " ");
            specs.push(Spec { title, unit: unit_of(name), height: 74.0, look: Look::Line, lines: vec![(name, "", "other")] });
            known.push(name);
            others += 1;
        }
    }
    let (mut panels, mut hover, mut y) = (Vec::new(), Vec::new(), top);
    for spec in &specs {
        let chosen = choose(spec, all);
        if chosen.is_empty() {
            continue;
        }
        y += 30.0;
        panels.push(panel(spec, &chosen, time, y));
        hover.extend(chosen.iter().map(|c| c.hover(spec)));
        y += spec.height;
    }
    (panels, hover, y)
}

struct Chosen<'a> {
    series: &'a Series,
    label: String,
    class: String,
}

impl Chosen<'_> {
    fn hover(&self, spec: &Spec<'_>) -> HoverSeries {
        let step = spec.look == Look::Step;
        let points = if step { changes(&self.series.points) } else { self.series.points.clone() };
        HoverSeries {
            panel: spec.title.clone(),
            name: self.label.clone(),
            unit: spec.unit.to_owned(),
            class: self.class.clone(),
            step,
            reach: silence(&self.series.points),
            points: ranges(&points),
        }
    }
}

/// The points with lowest and highest value, bucketed like the picture.
fn ranges(points: &[Point]) -> Vec<(u64, f64, f64)> {
    let short = |v: f64| (v * 100.0).round() / 100.0;
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let width = if points.len() as u64 > BUCKETS { ((last.0 - first.0) / BUCKETS).max(1) } else { 1 };
    let buckets = points.chunk_by(|a, b| (a.0 - first.0) / width == (b.0 - first.0) / width);
    buckets
        .map(|b| {
            let low = b.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
            let high = b.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
            (b[b.len() / 2].0, short(low), short(high))
        })
        .collect()
}

/// The series of a panel. Where there are several workloads each gets a colour; those that moved most come first.
fn choose<'a>(spec: &Spec<'_>, all: &'a [Series]) -> Vec<Chosen<'a>> {
    let mut movement: BTreeMap<&str, usize> = BTreeMap::new();
    let of_spec = |s: &&Series| spec.lines.iter().any(|l| l.0 == s.name);
    for series in all.iter().filter(of_spec) {
        *movement.entry(&series.of).or_default() += changes(&series.points).len();
    }
    let mut order: Vec<_> = movement.into_iter().collect();
    order.sort_by_key(|(_, moves)| std::cmp::Reverse(*moves));
    let several = order.len() > 1;
    let mut chosen = Vec::new();
    for (i, (of, _)) in order.into_iter().take(WORKLOADS).enumerate() {
        for (name, label, class) in &spec.lines {
            let Some(series) = all.iter().find(|s| s.name == *name && s.of == of) else { continue };
            let label = if several || label.is_empty() { format!("{of} {label}") } else { (*label).to_owned() };
            chosen.push(Chosen { series, label: label.trim().to_owned(), class: format!("{class} w{i}") });
        }
    }
    chosen
}

fn panel(spec: &Spec<'_>, chosen: &[Chosen<'_>], time: &TimeScale, top: f64) -> Panel {
    let values = || chosen.iter().flat_map(|c| c.series.points.iter().map(|p| p.1));
    let max = values().fold(0.0, f64::max);
    let least = values().filter(|v| *v > 0.0).fold(f64::INFINITY, f64::min);
    let bottom = top + spec.height;
    let scale = ValueScale::new(if least.is_finite() { least } else { 0.0 }, max, spec.unit == "ms", top, bottom);
    let mut lines: Vec<Line> = chosen.iter().map(|c| line(spec, c, time, &scale, bottom)).collect();
    spread(&mut lines, top, bottom);
    let mut title = spec.title.clone();
    if scale.is_log() {
        title.push_str(" (logarithmic scale)");
    }
    if max == 0.0 {
        title.push_str(": none");
    }
    Panel { title, top, ticks: scale.ticks(spec.unit), lines }
}

fn line(spec: &Spec<'_>, chosen: &Chosen<'_>, time: &TimeScale, scale: &ValueScale, bottom: f64) -> Line {
    let all = &chosen.series.points;
    let gap = silence(all);
    let points = if spec.look == Look::Step { thin(&changes(all), BUCKETS) } else { thin(all, BUCKETS) };
    // Thinned points stand further apart than recorded ones.
    let gap = if points.len() < all.len() { gap.max((time.to - time.from) / BUCKETS * 4) } else { gap };
    let (mut path, mut area) = (String::new(), String::new());
    for run in points.chunk_by(|a, b| spec.look == Look::Step || b.0 - a.0 <= gap) {
        let mut inner = String::new();
        for (i, (at, value)) in run.iter().enumerate() {
            let (x, y) = (time.x(*at), scale.y(*value));
            // Writing to a String cannot fail.
            let _ = match (i, spec.look) {
                (0, _) => write!(inner, "{x} {y}"),
                (_, Look::Step) => write!(inner, "H{x}V{y}"),
                _ => write!(inner, "L{x} {y}"),
            };
        }
        // A lone point would be invisible without a length.
        if run.len() == 1 {
            inner.push_str("h1");
        }
        let _ = write!(path, "M{inner}");
        if let (Look::Area, Some(first), Some(last)) = (spec.look, run.first(), run.last()) {
            let _ = write!(area, "M{inner}L{} {bottom}H{}Z", time.x(last.0), time.x(first.0));
        }
    }
    let label_y = points.last().map_or(bottom, |p| scale.y(p.1));
    Line { class: chosen.class.clone(), path, area, label: shortened(&chosen.label), label_y }
}

fn shortened(label: &str) -> String {
    match label.char_indices().nth(22) {
        Some((cut, _)) => format!("{}…", &label[..cut]),
        None => label.to_owned(),
    }
}

/// Moves labels apart so that none covers another, and keeps them inside the panel where they fit.
fn spread(lines: &mut [Line], top: f64, bottom: f64) {
    const ROOM: f64 = 14.0;
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by(|a, b| lines[*a].label_y.total_cmp(&lines[*b].label_y));
    let mut free = top;
    for i in &order {
        lines[*i].label_y = lines[*i].label_y.max(free);
        free = lines[*i].label_y + ROOM;
    }
    let mut ceiling = bottom;
    for i in order.iter().rev() {
        lines[*i].label_y = lines[*i].label_y.min(ceiling);
        ceiling = lines[*i].label_y - ROOM;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, of: &str, points: &[Point]) -> Series {
        Series { name: name.into(), of: of.into(), points: points.to_vec() }
    }

    const TIME: TimeScale = TimeScale { from: 0, to: 100_000, left: 0.0, right: 1000.0 };

    #[test]
    fn a_line_is_broken_where_nothing_was_measured() {
        let all = [series("requests_per_s", "", &[(0, 10.0), (1_000, 10.0), (2_000, 10.0), (60_000, 10.0), (61_000, 10.0)])];
        let (panels, hover, _) = panels(&all, &TIME, 0.0);
        assert_eq!(panels[0].lines[0].path.matches('M').count(), 2, "{}", panels[0].lines[0].path);
        assert_eq!((hover[0].reach, hover[0].points.len()), (5_000, 5));
    }

    #[test]
    fn replicas_are_steps_and_workloads_differ_in_colour() {
        let all = [
            series("replicas_ready", "order", &[(0, 3.0), (50_000, 6.0)]),
            series("replicas_ready", "web", &[(0, 2.0), (20_000, 2.0), (50_000, 2.0)]),
        ];
        let (panels, _, _) = panels(&all, &TIME, 0.0);
        let lines = &panels[0].lines;
        assert!(lines[0].path.contains('H') && lines[0].path.contains('V'), "{}", lines[0].path);
        assert_ne!(lines[0].class, lines[1].class);
        assert!((lines[0].label_y - lines[1].label_y).abs() >= 14.0);
    }

    #[test]
    fn a_series_that_nobody_planned_for_is_shown_too() {
        let (panels, _, _) = panels(&[series("queue_depth", "", &[(0, 1.0), (9, 2.0)])], &TIME, 0.0);
        assert_eq!(panels[0].title, "queue depth");
    }
}
