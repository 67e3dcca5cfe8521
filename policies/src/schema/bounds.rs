//! The bounds that a structural schema sets: how long, how many, how large, and what it looks like.

use super::scalar::is_day;
use gauntlet_fixtures::manifest::{Node, Value};
use regex::{Regex, RegexBuilder};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// The largest program that a pattern may become, in bytes.
const MAX_PATTERN: usize = 1 << 20;

/// Patterns, which are the same for every resource of a kind. None: one that cannot be read, or is too large.
#[derive(Default)]
pub(super) struct Patterns(RefCell<HashMap<String, Option<Regex>>>);

/// What a value breaks, each as the end of a sentence that begins with the value.
pub(super) fn broken(schema: &Node, node: &Node, patterns: &Patterns) -> Vec<String> {
    // Most schemas set none, and most values are within.
    let mut broken = Vec::new();
    match &node.value {
        Value::String(text) => of_text(schema, text, patterns, &mut broken),
        Value::Number(number) => of_number(schema, number.as_f64().unwrap_or_default(), &mut broken),
        Value::Sequence(items) => of_list(schema, items, &mut broken),
        Value::Mapping(entries) => count(schema, entries.len(), ["minProperties", "maxProperties"], "fields", &mut broken),
        Value::Null | Value::Bool(_) => {}
    }
    broken
}

fn of_text(schema: &Node, text: &str, patterns: &Patterns, broken: &mut Vec<String>) {
    if schema.get("minLength").is_some() || schema.get("maxLength").is_some() {
        count(schema, text.chars().count(), ["minLength", "maxLength"], "letters", broken);
    }
    if let Some(pattern) = schema.get("pattern").and_then(Node::as_str)
        && !patterns.matches(pattern, text)
    {
        broken.push(format!("expected it to match {pattern}"));
    }
    if schema.get("format").and_then(Node::as_str) == Some("date") && !is_day(text) {
        broken.push("expected a day such as 2026-01-31".to_owned());
    }
}

fn of_number(schema: &Node, number: f64, broken: &mut Vec<String>) {
    let bound = |key| match schema.get(key).map(|bound| &bound.value) {
        Some(Value::Number(bound)) => bound.as_f64().map(|value| (value, bound)),
        _ => None,
    };
    let excludes = |key| schema.get(key).and_then(Node::as_bool).unwrap_or(false);
    if let Some((least, told)) = bound("minimum") {
        match excludes("exclusiveMinimum") {
            true if number <= least => broken.push(format!("expected more than {told}")),
            false if number < least => broken.push(format!("expected at least {told}")),
            _ => {}
        }
    }
    if let Some((most, told)) = bound("maximum") {
        match excludes("exclusiveMaximum") {
            true if number >= most => broken.push(format!("expected less than {told}")),
            false if number > most => broken.push(format!("expected at most {told}")),
            _ => {}
        }
    }
    if let Some((step, told)) = bound("multipleOf")
        && step > 0.0
        && !is_whole(number / step)
    {
        broken.push(format!("expected a multiple of {told}"));
    }
}

/// Divisions of decimal fractions are never quite exact.
fn is_whole(number: f64) -> bool {
    (number - number.round()).abs() <= 1e-9 * number.abs().max(1.0)
}

fn of_list(schema: &Node, items: &[Node], broken: &mut Vec<String>) {
    count(schema, items.len(), ["minItems", "maxItems"], "items", broken);
    let text = |key| schema.get(key).and_then(Node::as_str);
    let keys: Vec<&str> = schema.get("x-kubernetes-list-map-keys").map(Node::items).unwrap_or_default().iter().filter_map(Node::as_str).collect();
    let mut seen = HashSet::new();
    for item in items {
        let identity = match text("x-kubernetes-list-type") {
            Some("set") => item.to_string(),
            Some("map") => {
                // A key that is left out has its default.
                let value = |key: &&str| item.get(key).or_else(|| schema.at(&["items", "properties", key, "default"])).map(Node::to_string);
                keys.iter().map(|key| format!("{key}: {}", value(key).unwrap_or_default())).collect::<Vec<_>>().join(", ")
            }
            _ => return,
        };
        if seen.contains(&identity) {
            broken.push(format!("and has two items with {identity}, expected one"));
        }
        seen.insert(identity);
    }
}

fn count(schema: &Node, count: usize, [least, most]: [&str; 2], what: &str, broken: &mut Vec<String>) {
    let bound = |key| schema.get(key).and_then(Node::as_i64).and_then(|bound| usize::try_from(bound).ok());
    if let Some(least) = bound(least).filter(|least| count < *least) {
        broken.push(format!("with {count} {what}, expected at least {least}"));
    }
    if let Some(most) = bound(most).filter(|most| count > *most) {
        broken.push(format!("with {count} {what}, expected at most {most}"));
    }
}

impl Patterns {
    /// A pattern that cannot be read is the definition's mistake, not the resource's.
    fn matches(&self, pattern: &str, text: &str) -> bool {
        let mut patterns = self.0.borrow_mut();
        if !patterns.contains_key(pattern) {
            patterns.insert(pattern.to_owned(), RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build().ok());
        }
        patterns.get(pattern).and_then(Option::as_ref).is_none_or(|pattern| pattern.is_match(text))
    }
}
