//! The structural schemas of CustomResourceDefinitions: `openAPIV3Schema` and its `x-kubernetes-` extensions, as the API
//! server applies them. Rules in CEL (`x-kubernetes-validations`) are for a cluster: they are not judged.

use super::bounds::{self, Patterns};
use super::builtin::Builtin;
use super::path::{Place, child};
use super::scalar::{self, one_of, shown};
use super::suggest::hint;
use super::types::Type;
use super::{Flaw, Problem};
use crate::credentials::is_reference;
use gauntlet_fixtures::manifest::{Node, Object, Value};

/// What every resource has, whether its schema says so or not.
const RESOURCE: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// A walk over one custom resource.
pub(super) struct Walk<'w, 'a> {
    object: &'a Object,
    builtin: &'w Builtin,
    patterns: &'w Patterns,
    /// True: no field is unknown.
    keeps_unknown: bool,
    pub problems: Vec<Problem<'a>>,
}

impl<'w, 'a> Walk<'w, 'a> {
    /// Begins one.
    pub fn new(object: &'a Object, builtin: &'w Builtin, patterns: &'w Patterns, keeps_unknown: bool) -> Self {
        Self { object, builtin, patterns, keeps_unknown, problems: Vec::new() }
    }

    /// A resource: the object itself, or one that is embedded in it.
    pub fn resource(&mut self, schema: &Node, place: &Place<'_, 'a>) {
        self.structure(schema, place, true);
        self.values(schema, place);
    }

    /// A value against its schema.
    fn value(&mut self, schema: &Node, place: &Place<'_, 'a>) {
        let node = place.node;
        if node.is_null() {
            // Where there is a default, it stands in for null.
            if !flag(schema, "nullable") && schema.get("default").is_none() && type_of(schema) != Type::Any {
                let message = format!("expected {}: leave it out", type_of(schema).expected());
                self.wrong(Flaw::WrongType, place, &message);
            }
            return;
        }
        let of = type_of(schema);
        let fits = match (&of, &node.value) {
            (Type::Map(_), Value::Mapping(_)) | (Type::List(_), Value::Sequence(_)) => None,
            (Type::Map(_) | Type::List(_), _) => Some(scalar::collection_flaw(&of, node)),
            _ => scalar::flaw(&of, node),
        };
        if let Some((flaw, message)) = fits {
            return self.wrong(flaw, place, &message);
        }
        if flag(schema, "x-kubernetes-embedded-resource") {
            if let Some(entry) = node.entry("metadata") {
                self.builtin.metadata(self.object, &place.key(&entry.key, &entry.value, &entry.key_source), &mut self.problems);
            }
            return self.resource(schema, place);
        }
        self.structure(schema, place, false);
        self.values(schema, place);
    }

    /// Which fields and items there may be, and each of them.
    fn structure(&mut self, schema: &Node, place: &Place<'_, 'a>, is_resource: bool) {
        let properties = schema.get("properties");
        let additional = schema.get("additionalProperties");
        for entry in place.node.entries() {
            let below = place.key(&entry.key, &entry.value, &entry.key_source);
            if is_resource && RESOURCE.contains(&entry.key.as_str()) {
                continue;
            }
            if let Some(schema) = properties.and_then(|properties| properties.get(&entry.key)) {
                self.value(schema, &below);
            } else if let Some(schema) = additional.filter(|it| it.is_mapping()) {
                self.value(schema, &below);
            } else if additional.and_then(Node::as_bool) != Some(true) && !self.keeps(schema) {
                let known = properties.map(Node::entries).unwrap_or_default().iter().map(|it| it.key.as_str());
                let parent = if place.name().is_empty() { self.object.kind.as_str() } else { place.name() };
                let message = format!("{parent} has no field {}{}", entry.key, hint(&entry.key, known));
                let (field, source) = (below.path(), below.key_source().clone());
                self.problems.push(Problem { flaw: Flaw::UnknownField, object: self.object, field, source, message });
            }
        }
        if let Some(schema) = schema.get("items") {
            for (index, item) in place.node.items().iter().enumerate() {
                self.value(schema, &place.item(index, item));
            }
        }
    }

    /// What the values must be, whatever their structure.
    fn values(&mut self, schema: &Node, place: &Place<'_, 'a>) {
        self.required(schema, place);
        if let Some(values) = schema.get("enum").map(Node::items)
            && !values.contains(place.node)
        {
            let texts: Vec<String> = values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect();
            let near = place.node.as_str().map(|text| hint(text, texts.iter().map(String::as_str))).unwrap_or_default();
            self.wrong(Flaw::InvalidValue, place, &format!("expected {}{near}", one_of(texts.iter().map(String::as_str))));
        }
        for message in bounds::broken(schema, place.node, self.patterns) {
            self.wrong(Flaw::InvalidValue, place, &message);
        }
        self.alternatives(schema, place);
    }

