//! Which rules are asked, how much each weighs, and with which parameters.

use crate::kubernetes::Kubernetes;
use crate::registry;
use crate::rule::Rule;
use gauntlet_fixtures::manifest::{Dialect, ManifestError, Node, Object, from_node, parse};
use gauntlet_reports::finding::Severity;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// The sets that are part of the program: name and text.
const SHIPPED: [(&str, &str); 4] = [
    ("production", include_str!("../sets/production.yaml")),
    ("pss-baseline", include_str!("../sets/pss-baseline.yaml")),
    ("pss-restricted", include_str!("../sets/pss-restricted.yaml")),
    ("security", include_str!("../sets/security.yaml")),
];

/// A choice of rules.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicySet {
    /// Its name.
    pub name: String,
    /// The Kubernetes that the manifests are for.
    pub kubernetes: Kubernetes,
    /// CustomResourceDefinitions that stand elsewhere than the manifests.
    pub(crate) definitions: Vec<Object>,
    rules: BTreeMap<&'static str, Setting>,
}

/// How one rule is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    pub severity: Severity,
    pub parameters: Map<String, Value>,
    /// The first version of Kubernetes that it is asked for; none: every one.
    since: Option<Kubernetes>,
    /// The last one; none: every one.
    until: Option<Kubernetes>,
}

/// A policy set that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("read the policy set: {0}")]
pub struct PolicySetError(pub ManifestError);

// The text holds its cause: as a source of its own it would be told twice.
impl From<ManifestError> for PolicySetError {
    fn from(cause: ManifestError) -> Self {
        PolicySetError(cause)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    rules: BTreeMap<String, FileSetting>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSetting {
    severity: Severity,
    #[serde(default)]
    parameters: Map<String, Value>,
    since: Option<String>,
    until: Option<String>,
}

impl PolicySet {
    /// The set for what ships, `sets/production.yaml`.
    pub fn production() -> Self {
        Self::named("production").unwrap_or_else(|| unreachable!("the production set is a part of the program"))
    }

    /// A set that is part of the program, by its name; [`PolicySet::names`] are all.
    /// A test reads every one of their texts: a set that cannot be read never ships.
    pub fn named(name: &str) -> Option<Self> {
        let (name, text) = SHIPPED.iter().find(|(known, _)| *known == name)?;
        let file = format!("policies/sets/{name}.yaml");
        Some(Self::parse(text, &file).unwrap_or_else(|error| unreachable!("{error}")))
    }

    /// The names of the sets that are part of the program.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// The same set for manifests that are meant for another Kubernetes than the newest one.
    #[must_use]
    pub fn for_kubernetes(self, kubernetes: Kubernetes) -> Self {
        Self { kubernetes, ..self }
    }

    /// The same set for manifests whose custom resources are described by objects that stand elsewhere.
    #[must_use]
    pub fn with_definitions(self, definitions: Vec<Object>) -> Self {
        Self { definitions, ..self }
    }

    /// Reads a set from a file.
    ///
    /// # Errors
    /// When it cannot be read, or names a rule or a parameter that does not exist: with its place.
    pub fn read(path: &Path) -> Result<Self, PolicySetError> {
        let text = std::fs::read_to_string(path).map_err(|error| ManifestError::path(path, error.to_string()))?;
        Self::parse(&text, &path.to_string_lossy())
    }

    /// Reads a set from text; `file` is its name in messages.
    ///
    /// # Errors
    /// As [`PolicySet::read`].
    pub fn parse(text: &str, file: &str) -> Result<Self, PolicySetError> {
        let documents = parse(text.as_bytes(), file, Dialect::Kustomize)?;
        let [root] = documents.as_slice() else {
            return Err(ManifestError::path(file, "a policy set is one document").into());
        };
        let file: File = from_node(root)?;
        let mut rules = BTreeMap::new();
        for (name, setting) in file.rules {
            let Some(rule) = registry::find(&name) else {
                return Err(ManifestError::at(&key_source(root, &name), format!("there is no rule `{name}`")).into());
            };
            for (parameter, value) in &setting.parameters {
                check_parameter(rule, parameter, value)
                    .map_err(|message| ManifestError::at(&key_source(root, &name), message))?;
            }
            let version = |text: Option<String>| {
                let version = text.map(|text| text.parse::<Kubernetes>()).transpose();
                version.map_err(|error| ManifestError::at(&key_source(root, &name), error.to_string()))
            };
            let (since, until) = (version(setting.since)?, version(setting.until)?);
            let setting = Setting { severity: setting.severity, parameters: setting.parameters, since, until };
            if rules.insert(rule.id, setting).is_some() {
                return Err(ManifestError::at(&key_source(root, &name), format!("{} stands here twice", rule.id)).into());
            }
        }
        Ok(Self { name: file.name, kubernetes: Kubernetes::default(), definitions: Vec::new(), rules })
    }

    /// A set of one rule, at severity error with its default parameters.
    pub fn only(rule: &'static Rule) -> Self {
        let setting = Setting { severity: Severity::Error, parameters: Map::new(), since: None, until: None };
        let rules = BTreeMap::from([(rule.id, setting)]);
        Self { name: rule.name.to_owned(), kubernetes: Kubernetes::default(), definitions: Vec::new(), rules }
    }

    /// How much a rule weighs; none: it is not asked.
    pub fn severity(&self, rule: &Rule) -> Option<Severity> {
        self.setting(rule).map(|setting| setting.severity)
    }

    /// How a rule is asked; none: it is not, or not for this Kubernetes.
    pub(crate) fn setting(&self, rule: &Rule) -> Option<&Setting> {
        let holds = |setting: &&Setting| {
            setting.since.is_none_or(|since| since <= self.kubernetes) && setting.until.is_none_or(|until| self.kubernetes <= until)
        };
        self.rules.get(rule.id).filter(holds)
    }
}

fn key_source(root: &Node, name: &str) -> gauntlet_fixtures::manifest::Source {
    let entry = root.get("rules").and_then(|rules| rules.entry(name));
    entry.map_or_else(|| root.source.clone(), |entry| entry.key_source.clone())
}

fn check_parameter(rule: &Rule, name: &str, value: &Value) -> Result<(), String> {
    let Some((_, default)) = rule.parameters.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = rule.parameters.iter().map(|(known, _)| *known).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(format!("{} has no parameter `{name}`; it has: {known}", rule.name));
    };
    let default: Value = serde_json::from_str(default).unwrap_or_default();
    if std::mem::discriminant(&default) == std::mem::discriminant(value) {
        Ok(())
    } else {
        Err(format!("the parameter `{name}` of {} must be like {default}, not {value}", rule.name))
    }
}
