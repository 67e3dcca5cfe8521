//! Manifests as CEL sees them: built-in lists and maps, so that they compare with what an expression writes itself. Texts
//! are borrowed.

use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt};
use cel::common::value::Val;
use gauntlet_fixtures::manifest::{Node, Value};
use serde_json::{Map, Number, Value as Json};
use std::collections::HashMap;

/// A value of CEL that may borrow from a manifest or a set.
pub(super) type Boxed<'v> = Box<dyn Val + 'v>;

/// A tree of a manifest.
pub(super) fn of_node(node: &Node) -> Boxed<'_> {
    match &node.value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(value) => of_number(value),
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        Value::Sequence(items) => list(items.iter().map(of_node)),
        // null counts as absent, as for the API server: has() says no.
        Value::Mapping(entries) => map(entries.iter().filter(|entry| !entry.value.is_null()).map(|entry| (entry.key.as_str(), of_node(&entry.value)))),
    }
}

fn of_json(json: &Json) -> Boxed<'_> {
    match json {
        Json::Null => null(),
        Json::Bool(value) => Box::new(CelBool::from(*value)),
        Json::Number(value) => of_number(value),
        Json::String(text) => Box::new(CelString::from(text.as_str())),
        Json::Array(items) => list(items.iter().map(of_json)),
        Json::Object(entries) => of_map(entries),
    }
}

/// The parameters of a rule.
pub(super) fn of_map(entries: &Map<String, Json>) -> Boxed<'_> {
    map(entries.iter().map(|(key, value)| (key.as_str(), of_json(value))))
}

/// Of a tree only what paths lead to: rules name few fields, and objects are large.
pub(super) fn of_paths<'v>(node: &'v Node, paths: &[&[String]]) -> Boxed<'v> {
    if !node.is_mapping() || paths.iter().any(|path| path.is_empty()) {
        return of_node(node);
    }
    map(node.entries().iter().filter(|entry| !entry.value.is_null()).filter_map(|entry| {
        let below: Vec<&[String]> = paths.iter().filter_map(|path| path.split_first()).filter(|(key, _)| **key == entry.key).map(|(_, rest)| rest).collect();
        (!below.is_empty()).then(|| (entry.key.as_str(), of_paths(&entry.value, &below)))
    }))
}

/// What is not there.
pub(super) fn null<'v>() -> Boxed<'v> {
    Box::new(CelNull)
}

/// Several values.
pub(super) fn list<'v>(items: impl Iterator<Item = Boxed<'v>>) -> Boxed<'v> {
    Box::new(CelList::from(items.collect::<Vec<_>>()))
}

fn map<'v>(entries: impl Iterator<Item = (&'v str, Boxed<'v>)>) -> Boxed<'v> {
    let entries: HashMap<CelMapKey<'v>, Boxed<'v>> =
        entries.map(|(key, value)| (CelMapKey::String(CelString::from(key)), value)).collect();
    Box::new(CelMap::from(entries))
}

fn of_number<'v>(number: &Number) -> Boxed<'v> {
    match (number.as_i64(), number.as_u64()) {
        (Some(value), _) => Box::new(CelInt::from(value)),
        (None, Some(value)) => Box::new(CelUInt::from(value)),
        (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or_default())),
    }
}
