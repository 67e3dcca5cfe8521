//! Which rules are asked, how much each weighs, and with which parameters.

pub(crate) mod file;

use crate::custom::Custom;
use crate::kubernetes::Kubernetes;
use crate::registry;
use crate::rule::Rule;
use file::{File, FileSetting};
use gauntlet_fixtures::manifest::{Dialect, ManifestError, Node, Object, from_node, parse};
use gauntlet_reports::finding::Severity;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The sets that are part of the program: name and text.
const SHIPPED: [(&str, &str); 10] = [
    ("crypto", include_str!("../sets/crypto.yaml")),
    ("f1", include_str!("../sets/f1.yaml")),
    ("football", include_str!("../sets/football.yaml")),
    ("globeco", include_str!("../sets/globeco.yaml")),
    ("production", include_str!("../sets/production.yaml")),
    ("promises", include_str!("../sets/promises.yaml")),
    ("pss-baseline", include_str!("../sets/pss-baseline.yaml")),
    ("pss-restricted", include_str!("../sets/pss-restricted.yaml")),
    ("security", include_str!("../sets/security.yaml")),
    ("streaming", include_str!("../sets/streaming.yaml")),
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
    custom: Vec<Custom>,
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

    /// A set by the name of one that ships, or by its file.
    ///
    /// # Errors
    /// As [`PolicySet::read`].
    pub fn open(name_or_path: &Path) -> Result<Self, PolicySetError> {
        match name_or_path.to_str().and_then(Self::named) {
            Some(set) => Ok(set),
            None => Self::read(name_or_path),
        }
    }

    /// The same set for manifests whose custom resources are described by objects that stand elsewhere.
    #[must_use]
    pub fn with_definitions(self, definitions: Vec<Object>) -> Self {
        Self { definitions, ..self }
    }

    /// Reads a set from a file.
    ///
    /// # Errors
    /// When it cannot be read, names a rule or a parameter that does not exist, or has an expression that is wrong: with
    /// its place.
    pub fn read(path: &Path) -> Result<Self, PolicySetError> {
        Self::read_above(path, &mut Vec::new())
    }

    /// Reads a set from text; `file` is its name in messages, and where the path of a set that it extends starts.
    ///
    /// # Errors
    /// As [`PolicySet::read`].
    pub fn parse(text: &str, file: &str) -> Result<Self, PolicySetError> {
        Self::parse_above(text, file, &mut Vec::new())
    }

    /// `above`: the files that lead here by `extends`.
    fn read_above(path: &Path, above: &mut Vec<PathBuf>) -> Result<Self, PolicySetError> {
        let text = std::fs::read_to_string(path).map_err(|error| ManifestError::path(path, error.to_string()))?;
        above.push(path.canonicalize().unwrap_or_else(|_| path.to_owned()));
        Self::parse_above(&text, &path.to_string_lossy(), above)
    }

    fn parse_above(text: &str, file: &str, above: &mut Vec<PathBuf>) -> Result<Self, PolicySetError> {
        let documents = parse(text.as_bytes(), file, Dialect::Kustomize)?;
        let [root] = documents.as_slice() else {
            return Err(ManifestError::path(file, "a policy set is one document").into());
        };
        let read: File = from_node(root)?;
        let mut set = match &read.extends {
            Some(base) => Self::base(base, root, above)?,
            None => Self { name: String::new(), kubernetes: Kubernetes::default(), definitions: Vec::new(), rules: BTreeMap::new(), custom: Vec::new() },
        };
        set.name = read.name;
        let mut own = BTreeSet::new();
        for (name, setting) in read.rules {
            let at = |message: String| ManifestError::at(&key_source(root, &name), message);
            let rule = registry::find(&name);
            let custom = set.custom.iter().position(|custom| custom.is_called(&name)).filter(|_| rule.is_none());
            let id = rule.map(|rule| rule.id.to_owned()).or_else(|| Some(set.custom.get(custom?)?.id.clone()));
            let id = id.ok_or_else(|| at(format!("there is no rule `{name}`")))?;
            if let Some(custom) = custom {
                // A custom rule of the set that is extended: graded anew, its parameters filled in.
                match setting.severity.severity() {
                    Some(severity) => set.custom[custom].adjust(severity, setting).map_err(at)?,
                    None => drop(set.custom.remove(custom)),
                }
            } else if let Some(rule) = rule {
                match Setting::of(rule, setting).map_err(at)? {
                    Some(setting) => set.rules.insert(rule.id, setting),
                    None => set.rules.remove(rule.id),
                };
            }
            if !own.insert(id.clone()) {
                return Err(at(format!("{id} stands here twice")).into());
            }
        }
        let nodes = root.get("custom").map(Node::items).unwrap_or_default();
        for (custom, node) in read.custom.into_iter().zip(nodes) {
            let id = custom.id.clone();
            let Some(custom) = custom.compile(node, text)? else { continue };
            if set.custom.iter().any(|other| other.is_called(&custom.id) || other.is_called(&custom.name)) {
                return Err(ManifestError::at(&node.source, format!("a rule {id} is in this set already")).into());
            }
            set.custom.push(custom);
        }
        Ok(set)
    }

    /// The set that another one extends.
    fn base(base: &str, root: &Node, above: &mut Vec<PathBuf>) -> Result<Self, PolicySetError> {
        if let Some(shipped) = Self::named(base) {
            return Ok(shipped);
        }
        let source = root.get("extends").map_or(&root.source, |node| &node.source);
        let path = Path::new(&*source.file).parent().unwrap_or(Path::new("")).join(base);
        if !path.is_file() {
            let message = format!("there is no set `{base}`, neither as a file nor among those that ship: {}", Self::names().collect::<Vec<_>>().join(", "));
            return Err(ManifestError::at(source, message).into());
        }
        if path.canonicalize().is_ok_and(|path| above.contains(&path)) {
            return Err(ManifestError::at(source, format!("`{base}` extends this set already")).into());
        }
        Self::read_above(&path, above)
    }

    /// A set of one rule, at severity error with its default parameters.
    pub fn only(rule: &'static Rule) -> Self {
        let setting = Setting { severity: Severity::Error, parameters: Map::new(), since: None, until: None };
        let rules = BTreeMap::from([(rule.id, setting)]);
        Self { name: rule.name.to_owned(), kubernetes: Kubernetes::default(), rules, definitions: Vec::new(), custom: Vec::new() }
    }

    /// How much a rule weighs; none: it is not asked.
    pub fn severity(&self, rule: &Rule) -> Option<Severity> {
        self.setting(rule).map(|setting| setting.severity)
    }

    /// The rules that it writes itself.
    pub fn custom(&self) -> &[Custom] {
        &self.custom
    }

    /// A rule that it writes itself, by id or name.
    pub fn find_custom(&self, id_or_name: &str) -> Option<&Custom> {
        self.custom.iter().find(|custom| custom.is_called(id_or_name))
    }

    /// How a rule is asked; none: it is not, or not for this Kubernetes.
    pub(crate) fn setting(&self, rule: &Rule) -> Option<&Setting> {
        let holds = |setting: &&Setting| {
            setting.since.is_none_or(|since| since <= self.kubernetes) && setting.until.is_none_or(|until| self.kubernetes <= until)
        };
        self.rules.get(rule.id).filter(holds)
    }
}

impl Setting {
    /// A rule's setting; none: it is off.
    fn of(rule: &Rule, read: FileSetting) -> Result<Option<Self>, String> {
        for (parameter, value) in &read.parameters {
            check_parameter(rule, parameter, value)?;
        }
        let version = |text: Option<String>| text.map(|text| text.parse::<Kubernetes>()).transpose().map_err(|error| error.to_string());
        let (since, until) = (version(read.since)?, version(read.until)?);
        Ok(read.severity.severity().map(|severity| Setting { severity, parameters: read.parameters, since, until }))
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
    is_like(rule.name, name, &serde_json::from_str(default).unwrap_or_default(), value)
}

/// A parameter's value is of the type of its default.
pub(crate) fn is_like(rule: &str, name: &str, default: &Value, value: &Value) -> Result<(), String> {
    if std::mem::discriminant(default) == std::mem::discriminant(value) {
        Ok(())
    } else {
        Err(format!("the parameter `{name}` of {rule} must be like {default}, not {value}"))
    }
}
