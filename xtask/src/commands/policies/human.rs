//! Findings for a person: what, the line it is about, and how to mend it.

use super::Outcome;
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use gauntlet_reports::finding::{Finding, Location, Severity};
use gauntlet_fixtures::manifest::read_bytes;
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

/// The lines of files that were shown before; none of files that cannot be read.
type Files = HashMap<String, Vec<String>>;

/// Longer lines are shown around the place only.
const WIDEST: usize = 400;

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
    let group = if finding.automatic.is_some() { group.element(Level::HELP.message("--fix does it, --diff shows it")) } else { group };
    renderer.render(&[group])
}

/// Adds the line that a place names, with a mark under it; only the place when the file cannot be read.
fn excerpt<'a>(group: Group<'a>, location: &Location, label: &str, files: &mut Files) -> Group<'a> {
    let lines = files.entry(location.file.clone()).or_insert_with(|| lines(&location.file));
    let line = (location.line as usize).checked_sub(1).and_then(|at| lines.get(at));
    let Some(line) = line else { return group.element(Level::NOTE.message(format!("at {location}"))) };
    let (line, column) = window(line, location.column);
    let annotation = AnnotationKind::Primary.span(span(&line, column)).label(label.to_owned());
    let snippet = Snippet::source(line)
        .line_start(location.line as usize)
        .path(location.file.clone())
        .annotation(annotation);
    group.element(snippet)
}

/// A pipe was read already, and is empty now.
fn lines(file: &str) -> Vec<String> {
    let path = Path::new(file);
    let bytes = if path.is_file() { read_bytes(path).unwrap_or_default() } else { Vec::new() };
    let text = String::from_utf8_lossy(&bytes);
    text.trim_start_matches('\u{feff}').lines().map(str::to_owned).collect()
}

/// A line, or the part of a long one around a column; and the column in that.
fn window(line: &str, column: u32) -> (String, u32) {
    if line.len() <= WIDEST {
        return (line.to_owned(), column);
    }
    let skipped = (column as usize).saturating_sub(WIDEST / 4);
    let part = line.chars().skip(skipped).take(WIDEST).collect();
    (part, column.saturating_sub(u32::try_from(skipped).unwrap_or_default()))
}

/// The word at a column, in bytes: to the next sign that ends a value.
fn span(line: &str, column: u32) -> Range<usize> {
    let start = line.char_indices().nth((column as usize).saturating_sub(1)).map_or(line.len(), |(at, _)| at);
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