    fn required(&mut self, schema: &Node, place: &Place<'_, 'a>) {
        if !place.node.is_mapping() {
            return;
        }
        for name in schema.get("required").map(Node::items).unwrap_or_default().iter().filter_map(Node::as_str) {
            let property = schema.at(&["properties", name]);
            let is_filled_in = property.is_some_and(|property| property.get("default").is_some());
            if place.node.get(name).is_none() && !is_filled_in {
                let expected = property.map(|property| format!(", as {}", type_of(property).expected())).unwrap_or_default();
                let parent = if place.name().is_empty() { self.object.kind.as_str() } else { place.name() };
                let message = format!("{name} is missing: {parent} needs it{expected}");
                let field = child(&place.path(), name);
                self.problems.push(Problem { flaw: Flaw::MissingField, object: self.object, field, source: place.source().clone(), message });
            }
        }
    }

    /// `allOf`, `anyOf`, `oneOf` and `not`, which speak of values only: they bring no fields of their own.
    fn alternatives(&mut self, schema: &Node, place: &Place<'_, 'a>) {
        let all = |key| schema.get(key).map(Node::items).unwrap_or_default();
        for part in all("allOf") {
            self.constraint(part, place);
        }
        for (key, what) in [("anyOf", "at least one"), ("oneOf", "exactly one")] {
            let parts = all(key);
            let fitting = parts.iter().filter(|part| self.fits(part, place)).count();
            if !parts.is_empty() && (fitting == 0 || (key == "oneOf" && fitting > 1)) {
                self.wrong(Flaw::InvalidValue, place, &format!("and fits {fitting} of the {} alternatives of its schema, expected {what}", parts.len()));
            }
        }
        if schema.get("not").is_some_and(|part| self.fits(part, place)) {
            self.wrong(Flaw::InvalidValue, place, "which is what its schema excludes");
        }
    }

    fn fits(&self, schema: &Node, place: &Place<'_, 'a>) -> bool {
        let mut walk = Walk::new(self.object, self.builtin, self.patterns, true);
        walk.constraint(schema, place);
        walk.problems.is_empty()
    }

    fn constraint(&mut self, schema: &Node, place: &Place<'_, 'a>) {
        if !matches_type(schema, place.node) {
            let message = format!("expected {}", type_of(schema).expected());
            return self.wrong(Flaw::WrongType, place, &message);
        }
        self.values(schema, place);
        for property in schema.get("properties").map(Node::entries).unwrap_or_default() {
            if let Some(entry) = place.node.entry(&property.key) {
                self.constraint(&property.value, &place.key(&entry.key, &entry.value, &entry.key_source));
            }
        }
        if let Some(schema) = schema.get("additionalProperties").filter(|it| it.is_mapping()) {
            for entry in place.node.entries() {
                self.constraint(schema, &place.key(&entry.key, &entry.value, &entry.key_source));
            }
        }
        if let Some(schema) = schema.get("items") {
            for (index, item) in place.node.items().iter().enumerate() {
                self.constraint(schema, &place.item(index, item));
            }
        }
    }

    /// True: fields that the schema does not name are kept here.
    fn keeps(&self, schema: &Node) -> bool {
        self.keeps_unknown || flag(schema, "x-kubernetes-preserve-unknown-fields") || type_of(schema) == Type::Any
    }

    fn wrong(&mut self, flaw: Flaw, place: &Place<'_, 'a>, message: &str) {
        // What is put in its place later is not known.
        if place.node.as_str().is_some_and(is_reference) {
            return;
        }
        let name = if place.name().is_empty() { self.object.kind.as_str() } else { place.name() };
        let (field, source) = (place.path(), place.source().clone());
        self.problems.push(Problem { flaw, object: self.object, field, source, message: format!("{name} is {}, {message}", shown(place.node)) });
    }
}

fn flag(schema: &Node, key: &str) -> bool {
    schema.get(key).and_then(Node::as_bool).unwrap_or(false)
}

fn type_of(schema: &Node) -> Type {
    let format = schema.get("format").and_then(Node::as_str);
    if flag(schema, "x-kubernetes-int-or-string") {
        return Type::IntOrText;
    }
    match (schema.get("type").and_then(Node::as_str), format) {
        (Some("object"), _) => Type::Map(Box::new(Type::Any)),
        (Some("array"), _) => Type::List(Box::new(Type::Any)),
        (Some("string"), Some("date-time")) => Type::Time,
        (Some("string"), Some("byte")) => Type::Bytes,
        (Some("string"), _) => Type::Text(Vec::new()),
        (Some("integer"), Some("int32")) => Type::Int32,
        (Some("integer"), _) => Type::Int64,
        (Some("number"), _) => Type::Number,
        (Some("boolean"), _) => Type::Boolean,
        _ => Type::Any,
    }
}

/// True: the value is of the type that a part of `anyOf` and the like names.
fn matches_type(schema: &Node, node: &Node) -> bool {
    match type_of(schema) {
        Type::Map(_) => node.is_mapping(),
        Type::List(_) => matches!(node.value, Value::Sequence(_)),
        of => node.is_null() || scalar::flaw(&of, node).is_none(),
    }
}
