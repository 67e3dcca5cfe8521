//! What a rule lets a program write. Only where the right value is certain, and where no workload that runs today can be
//! surprised by it: `readOnlyRootFilesystem`, an image's tag or `replicas` under an HPA are for a person.

use gauntlet_fixtures::manifest::{Field, Node, Value};
use gauntlet_reports::finding::{Change, Edit};
use serde_json::{Value as Json, json};

/// Sets the value at a path below a mapping. Nothing when the path leads through something else.
pub(crate) fn set(parent: &Field<'_>, path: &[&str], value: impl Into<Json>) -> Option<Edit> {
    let mut node = parent.node;
    for (at, key) in path.iter().enumerate() {
        if !node.is_mapping() {
            return None;
        }
        let Some(next) = node.get(key) else {
            let value = path[at + 1..].iter().rev().fold(value.into(), |value: Json, key| json!({*key: value}));
            return Some(edit(node, Change::Insert { key: (*key).to_owned(), value }));
        };
        node = next;
    }
    replace_node(node, value.into())
}

/// Gives a scalar another value.
pub(crate) fn replace(field: &Field<'_>, value: impl Into<Json>) -> Option<Edit> {
    replace_node(field.node, value.into())
}

/// Makes a number or a truth value the text that stands there.
pub(crate) fn quote(field: &Field<'_>) -> Option<Edit> {
    matches!(field.node.value, Value::Bool(_) | Value::Number(_)).then(|| edit(field.node, Change::Quote))
}

/// Takes a key out of a mapping.
pub(crate) fn remove(parent: &Field<'_>, key: &str) -> Option<Edit> {
    parent.node.entry(key).map(|_| edit(parent.node, Change::Remove { key: key.to_owned() }))
}

fn replace_node(node: &Node, value: Json) -> Option<Edit> {
    let is_scalar = matches!(node.value, Value::Bool(_) | Value::Number(_) | Value::String(_));
    is_scalar.then(|| edit(node, Change::Replace { from: node.to_json(), to: value }))
}

fn edit(node: &Node, change: Change) -> Edit {
    Edit { location: node.source.location(), change }
}
