//! Label selectors, as the API server reads them.

use gauntlet_fixtures::manifest::{Field, Node};
use std::collections::BTreeMap;

/// Labels of an object.
pub type Labels<'a> = BTreeMap<&'a str, &'a str>;

/// A selector: every requirement must hold. One without requirements selects everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selector<'a> {
    requirements: Vec<Requirement<'a>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Requirement<'a> {
    In(&'a str, Vec<&'a str>),
    NotIn(&'a str, Vec<&'a str>),
    Exists(&'a str),
    DoesNotExist(&'a str),
    /// An operator that does not exist: the API server refuses it, nothing is selected.
    Never,
}

impl Requirement<'_> {
    fn holds(&self, labels: &Labels<'_>) -> bool {
        match self {
            Requirement::In(key, values) => labels.get(key).is_some_and(|label| values.contains(label)),
            Requirement::NotIn(key, values) => labels.get(key).is_none_or(|label| !values.contains(label)),
            Requirement::Exists(key) => labels.contains_key(key),
            Requirement::DoesNotExist(key) => !labels.contains_key(key),
            Requirement::Never => false,
        }
    }
}

impl<'a> Selector<'a> {
    /// Reads a `LabelSelector`: `matchLabels` and `matchExpressions`, all of which must hold.
    pub fn from_label_selector(field: &Field<'a>) -> Self {
        let mut selector = field.get("matchLabels").map(|labels| Self::from_map(&labels)).unwrap_or_default();
        for expression in field.items_at("matchExpressions") {
            let key = expression.str_at("key").unwrap_or_default();
            let values = || expression.items_at("values").iter().filter_map(Field::str).collect();
            selector.requirements.push(match expression.str_at("operator") {
                Some("In") => Requirement::In(key, values()),
                Some("NotIn") => Requirement::NotIn(key, values()),
                Some("Exists") => Requirement::Exists(key),
                Some("DoesNotExist") => Requirement::DoesNotExist(key),
                _ => Requirement::Never,
            });
        }
        selector
    }

    /// Reads a plain map, as a Service's selector is.
    pub fn from_map(field: &Field<'a>) -> Self {
        let one = |(key, value): (&'a str, Field<'a>)| Requirement::In(key, vec![value.str().unwrap_or_default()]);
        Self { requirements: field.entries().into_iter().map(one).collect() }
    }

    /// True: no requirement, so everything is selected.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// True: labels fulfil every requirement.
    pub fn matches(&self, labels: &Labels<'_>) -> bool {
        self.requirements.iter().all(|requirement| requirement.holds(labels))
    }

    /// True: labels may fulfil every requirement, when those that are not among them and that `unknown` accepts may
    /// stand there too, put there by somebody else.
    pub fn could_match(&self, labels: &Labels<'_>, unknown: impl Fn(&str) -> bool) -> bool {
        self.requirements.iter().all(|requirement| match requirement {
            Requirement::In(key, _) | Requirement::Exists(key) if !labels.contains_key(key) => unknown(key),
            _ => requirement.holds(labels),
        })
    }

    /// The only values that a label may have; none when any value will do.
    pub fn values_of(&self, wanted: &str) -> Option<&[&'a str]> {
        self.requirements.iter().find_map(|requirement| match requirement {
            Requirement::In(key, values) if *key == wanted => Some(values.as_slice()),
            _ => None,
        })
    }

    /// A label that everything selected carries, for a first cut through an index.
    pub(crate) fn certain_label(&self) -> Option<(&'a str, &'a str)> {
        self.requirements.iter().find_map(|requirement| match requirement {
            Requirement::In(key, values) if values.len() == 1 => Some((*key, values[0])),
            _ => None,
        })
    }
}

/// The labels of a metadata field's parent; values that are no strings are left out.
pub fn labels_of<'a>(parent: &Field<'a>) -> Labels<'a> {
    let entries = parent.at("metadata.labels").map(|labels| labels.entries()).unwrap_or_default();
    entries.into_iter().filter_map(|(key, value)| Some((key, Node::as_str(value.node)?))).collect()
}

/// True: a label that pods get from controllers, not from their template: those of Kubernetes' own, and those of other
/// programs' domains.
pub(crate) fn is_set_by_controllers(key: &str) -> bool {
    const OWN: [&str; 9] = [
        "job-name",
        "controller-uid",
        "pod-template-hash",
        "controller-revision-hash",
        "pod-template-generation",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/job-name",
        "batch.kubernetes.io/job-completion-index",
    ];
    let foreign = |domain: &str| !domain.ends_with("kubernetes.io") && !domain.ends_with("k8s.io");
    OWN.contains(&key) || key.split_once('/').is_some_and(|(domain, _)| foreign(domain))
}
