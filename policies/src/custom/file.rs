//! A custom rule as it stands in a set file.

use super::expression::{self, Expression};
use super::path::Path;
use super::{Custom, scalar};
use crate::registry;
use crate::set::file::Grade;
use gauntlet_fixtures::manifest::{ManifestError, Node};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A rule in CEL.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct FileCustom {
    /// A permanent id, such as `SHOP001`: waivers, baselines and reports know the rule by it.
    #[schemars(regex(pattern = "^[A-Za-z][A-Za-z0-9-]*$"))]
    pub id: String,
    /// A name, such as `cost-centre`. Default: the id.
    #[schemars(regex(pattern = "^[A-Za-z][A-Za-z0-9-]*$"))]
    name: Option<String>,
    /// What holds when the rule is kept, in one line.
    title: String,
    /// How much a finding weighs.
    severity: Grade,
    /// The kinds that are asked, such as `Deployment`. Default: every object.
    #[serde(default)]
    kinds: Vec<String>,
    /// Their API versions, such as `apps/v1`. Default: every one.
    #[serde(default)]
    api_versions: Vec<String>,
    /// The field that the rule speaks of, such as `spec.template.spec.containers[*].image`: findings stand there. With `[*]`
    /// every item is asked by itself. In expressions it is `self`, null when it is missing. Default: the object's name.
    #[serde(default)]
    field: String,
    /// What must be true, in CEL: https://cel.dev. Knows `object`, `self` (the value of `field`), `params`, and for workloads
    /// `scaler` (its HorizontalPodAutoscaler or null), `budgets`, `networkPolicies` and `services`, which are lists.
    expression: String,
    /// What a finding says. Default: the title.
    message: Option<String>,
    /// What a finding says, in CEL: a text.
    message_expression: Option<String>,
    /// Values that the expressions know as `params`.
    #[serde(default)]
    parameters: Map<String, Value>,
    /// Why it matters.
    #[serde(default)]
    why: String,
    /// How to mend it.
    #[serde(default)]
    fix: String,
}

impl FileCustom {
    /// Reads the expressions. `node` is where the rule stands in `text`, the whole file. None: it is off.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn compile(self, node: &Node, text: &str) -> Result<Option<Custom>, ManifestError> {
        let at = |key: &str| node.get(key).map_or(&node.source, |value| &value.source);
        let name = self.name.unwrap_or_else(|| self.id.clone());
        for (key, word) in [("id", &self.id), ("name", &name)] {
            if !is_word(word) {
                return Err(ManifestError::at(at(key), format!("{key}: `{word}` must be a letter, then letters, digits and `-`")));
            }
            if registry::find(word).is_some() {
                return Err(ManifestError::at(at(key), format!("{key}: `{word}` is a rule of the program")));
            }
        }
        let compiled = |key: &str, expression: &str| -> Result<Expression, ManifestError> {
            expression::compile(expression).map_err(|fault| {
                let place = scalar::place(text, at(key), expression, fault.at);
                ManifestError::at(&place, format!("{key} of {}: {}", self.id, fault.message))
            })
        };
        let field = Path::parse(&self.field).map_err(|why| ManifestError::at(at("field"), why))?;
        let expression = compiled("expression", &self.expression)?;
        let message_expression = self.message_expression.as_deref().map(|text| compiled("messageExpression", text)).transpose()?;
        let source = scalar::place(text, at("expression"), &self.expression, 0);
        let Some(severity) = self.severity.severity() else { return Ok(None) };
        Ok(Some(Custom {
            id: self.id,
            name,
            title: self.title,
            severity,
            why: self.why.trim().to_owned(),
            fix: self.fix.trim().to_owned(),
            text: self.expression,
            source,
            kinds: self.kinds,
            api_versions: self.api_versions,
            field,
            expression,
            message: self.message,
            message_expression,
            parameters: self.parameters,
        }))
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}
