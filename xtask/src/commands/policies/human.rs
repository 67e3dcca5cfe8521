//! Findings for a person: what, the line it is about, and how to mend it.

use super::Outcome;
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use gauntlet_reports::finding::{Finding, Location, Severity};
use std::collections::HashMap;
use std::ops::Range;

/// The texts of files that were shown before.
type Files = HashMap<String, Option<String>>;

/// Draws errors, findings that are not waived, and the summary.
pub fn render(outcome: &Outcome, styled: bool) -> String {
    let renderer = if styled { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
    let mut files = Files::new();
    let mut text = String::new();
    for error in &outcome.errors {
        let title = Level::ERROR.primary_title(error.message());
        let location = error.source_at().map(|source| source.location());
        let group = match &location {
            Some(location) => excerpt(Group::with_title(title), location, "", &mut files),
            None => Group::with_title(Level::ERROR.primary_title(error.to_string())),
        };
        text.push_str(&renderer.render(&[group]));
        text.push_str("\n\n");
    }
    for finding in outcome.findings.iter().filter(|finding| finding.waived.is_none()) {
        text.push_str(&one(finding, &renderer, &mut files));
        text.push_str("\n\n");
    }
    text.push_str(&summary(outcome));
    text.push('\n');
    text
}

fn one(finding: &Finding, renderer: &Renderer, files: &mut Files) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    // A rule of a set may have no name, no reason and no advice.
    let id = if finding.name == finding.rule { finding.rule.clone() } else { format!("{} {}", finding.rule, finding.name) };
    let title = level.primary_title(format!("{}: {}", finding.resource, finding.message)).id(id);
    let group = excerpt(Group::with_title(title), &finding.location, &finding.field, files);
    let notes = [(Level::NOTE, &finding.why), (Level::HELP, &finding.fix)].into_iter().filter(|(_, text)| !text.is_empty());
    let group = notes.fold(group, |group, (level, text)| group.element(level.message(text)));
    renderer.render(&[group])
}

/// Adds the line that a place names, with a mark under it; only the place when the file cannot be read.
fn excerpt<'a>(group: Group<'a>, location: &Location, label: &str, files: &mut Files) -> Group<'a> {
    let text = files.entry(location.file.clone()).or_insert_with(|| std::fs::read_to_string(&location.file).ok());
    let line = text.as_deref().and_then(|text| text.lines().nth(location.line as usize - 1));
    let Some(line) = line else { return group.element(Level::NOTE.message(format!("at {location}"))) };
    let annotation = AnnotationKind::Primary.span(span(line, location.column)).label(label.to_owned());
    let snippet = Snippet::source(line.to_owned())
        .line_start(location.line as usize)
        .path(location.file.clone())
        .annotation(annotation);
    group.element(snippet)
}

/// The word at a column, in bytes: to the next sign that ends a value.
fn span(line: &str, column: u32) -> Range<usize> {
    let start = line.char_indices().nth(column as usize - 1).map_or(line.len(), |(at, _)| at);
    let rest = &line[start..];
    let length = rest.find([' ', ',', '}', ']', '\r']).unwrap_or(rest.len());
    let length = if length == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { length };
    start..start + length
}

/// Verdict and counts in one line.
pub fn summary(outcome: &Outcome) -> String {
    let count = |severity| {
        outcome.findings.iter().filter(|finding| finding.severity == severity && finding.waived.is_none()).count()
    };
    let waived = outcome.findings.iter().filter(|finding| finding.waived.is_some()).count();
    let mut parts = vec![
        plural(count(Severity::Error), "error"),
        plural(count(Severity::Warning), "warning"),
        format!("{waived} waived"),
    ];
    if !outcome.errors.is_empty() {
        parts.push(format!("{} could not be judged", plural(outcome.errors.len(), "input")));
    }
    format!("{}: {}, {}", outcome.verdict(), plural(outcome.documents, "object"), parts.join(", "))
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}
