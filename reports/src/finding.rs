//! What a policy says of a manifest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much a finding weighs. Ordered: `Info < Warning < Error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Should be mended; does not fail a run by default.
    Warning,
    /// Fails the policies stage.
    Error,
}

/// A position in a source file. Lines and columns count from 1; columns count Unicode scalar values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Location {
    /// Path as the user named it, or relative to the folder that the user named.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One breach of one policy at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The rule's permanent id, such as `SEC001`.
    pub rule: String,
    /// The rule's name, such as `privileged`.
    pub name: String,
    /// How much it weighs.
    pub severity: Severity,
    /// Where it stands.
    pub location: Location,
    /// The field, such as `spec.template.spec.containers[0].image`.
    pub field: String,
    /// The object, such as `Deployment globeco/order-generation`.
    pub resource: String,
    /// What is wrong, with the actual and the expected value.
    pub message: String,
    /// Why it matters.
    pub why: String,
    /// How to mend it.
    pub fix: String,
    /// The waiver's reason, when a valid waiver covers it. A waived finding does not fail a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<String>,
    /// What a program can write, where the right value is certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<Fix>,
}

/// Changes of files that mend one finding: all of them, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fix {
    /// Why they are safe, in one sentence.
    pub why_safe: String,
    /// The changes.
    pub edits: Vec<Edit>,
}

/// One change at a known place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// Where the value starts that is changed.
    pub location: Location,
    /// How.
    #[serde(flatten)]
    pub change: Change,
}

/// How a value is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A mapping gets a key that it has not.
    Insert {
        /// The key.
        key: String,
        /// Its value, as JSON.
        value: serde_json::Value,
    },
    /// A mapping loses a key.
    Remove {
        /// The key.
        key: String,
    },
    /// A scalar gets another value.
    Replace {
        /// The value that must stand there, as JSON: a rendered one may have been put together from several.
        from: serde_json::Value,
        /// The new value, as JSON.
        to: serde_json::Value,
    },
    /// A number or a truth value becomes the text that stands there.
    Quote,
}

impl Finding {
    /// What stays the same when lines move: rule, object and field. Two breaches of one field share it.
    pub fn fingerprint(&self) -> String {
        format!("{}/{}/{}", self.rule, self.resource, self.field)
    }

    /// True when nobody has accepted it.
    pub fn stands(&self) -> bool {
        self.waived.is_none()
    }
}

/// A finding, for tests.
#[cfg(test)]
pub(crate) fn sample(severity: Severity, waived: Option<&str>) -> Finding {
    Finding {
        rule: "IMG001".into(),
        name: "latest-tag".into(),
        severity,
        location: Location { file: "fixtures/my shop/deployment.yaml".into(), line: 12, column: 5 },
        field: "spec.replicas".into(),
        resource: "Deployment shop/order".into(),
        message: "it moves".into(),
        why: "two pods may differ".into(),
        fix: "name a version".into(),
        waived: waived.map(str::to_owned),
        automatic: None,
    }
}
