//! What a rule is, and what it is given.

use crate::index::Index;
use crate::kubernetes::Kubernetes;
use crate::schema::{self, Flaw, Problem};
use gauntlet_fixtures::manifest::{Field, Object, Source};
use gauntlet_reports::finding::{Edit, Fix};
use serde_json::{Map, Value};
use std::sync::OnceLock;

/// One rule. Its manual page is the doc comment of its file.
#[derive(Debug)]
pub struct Rule {
    /// Permanent id, such as `SEC001`. Never given to another rule.
    pub id: &'static str,
    /// Name, such as `privileged`: the file's name with `-` for `_`.
    pub name: &'static str,
    /// Parameters that a policy set may give, each with its default as JSON.
    pub parameters: &'static [(&'static str, &'static str)],
    /// The source text of its file, for the manual page.
    pub source: &'static str,
    /// Looks at the objects and reports.
    pub check: fn(&mut Context<'_, '_>),
}

/// The sections that every manual page has.
pub const SECTIONS: [&str; 4] = ["What it does", "Why it matters", "How to mend it", "Example"];

impl Rule {
    /// The manual page: the doc comment, as Markdown.
    pub fn manual(&self) -> String {
        let lines = self.source.lines().take_while(|line| line.starts_with("//!"));
        let text: Vec<&str> = lines.map(|line| line.strip_prefix("//! ").unwrap_or(&line[3..])).collect();
        text.join("\n")
    }

    /// The first line of the manual page: what holds when the rule is kept.
    pub fn summary(&self) -> String {
        self.manual().lines().next().unwrap_or_default().to_owned()
    }

    /// The text of one section, in one line; empty when it is missing.
    pub fn section(&self, title: &str) -> String {
        let manual = self.manual();
        let lines = manual.lines().skip_while(|line| *line != format!("## {title}")).skip(1);
        let text: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).map(str::trim).collect();
        text.join(" ").trim().to_owned()
    }
}

/// What a rule is given, and where it reports.
pub struct Context<'i, 'a> {
    /// All objects.
    pub index: &'i Index<'a>,
    /// The Kubernetes that they are for.
    pub kubernetes: Kubernetes,
    /// Objects that describe others, but stand elsewhere.
    pub(crate) definitions: &'i [Object],
    /// What the schemas find, once for all rules that ask.
    pub(crate) schema: &'i OnceLock<Vec<Problem<'a>>>,
    pub(crate) rule: &'static Rule,
    pub(crate) parameters: &'i Map<String, Value>,
    pub(crate) hits: Vec<Hit<'a>>,
}

/// One breach, before it becomes a finding.
pub(crate) struct Hit<'a> {
    pub object: &'a Object,
    pub field: String,
    pub source: Source,
    pub message: String,
    pub automatic: Option<Fix>,
}

impl<'i, 'a> Context<'i, 'a> {
    /// Reports a value that is wrong.
    pub fn wrong(&mut self, object: &'a Object, field: &Field<'a>, message: impl Into<String>) {
        let (path, source) = (field.path(), field.source().clone());
        self.hits.push(Hit { object, field: path, source, message: message.into(), automatic: None });
    }

    /// Says what a program can write to mend the breach that was reported last, and why that is safe. A change that cannot
    /// be stated takes the others with it.
    pub(crate) fn fix<const N: usize>(&mut self, why_safe: &str, edits: [Option<Edit>; N]) {
        let edits: Option<Vec<Edit>> = edits.into_iter().collect();
        if let (Some(hit), Some(edits)) = (self.hits.last_mut(), edits) {
            hit.automatic = Some(Fix { why_safe: why_safe.to_owned(), edits });
        }
    }

    /// Reports what another rule found, as this one's.
    pub(crate) fn take_over(&mut self, hit: Hit<'a>, message: String) {
        self.hits.push(Hit { message, ..hit });
    }

    /// Reports a key that is missing: shown at its parent.
    pub fn missing(&mut self, object: &'a Object, parent: &Field<'a>, key: &str, message: impl Into<String>) {
        let field = key.split('.').fold(parent.path(), |path, key| {
            if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
        });
        self.hits.push(Hit { object, field, source: parent.source().clone(), message: message.into(), automatic: None });
    }

    /// Reports an object as a whole: shown at its name.
    pub fn whole(&mut self, object: &'a Object, message: impl Into<String>) {
        let root = Field::root(&object.root);
        let name = root.at("metadata.name").unwrap_or(root);
        self.wrong(object, &name, message);
    }

    /// What the schemas of the objects' kinds find wrong in one way.
    pub(crate) fn flaws(&self, flaw: Flaw) -> impl Iterator<Item = &'i Problem<'a>> + use<'i, 'a> {
        let problems = self.schema.get_or_init(|| schema::problems(self.index, self.kubernetes, self.definitions));
        problems.iter().filter(move |problem| problem.flaw == flaw)
    }

    /// Reports what the schemas find wrong in one way.
    pub(crate) fn report(&mut self, flaw: Flaw) {
        for problem in self.flaws(flaw) {
            self.at(problem, problem.message.clone());
        }
    }

    /// Reports what the schemas found, in these words.
    pub(crate) fn at(&mut self, problem: &Problem<'a>, message: String) {
        self.hits.push(Hit { object: problem.object, field: problem.field.clone(), source: problem.source.clone(), message, automatic: None });
    }

    /// A parameter of the rule: from the policy set, else its default.
    pub fn parameter(&self, name: &str) -> Value {
        let default = || {
            let (_, text) = self.rule.parameters.iter().find(|(known, _)| *known == name)?;
            serde_json::from_str(text).ok()
        };
        self.parameters.get(name).cloned().or_else(default).unwrap_or_default()
    }

    /// A parameter that is a whole number.
    pub fn number(&self, name: &str) -> i64 {
        self.parameter(name).as_i64().unwrap_or_default()
    }
}
