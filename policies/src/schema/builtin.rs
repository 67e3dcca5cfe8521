//! Kubernetes' own kinds: a walk over an object along the types of the table.

use super::path::{Place, child};
use super::required;
use super::scalar;
use super::suggest::hint;
use super::table::Table;
use super::types::{Definition, Type};
use super::{Flaw, Problem};
use crate::credentials::is_reference;
use crate::kubernetes::Kubernetes;
use gauntlet_fixtures::manifest::{Object, Value};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// The types of one release, each read when it is first asked for.
pub(super) struct Builtin {
    table: &'static Table,
    kubernetes: Kubernetes,
    read: RefCell<HashMap<&'static str, Rc<Definition>>>,
}

impl Builtin {
    /// The types of a release.
    pub fn new(kubernetes: Kubernetes) -> Self {
        Self { table: Table::get(), kubernetes, read: RefCell::new(HashMap::new()) }
    }

    /// Judges an object of a type.
    pub fn object<'a>(&self, of: &'static str, object: &'a Object, problems: &mut Vec<Problem<'a>>) {
        Walk { builtin: self, object, problems, in_status: false }.mapping(of, &Place::root(&object.root));
    }

    /// Judges what stands below `metadata`, which every kind has.
    pub fn metadata<'a>(&self, object: &'a Object, place: &Place<'_, 'a>, problems: &mut Vec<Problem<'a>>) {
        let of = Type::Of("meta.v1.ObjectMeta");
        Walk { builtin: self, object, problems, in_status: false }.value("", &of, place);
    }

    fn definition(&self, of: &'static str) -> Rc<Definition> {
        let mut read = self.read.borrow_mut();
        Rc::clone(read.entry(of).or_insert_with(|| Rc::new(self.table.definition(of, self.kubernetes.minor()))))
    }
}

struct Walk<'w, 'a> {
    builtin: &'w Builtin,
    object: &'a Object,
    problems: &'w mut Vec<Problem<'a>>,
    /// Controllers write the status: what is left out there is no mistake of the manifest.
    in_status: bool,
}

impl<'a> Walk<'_, 'a> {
    /// A value of a field of `owner`.
    fn value(&mut self, owner: &'static str, of: &Type, place: &Place<'_, 'a>) {
        let node = place.node;
        match of {
            Type::Any => {}
            &Type::Of(of) if node.is_mapping() => self.mapping(of, place),
            Type::Map(inner) if node.is_mapping() => {
                for entry in node.entries().iter().filter(|entry| !entry.value.is_null()) {
                    self.value(owner, inner, &place.key(&entry.key, &entry.value, &entry.key_source));
                }
            }
            Type::List(inner) if matches!(node.value, Value::Sequence(_)) => {
                for (index, item) in node.items().iter().enumerate() {
                    // An item that is null is an empty one: it matters where something must be there.
                    let place = place.item(index, item);
                    match inner.as_ref() {
                        &Type::Of(of) if item.is_null() => self.missing(of, &self.builtin.definition(of), &place),
                        _ if item.is_null() => {}
                        inner => self.value(owner, inner, &place),
                    }
                }
            }
            Type::Of(_) | Type::Map(_) | Type::List(_) => {
                let (flaw, message) = scalar::collection_flaw(of, node);
                self.wrong(flaw, place, &message);
            }
            // A Secret's data is for the rule secret-encoding.
            Type::Bytes if self.object.kind == "Secret" && node.as_str().is_some() => {}
            _ => {
                if let Some((flaw, message)) = scalar::flaw(of, node) {
                    let message = message + &self.history_of_value(owner, of, place);
                    self.wrong(flaw, place, &message);
                }
            }
        }
    }

    fn mapping(&mut self, of: &'static str, place: &Place<'_, 'a>) {
        let definition = self.builtin.definition(of);
        // Patches carry orders such as `$patch: delete`: they are no whole objects.
        if place.node.entries().iter().any(|entry| entry.key.starts_with('$')) {
            return;
        }
        let is_root = std::ptr::eq(place.node, &self.object.root);
        for entry in place.node.entries() {
            let below = place.key(&entry.key, &entry.value, &entry.key_source);
            match definition.field(&entry.key) {
                // Null is as good as nothing.
                Some(_) if entry.value.is_null() => {}
                Some(field) => {
                    self.in_status |= is_root && entry.key == "status";
                    self.value(of, &field.of, &below);
                    self.in_status &= !is_root;
                }
                None => self.unknown(of, &definition, &below),
            }
        }
        self.missing(of, &definition, place);
    }

    fn missing(&mut self, of: &'static str, definition: &Definition, place: &Place<'_, 'a>) {
        if self.in_status {
            return;
        }
        for field in definition.fields().iter().filter(|field| field.required && !required::is_filled_in(of, field.name)) {
            let there = place.node.get(field.name).is_some_and(|value| !value.is_null());
            if !there {
                let message = format!("{} is missing: {} needs it, as {}", field.name, short(of), field.of.expected());
                let at = child(&place.path(), field.name);
                self.problems.push(Problem { flaw: Flaw::MissingField, object: self.object, field: at, source: place.source().clone(), message });
            }
        }
    }

    fn unknown(&mut self, of: &'static str, definition: &Definition, place: &Place<'_, 'a>) {
        let (name, kubernetes) = (place.name(), self.builtin.kubernetes);
        let message = match self.builtin.table.field_history(of, name) {
            Some(history) => format!("{} has no field {name} in Kubernetes {kubernetes}: it is there {history}", short(of)),
            None => {
                let known = definition.fields().iter().map(|field| field.name);
                format!("{} has no field {name}{}", short(of), hint(name, known))
            }
        };
        let (field, source) = (place.path(), place.key_source().clone());
        self.problems.push(Problem { flaw: Flaw::UnknownField, object: self.object, field, source, message });
    }

    fn wrong(&mut self, flaw: Flaw, place: &Place<'_, 'a>, message: &str) {
        let field = place.path();
        // What is put in its place later is not known.
        if place.node.as_str().is_some_and(is_reference) {
            return;
        }
        if flaw == Flaw::WrongType && required::is_label(self.object, &field) {
            return;
        }
        // What a Secret holds is not for reports.
        let shown = if self.object.kind == "Secret" { place.node.type_name().to_owned() } else { scalar::shown(place.node) };
        let (source, message) = (place.source().clone(), format!("{} is {shown}, {message}", place.name()));
        self.problems.push(Problem { flaw, object: self.object, field, source, message });
    }

    /// In which releases a value is taken, when this one does not.
    fn history_of_value(&self, owner: &'static str, of: &Type, place: &Place<'_, 'a>) -> String {
        let Some(value) = place.node.as_str().filter(|_| !of.values().is_empty()) else { return String::new() };
        match self.builtin.table.value_history(owner, place.name(), value) {
            Some(history) => format!(" in Kubernetes {}: {value} is taken {history}", self.builtin.kubernetes),
            None => hint(value, of.values().iter().copied()),
        }
    }
}

/// `PodSpec` of `core.v1.PodSpec`.
fn short(of: &str) -> &str {
    of.rsplit('.').next().unwrap_or(of)
}
