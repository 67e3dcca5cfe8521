//! `report.html`: the run for a person, in one file that asks nobody for anything.
//!
//! The template escapes every text; [`chart`] is where series become pictures. The only text that goes in unescaped is
//! JSON made by [`Chart::hover`](chart::Chart), whose `<` are written as `\u003c`.

mod chart;
mod facts;
mod lanes;
mod scale;
mod series;
mod timeline;

use super::words::{count, duration, sign, spoken, stamp};
use super::{RenderError, verdict_line};
use crate::event::Event;
use crate::finding::Severity;
use crate::run::{Assertion, PlatformReport, Run, StageReport};
use crate::verdict::Verdict;
use askama::Template;
use facts::{FaultRow, Findings, Happening, PhaseRow};
use std::borrow::Borrow;
use timeline::Timeline;

#[derive(Template)]
#[template(path = "report.html")]
struct Report<'a> {
    run: &'a Run,
    headline: String,
    tally: String,
    causes: Vec<Cause<'a>>,
    platforms: Vec<PlatformView<'a>>,
    provisioning: Vec<Happening<'a>>,
    command: String,
}

/// The first cause of one stage that did not pass.
struct Cause<'a> {
    platform: &'a str,
    stage: &'a StageReport,
    /// The assertion that decided; none when the stage was judged as a whole.
    first: Option<&'a Assertion>,
    /// How many more assertions have the same verdict.
    more: usize,
}

struct PlatformView<'a> {
    report: &'a PlatformReport,
    stages: Vec<StageView<'a>>,
    timeline: Option<Timeline>,
    phases: Vec<PhaseRow>,
    faults: Vec<FaultRow<'a>>,
    findings: Findings<'a>,
    happenings: Vec<Happening<'a>>,
    happenings_left_off: usize,
}

struct StageView<'a> {
    report: &'a StageReport,
    /// Worst first, otherwise in their own order.
    assertions: Vec<&'a Assertion>,
    held: usize,
}

/// Draws the report. Series are thinned so that a long run stays a small file.
///
/// # Errors
/// Only for a bug in the template.
pub fn render(run: &Run, events: &[Event]) -> Result<String, RenderError> {
    let report = Report {
        headline: verdict_line(run),
        tally: tally(run),
        causes: causes(run),
        platforms: run.platforms.iter().map(|p| platform(p, events)).collect(),
        provisioning: facts::provisioning(events),
        command: command(run),
        run,
    };
    report.render().map_err(|e| RenderError::Draw { file: "report.html", cause: e.to_string() })
}

fn platform<'a>(report: &'a PlatformReport, events: &'a [Event]) -> PlatformView<'a> {
    let own: Vec<&Event> = events.iter().filter(|e| e.platform.as_deref() == Some(report.name.as_str())).collect();
    let series = series::collect(&own);
    let (happenings, happenings_left_off) = facts::happenings(&own);
    PlatformView {
        stages: report.stages.iter().map(stage).collect(),
        timeline: timeline::draw(report, &own, &series),
        phases: facts::phases(&own, &series),
        faults: facts::faults(&own),
        findings: facts::findings(&own),
        happenings,
        happenings_left_off,
        report,
    }
}

fn stage(report: &StageReport) -> StageView<'_> {
    let mut assertions: Vec<_> = report.assertions.iter().collect();
    assertions.sort_by_key(|a| severity(a.verdict));
    let held = assertions.iter().filter(|a| a.verdict == Verdict::Pass).count();
    StageView { report, assertions, held }
}

fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fail => 0,
        Verdict::Inconclusive => 1,
        Verdict::Pass => 2,
        Verdict::NotApplicable => 3,
    }
}

fn causes(run: &Run) -> Vec<Cause<'_>> {
    let mut causes: Vec<Cause<'_>> = Vec::new();
    for platform in &run.platforms {
        for stage in platform.stages.iter().filter(|s| severity(s.verdict) < 2) {
            let mut same = stage.assertions.iter().filter(|a| a.verdict == stage.verdict);
            let first = same.next();
            causes.push(Cause { platform: &platform.name, stage, first, more: same.count() });
        }
    }
    causes.sort_by_key(|c| severity(c.stage.verdict));
    causes
}

fn tally(run: &Run) -> String {
    let stages: Vec<_> = run.platforms.iter().flat_map(|p| &p.stages).collect();
    if stages.is_empty() {
        return "No stage was run.".to_owned();
    }
    let part = |v: Verdict| {
        let n = stages.iter().filter(|s| s.verdict == v).count();
        let word = if v == Verdict::Inconclusive { "could not be judged" } else { spoken(v) };
        (n > 0).then(|| format!("{n} {word}"))
    };
    let order = [Verdict::Fail, Verdict::Inconclusive, Verdict::Pass, Verdict::NotApplicable];
    let parts: Vec<_> = order.into_iter().filter_map(part).collect();
    let assertions: usize = stages.iter().map(|s| s.assertions.len()).sum();
    format!("{}: {}. {}.", count(stages.len(), "stage"), parts.join(", "), count(assertions, "assertion"))
}

/// The command that repeats the run.
fn command(run: &Run) -> String {
    let mut words = vec!["cargo xtask verify".to_owned()];
    words.extend(run.platforms.iter().map(|p| format!("--platform {}", p.name)));
    let ran = |name| run.platforms.iter().any(|p| p.stages.iter().any(|s| s.name == name));
    let all = crate::run::StageName::ALL;
    let some: Vec<_> = all.into_iter().filter(|s| ran(*s)).map(|s| s.as_str()).collect();
    if !some.is_empty() && some.len() < all.len() {
        words.push(format!("--only {}", some.join(",")));
    }
    words.push(format!("--seed {} --profile {}", run.seed, run.profile));
    if let Some(cluster) = run.cluster.as_ref().filter(|c| c.provider == "existing") {
        words.push(format!("--context {}", cluster.name));
    }
    words.join(" ")
}

// What the template calls. Askama may hand over a value or a reference.

fn sign_of(verdict: impl Borrow<Verdict>) -> &'static str {
    sign(*verdict.borrow())
}

fn word_of(verdict: impl Borrow<Verdict>) -> &'static str {
    spoken(*verdict.borrow())
}

fn time_of(ms: impl Borrow<u64>) -> String {
    duration(*ms.borrow())
}

fn severity_word(severity: impl Borrow<Severity>) -> &'static str {
    match severity.borrow() {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

impl StageView<'_> {
    /// Under the stage's verdict in the strip: how long it took.
    fn summary(&self) -> String {
        match self.report.verdict {
            Verdict::NotApplicable => String::new(),
            _ => duration(self.report.ended_ms.saturating_sub(self.report.started_ms)),
        }
    }

    /// Beside the stage's name above its assertions.
    fn tally(&self) -> String {
        match self.assertions.len() {
            0 => String::new(),
            all => format!("{} of {all} held, from {}, took {}", self.held, stamp(self.report.started_ms), self.summary()),
        }
    }

    fn is_open(&self) -> bool {
        severity(self.report.verdict) < 2
    }
}

impl Findings<'_> {
    fn any(&self) -> bool {
        !self.open.is_empty() || !self.waived.is_empty()
    }

    fn tally(&self) -> String {
        let info = self.open.len() - self.errors - self.warnings;
        format!("{}, {}, {info} for information, {} waived", count(self.errors, "error"), count(self.warnings, "warning"), self.waived.len())
    }
}
