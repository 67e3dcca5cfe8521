//! CustomResourceDefinitions, by the kinds that they describe.

use gauntlet_fixtures::manifest::{Node, Object};
use std::collections::HashMap;

/// All of them.
pub(super) struct Definitions<'d> {
    by_kind: HashMap<(&'d str, &'d str), Definition<'d>>,
}

/// One of them.
pub(super) struct Definition<'d> {
    pub name: &'d str,
    pub versions: Vec<Version<'d>>,
}

/// One version of a kind.
pub(super) struct Version<'d> {
    pub name: &'d str,
    pub served: bool,
    /// `openAPIV3Schema`; none: anything goes.
    pub schema: Option<&'d Node>,
    /// True: fields that the schema does not name are kept.
    pub keeps_unknown: bool,
    /// True: the status is a subresource, and what a manifest says of it is thrown away.
    pub drops_status: bool,
}

impl<'d> Definitions<'d> {
    /// Those among objects. When two describe the same kind, the first one holds.
    pub fn of(objects: impl Iterator<Item = &'d Object>) -> Self {
        let mut by_kind = HashMap::new();
        for object in objects.filter(|it| it.kind == "CustomResourceDefinition" && it.group() == "apiextensions.k8s.io") {
            let text = |path: &[&str]| object.root.at(path).and_then(Node::as_str);
            if let (Some(group), Some(kind)) = (text(&["spec", "group"]), text(&["spec", "names", "kind"])) {
                by_kind.entry((group, kind)).or_insert_with(|| Definition { name: &object.name, versions: versions(object) });
            }
        }
        Self { by_kind }
    }

    /// The one that describes a kind.
    pub fn find<'s>(&'s self, group: &'s str, kind: &'s str) -> Option<&'s Definition<'d>> {
        self.by_kind.get(&(group, kind))
    }
}

impl Definition<'_> {
    /// The versions that are served, for messages.
    pub fn served(&self) -> String {
        let served: Vec<&str> = self.versions.iter().filter(|it| it.served).map(|it| it.name).collect();
        if served.is_empty() { "another one: it serves none".to_owned() } else { served.join(" or ") }
    }
}

fn versions(object: &Object) -> Vec<Version<'_>> {
    let Some(spec) = object.root.get("spec") else { return Vec::new() };
    // In v1beta1 one schema can stand for all versions, there may be one version without a list, and what is unknown is
    // kept unless the definition says otherwise.
    let old = object.api_version.ends_with("/v1beta1");
    let common = spec.at(&["validation", "openAPIV3Schema"]);
    let drops_status = |node: &Node| node.at(&["subresources", "status"]).is_some();
    let keeps_unknown = spec.get("preserveUnknownFields").and_then(Node::as_bool).unwrap_or(old);
    let mut versions: Vec<Version<'_>> = spec
        .get("versions")
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .filter_map(|version| {
            Some(Version {
                name: version.get("name")?.as_str()?,
                served: version.get("served").and_then(Node::as_bool).unwrap_or(true),
                schema: version.at(&["schema", "openAPIV3Schema"]).or(common),
                keeps_unknown,
                drops_status: drops_status(version) || drops_status(spec),
            })
        })
        .collect();
    if let (true, Some(name)) = (versions.is_empty(), spec.get("version").and_then(Node::as_str)) {
        versions.push(Version { name, served: true, schema: common, keeps_unknown, drops_status: drops_status(spec) });
    }
    versions
}
