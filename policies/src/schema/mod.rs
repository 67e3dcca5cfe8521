//! Objects against the schemas of their kinds: Kubernetes' own, and those of CustomResourceDefinitions.
//!
//! One walk over an object finds everything; the rules of `rules/schema` each report one [`Flaw`].

mod bounds;
mod builtin;
mod custom;
mod definitions;
mod kinds;
mod path;
mod required;
mod scalar;
mod structural;
mod suggest;
pub(crate) mod table;
mod types;

use crate::index::Index;
use crate::kubernetes::Kubernetes;
use bounds::Patterns;
use builtin::Builtin;
use definitions::Definitions;
use gauntlet_fixtures::manifest::{Object, Source};
use kinds::Judge;

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// No such kind in this release.
    UnknownKind,
    /// A kind that nothing describes.
    UndescribedKind,
    /// No such field.
    UnknownField,
    /// Text where a number belongs, and the like.
    WrongType,
    /// A field that must be there.
    MissingField,
    /// The right type, but not a value that is taken.
    InvalidValue,
}

/// One flaw and its place.
#[derive(Debug)]
pub(crate) struct Problem<'a> {
    pub flaw: Flaw,
    pub object: &'a Object,
    pub field: String,
    pub source: Source,
    pub message: String,
}

/// Every flaw of every object. `definitions` are objects that stand elsewhere, CustomResourceDefinitions among them.
pub(crate) fn problems<'a>(index: &Index<'a>, kubernetes: Kubernetes, definitions: &[Object]) -> Vec<Problem<'a>> {
    let (builtin, patterns) = (Builtin::new(kubernetes), Patterns::default());
    let custom = Definitions::of(index.objects().iter().chain(definitions));
    let mut problems = Vec::new();
    // What SOPS has encrypted is another object before it is applied.
    for object in index.objects().iter().filter(|object| object.root.get("sops").is_none()) {
        match kinds::judge(object, kubernetes, &custom) {
            Judge::Builtin(of) => builtin.object(of, object, &mut problems),
            Judge::Custom(definition) => custom::object(definition, object, &builtin, &patterns, &mut problems),
            Judge::Nobody => {}
            Judge::Unknown(flaw, field, message) => {
                let source = object.root.get(field).map_or(&object.root.source, |node| &node.source).clone();
                problems.push(Problem { flaw, object, field: field.to_owned(), source, message });
            }
        }
    }
    problems
}
