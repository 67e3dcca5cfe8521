//! Rules that a policy set writes itself, in CEL: they are asked, waived and reported like those of the program.

mod budget;
mod expression;
mod file;
mod judge;
mod path;
mod scalar;
mod value;
mod variables;

pub(crate) use file::FileCustom;
pub(crate) use judge::Judge;

use crate::set::file::FileSetting;
use crate::set::is_like;
use expression::Expression;
use gauntlet_fixtures::manifest::Source;
use gauntlet_reports::finding::Severity;
use path::Path;
use serde_json::{Map, Value};

/// A rule of a policy set.
#[derive(Debug, Clone, PartialEq)]
pub struct Custom {
    /// Its id, such as `SHOP001`.
    pub id: String,
    /// Its name; the id when it has none.
    pub name: String,
    /// What holds when it is kept.
    pub title: String,
    /// How much it weighs.
    pub severity: Severity,
    /// Why it matters.
    pub why: String,
    /// How to mend it.
    pub fix: String,
    /// The text of its expression.
    pub text: String,
    /// Where its expression stands.
    pub source: Source,
    kinds: Vec<String>,
    api_versions: Vec<String>,
    field: Path,
    expression: Expression,
    message: Option<String>,
    message_expression: Option<Expression>,
    parameters: Map<String, Value>,
}

impl Custom {
    /// The manual page, as Markdown, in the sections of the program's own rules.
    pub fn manual(&self) -> String {
        let of = |names: &[String]| if names.is_empty() { "every object".to_owned() } else { names.join(", ") };
        let mut text = format!(
            "{}\n\n## What it does\nAsks of {}, in CEL, at {}:\n```cel\n{}\n```\n",
            self.title,
            of(&self.kinds),
            self.source,
            self.text.trim_end()
        );
        for (title, section) in [("Why it matters", &self.why), ("How to mend it", &self.fix)] {
            if !section.is_empty() {
                text.push_str(&format!("\n## {title}\n{}\n", section.trim_end()));
            }
        }
        if !self.parameters.is_empty() {
            text.push_str("\n## Parameters\n");
            self.parameters.iter().for_each(|(name, value)| text.push_str(&format!("- `{name}`: {value}\n")));
        }
        text
    }

    /// Another severity, and other values of its parameters: a set that extends the one that wrote it gives them.
    ///
    /// # Errors
    /// When there is no such parameter, or its value is of another type.
    pub(crate) fn adjust(&mut self, severity: Severity, setting: FileSetting) -> Result<(), String> {
        if setting.since.is_some() || setting.until.is_some() {
            return Err(format!("{} is a rule in CEL: it has no `since` or `until`", self.name));
        }
        self.severity = severity;
        for (name, value) in setting.parameters {
            let Some(known) = self.parameters.get_mut(&name) else {
                let known: Vec<&str> = self.parameters.keys().map(String::as_str).collect();
                return Err(format!("{} has no parameter `{name}`; it has: {}", self.name, known.join(", ")));
            };
            is_like(&self.name, &name, known, &value)?;
            *known = value;
        }
        Ok(())
    }

    /// True: this is its id or its name.
    pub(crate) fn is_called(&self, id_or_name: &str) -> bool {
        self.id == id_or_name || self.name == id_or_name
    }
}
