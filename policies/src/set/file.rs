//! A set as it stands in its file.

use crate::custom::FileCustom;
use crate::registry;
use gauntlet_reports::finding::Severity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A policy set of Gauntlet: which rules are asked, how much each weighs, and with which parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Policy set")]
pub(crate) struct File {
    /// Its name.
    pub name: String,
    /// The set that this one adds to: one that ships, by name, or a file, by its path from this one. What stands here wins.
    pub extends: Option<String>,
    /// Rules by name or id.
    #[serde(default)]
    #[schemars(schema_with = "rules")]
    pub rules: BTreeMap<String, FileSetting>,
    /// Rules of this set's own, in CEL.
    #[serde(default)]
    pub custom: Vec<FileCustom>,
}

/// How one rule is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileSetting {
    pub severity: Grade,
    #[serde(default)]
    pub parameters: Map<String, Value>,
    pub since: Option<String>,
    pub until: Option<String>,
}

/// How much a rule weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Grade {
    /// Not asked, also when the set that is extended asks it.
    Off,
    /// Worth knowing.
    Info,
    /// Should be mended.
    Warning,
    /// Fails a run.
    Error,
}

impl Grade {
    /// The severity of its findings; none: it is not asked.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Grade::Off => None,
            Grade::Info => Some(Severity::Info),
            Grade::Warning => Some(Severity::Warning),
            Grade::Error => Some(Severity::Error),
        }
    }
}

/// Every rule with its parameters, so that an editor completes and explains them. Other names are custom rules of the set that
/// is extended.
fn rules(generator: &mut SchemaGenerator) -> Schema {
    let grade = generator.subschema_for::<Grade>();
    let of_kubernetes = serde_json::json!({"type": ["string", "null"], "pattern": "^1\\.[0-9]+$", "description": "A version of Kubernetes."});
    generator.definitions_mut().insert("Version".to_owned(), of_kubernetes);
    let setting = |description: String, parameters: Value| {
        let version = serde_json::json!({"$ref": "#/$defs/Version"});
        json_schema!({
            "type": "object",
            "description": description,
            "properties": {"severity": grade, "parameters": parameters, "since": version, "until": version},
            "required": ["severity"],
            "additionalProperties": false,
        })
    };
    let mut properties = Map::new();
    for rule in registry::RULES {
        let known: Map<_, _> = rule.parameters.iter().map(|(name, default)| ((*name).to_owned(), like(default))).collect();
        let parameters = serde_json::json!({"type": "object", "properties": known, "additionalProperties": false});
        properties.insert(rule.name.to_owned(), setting(format!("{}: {}", rule.id, rule.summary()), parameters).to_value());
        properties.insert(rule.id.to_owned(), serde_json::json!({"$ref": format!("#/properties/rules/properties/{}", rule.name)}));
    }
    let custom = setting("A custom rule of the set that is extended.".to_owned(), serde_json::json!({"type": "object"}));
    json_schema!({"type": "object", "properties": properties, "additionalProperties": custom})
}

/// A value of the type that a parameter's default has.
fn like(default: &str) -> Value {
    let default: Value = serde_json::from_str(default).unwrap_or_default();
    let name = match &default {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    serde_json::json!({"type": name, "default": default})
}
