//! What an expression knows of one object. Values are made when they are first asked for: most expressions end before.

use super::value::{self, Boxed};
use crate::index::Index;
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use gauntlet_fixtures::manifest::Object;
use std::sync::OnceLock;

/// The variables of one object.
pub(super) struct Variables<'i, 'a> {
    object: &'a Object,
    /// The fields of the object that the rule names.
    paths: &'i [&'i [String]],
    scaler: Option<&'a Object>,
    lists: [&'i [&'a Object]; 3],
    made: [OnceLock<Boxed<'i>>; 5],
}

impl<'i, 'a: 'i> Variables<'i, 'a> {
    /// Of an object, with what belongs to it when it is a workload.
    pub fn new(object: &'a Object, paths: &'i [&'i [String]], index: &'i Index<'a>) -> Self {
        let workload = index.workload(object);
        let lists = workload.map(|workload| [index.budgets(workload), index.network_policies(workload), index.services(workload)]);
        let scaler = workload.and_then(|workload| index.scaler(workload));
        Self { object, paths, scaler, lists: lists.unwrap_or_default(), made: Default::default() }
    }

    fn make(&self, at: usize) -> Boxed<'i> {
        let list = |objects: &'i [&'a Object]| value::list(objects.iter().map(|object| value::of_node(&object.root)));
        match at {
            0 => value::of_paths(&self.object.root, self.paths),
            1 => self.scaler.map_or_else(value::null, |scaler| value::of_node(&scaler.root)),
            2 => list(self.lists[0]),
            3 => list(self.lists[1]),
            _ => list(self.lists[2]),
        }
    }
}

impl<'i, 'a: 'i> VariableResolver for Variables<'i, 'a> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let at = ["object", "scaler", "budgets", "networkPolicies", "services"].iter().position(|name| *name == variable)?;
        let made = self.made.get(at)?.get_or_init(|| self.make(at));
        Some(CowVal::Borrowed(&**made))
    }
}
