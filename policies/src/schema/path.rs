//! Where a walk stands, put into words only when something is wrong there.

use gauntlet_fixtures::manifest::{Node, Source};

/// A step from the root of an object. It costs nothing while all is well.
#[derive(Clone, Copy)]
pub(super) struct Place<'p, 'a> {
    parent: Option<&'p Place<'p, 'a>>,
    step: Step<'a>,
    /// The node here.
    pub node: &'a Node,
    /// Where its key stands, when it is a mapping's value.
    key: Option<&'a Source>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Item(usize),
}

impl<'p, 'a> Place<'p, 'a> {
    /// An object's root.
    pub fn root(node: &'a Node) -> Self {
        Self { parent: None, step: Step::Root, node, key: None }
    }

    /// The value of a key.
    pub fn key<'c>(&'c self, key: &'a str, node: &'a Node, source: &'a Source) -> Place<'c, 'a> {
        Place { parent: Some(self), step: Step::Key(key), node, key: Some(source) }
    }

    /// An item of a list.
    pub fn item<'c>(&'c self, index: usize, node: &'a Node) -> Place<'c, 'a> {
        Place { parent: Some(self), step: Step::Item(index), node, key: None }
    }

    /// The name of the field; for an item that of its list.
    pub fn name(&self) -> &'a str {
        match (self.step, self.parent) {
            (Step::Key(key), _) => key,
            (Step::Item(_), Some(parent)) => parent.name(),
            _ => "",
        }
    }

    /// The place to show: a scalar's own, the key of a mapping or a sequence.
    pub fn source(&self) -> &'a Source {
        match self.key {
            Some(key) if !self.node.entries().is_empty() || !self.node.items().is_empty() => key,
            _ => &self.node.source,
        }
    }

    /// The place of its key, for what should not be there at all.
    pub fn key_source(&self) -> &'a Source {
        self.key.unwrap_or(&self.node.source)
    }

    /// The path, such as `spec.template.spec.containers[0].image`.
    pub fn path(&self) -> String {
        let parent = self.parent.map(Place::path).unwrap_or_default();
        match self.step {
            Step::Root => parent,
            Step::Item(index) => format!("{parent}[{index}]"),
            Step::Key(key) => child(&parent, key),
        }
    }
}

/// The path of a child, as a finding's field names it.
pub(super) fn child(parent: &str, key: &str) -> String {
    if key.contains('.') || key.is_empty() {
        format!("{parent}['{key}']")
    } else if parent.is_empty() {
        key.to_owned()
    } else {
        format!("{parent}.{key}")
    }
}
