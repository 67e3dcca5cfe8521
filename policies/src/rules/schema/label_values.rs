//! Labels are what Kubernetes takes for labels.
//!
//! ## What it does
//! Reports labels, selectors' labels and annotations that the API server refuses: values that are no text, label values
//! above 63 characters or with other characters than letters, digits, `-`, `_` and `.`, keys that are no name with an
//! optional domain before a slash.
//!
//! ## Why it matters
//! The API server refuses the object, or cannot even read it: `version: 1.0` is a number, and the message for that
//! names neither the file nor the line.
//!
//! ## How to mend it
//! Put numbers and truth values in quotes, and free text into annotations.
//!
//! ## Automatic fix
//! Puts numbers and truth values in quotes, as they stand there: `1.10` becomes `"1.10"`.
//!
//! ## Example
//! ```yaml
//! labels: {version: 1.0} # reported: "1.0" is meant
//! ```

use crate::fix::quote;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::{Field, Object};

/// The rule.
pub const RULE: Rule = Rule { id: "SCH007", name: "label-values", parameters: &[], source: include_str!("label_values.rs"), check };

/// Why a value may be put in quotes.
const REFUSED: &str = "The API server refuses the object as it stands; the text is what somebody wrote.";

fn check(context: &mut Context<'_, '_>) {
    for object in context.index.objects() {
        let root = Field::root(&object.root);
        labels(context, object, root.at("metadata.labels"));
        annotations(context, object, root.at("metadata.annotations"));
        labels(context, object, root.at("spec.selector.matchLabels"));
        if object.kind == "Service" && object.group().is_empty() {
            labels(context, object, root.at("spec.selector"));
        }
        if let Some(workload) = context.index.workload(object) {
            let (template, pod) = (workload.template.clone(), workload.pod.clone());
            labels(context, object, pod.get("nodeSelector"));
            if object.kind != "Pod" {
                labels(context, object, template.at("metadata.labels"));
                annotations(context, object, template.at("metadata.annotations"));
            }
        }
    }
}

fn labels<'a>(context: &mut Context<'_, 'a>, object: &'a Object, labels: Option<Field<'a>>) {
    for (key, value) in labels.map(|it| it.entries()).unwrap_or_default() {
        check_key(context, object, key, &value);
        match value.str() {
            None if value.node.is_null() => {}
            None => {
                context.wrong(object, &value, format!("label {key} is {}, expected text: put {} in quotes", value.node.type_name(), value.node));
                context.fix(REFUSED, [quote(&value)]);
            }
            Some(text) if !text.is_empty() && !is_name(text) => {
                let message = format!("label {key} is {}: expected at most 63 letters, digits, -, _ and ., with a letter or a digit at both ends", value.node);
                context.wrong(object, &value, message);
            }
            Some(_) => {}
        }
    }
}

fn annotations<'a>(context: &mut Context<'_, 'a>, object: &'a Object, annotations: Option<Field<'a>>) {
    for (key, value) in annotations.map(|it| it.entries()).unwrap_or_default() {
        check_key(context, object, key, &value);
        if value.str().is_none() && !value.node.is_null() {
            let message = format!("annotation {key} is {}, expected text: put {} in quotes", value.node.type_name(), value.node);
            context.wrong(object, &value, message);
            context.fix(REFUSED, [quote(&value)]);
        }
    }
}

fn check_key<'a>(context: &mut Context<'_, 'a>, object: &'a Object, key: &str, value: &Field<'a>) {
    let (domain, name) = key.split_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    if !is_name(name) || !domain.is_none_or(is_domain) {
        context.wrong(object, value, format!("{key:?} is no key: expected a name of at most 63 characters, with an optional domain and a slash before it"));
    }
}

fn is_name(text: &str) -> bool {
    let end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63 && end(bytes.first()) && end(bytes.last()) && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

fn is_domain(text: &str) -> bool {
    let part = |part: &str| {
        let end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let bytes = part.as_bytes();
        end(bytes.first()) && end(bytes.last()) && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(part)
}
