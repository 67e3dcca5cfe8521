//! Which rules are asked, how much each weighs, and with which parameters.

use crate::registry;
use crate::rule::Rule;
use gauntlet_fixtures::manifest::{Dialect, ManifestError, Node, from_node, parse};
use gauntlet_reports::finding::Severity;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// The text of the set that is asked by default.
const PRODUCTION: &str = include_str!("../sets/production.yaml");

/// A choice of rules.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicySet {
    /// Its name.
    pub name: String,
    pub(crate) rules: BTreeMap<&'static str, Setting>,
}

/// How one rule is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    pub severity: Severity,
    pub parameters: Map<String, Value>,
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
}

impl PolicySet {
    /// The set for what ships, `sets/production.yaml`.
    /// The text is part of the program, and a test reads it: a set that cannot be read never ships.
    pub fn production() -> Self {
        Self::parse(PRODUCTION, "policies/sets/production.yaml").unwrap_or_else(|error| unreachable!("{error}"))
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
            let setting = Setting { severity: setting.severity, parameters: setting.parameters };
            if rules.insert(rule.id, setting).is_some() {
                return Err(ManifestError::at(&key_source(root, &name), format!("{} stands here twice", rule.id)).into());
            }
        }
        Ok(Self { name: file.name, rules })
    }

    /// A set of one rule, at severity error with its default parameters.
    pub fn only(rule: &'static Rule) -> Self {
        let setting = Setting { severity: Severity::Error, parameters: Map::new() };
        Self { name: rule.name.to_owned(), rules: BTreeMap::from([(rule.id, setting)]) }
    }

    /// How much a rule weighs; none: it is not asked.
    pub fn severity(&self, rule: &Rule) -> Option<Severity> {
        self.rules.get(rule.id).map(|setting| setting.severity)
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
