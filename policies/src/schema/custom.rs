//! Custom resources against their CustomResourceDefinition.

use super::bounds::Patterns;
use super::builtin::Builtin;
use super::definitions::Version;
use super::path::Place;
use super::structural::Walk;
use super::{Flaw, Problem};
use gauntlet_fixtures::manifest::Object;

/// Judges an object of a kind that a definition describes.
pub(super) fn object<'a>(version: &Version<'_>, object: &'a Object, builtin: &Builtin, patterns: &Patterns, problems: &mut Vec<Problem<'a>>) {
    let root = Place::root(&object.root);
    if let Some(entry) = object.root.entry("metadata") {
        builtin.metadata(object, &root.key(&entry.key, &entry.value, &entry.key_source), problems);
    }
    let Some(schema) = version.schema else { return };
    let mut walk = Walk::new(object, builtin, patterns, version.keeps_unknown);
    walk.resource(schema, &root);
    if version.drops_status {
        // Fields are read before the status is thrown away, values are judged after that.
        walk.problems.retain(|problem| problem.flaw == Flaw::UnknownField || !is_in_status(&problem.field));
    }
    problems.append(&mut walk.problems);
}

fn is_in_status(field: &str) -> bool {
    field.strip_prefix("status").is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
