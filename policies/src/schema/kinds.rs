//! Who describes an object: Kubernetes itself, a CustomResourceDefinition, or nobody.

use super::Flaw;
use super::definitions::{Definitions, Version};
use super::suggest::hint;
use super::table::Table;
use crate::kubernetes::Kubernetes;
use crate::rules::schema::api_versions::retired;
use gauntlet_fixtures::manifest::Object;

/// By what an object is judged.
pub(super) enum Judge<'d> {
    /// A type of the table.
    Builtin(&'static str),
    /// A version of a CustomResourceDefinition.
    Custom(&'d Version<'d>),
    /// Another rule has said what there is to say.
    Nobody,
    /// Nothing: what is wrong, the field that says it, and the message.
    Unknown(Flaw, &'static str, String),
}

/// Finds it.
pub(super) fn judge<'d>(object: &'d Object, kubernetes: Kubernetes, custom: &'d Definitions<'d>) -> Judge<'d> {
    let table = Table::get();
    let (version, kind) = (object.api_version.as_str(), object.kind.as_str());
    if let Some(of) = table.type_of(version, kind, kubernetes.minor()) {
        return Judge::Builtin(of);
    }
    if let Some(definition) = custom.find(object.group(), kind) {
        let wanted = version.rsplit('/').next().unwrap_or(version);
        return match definition.versions.iter().find(|it| it.name == wanted) {
            Some(version) if version.served => Judge::Custom(version),
            found => {
                let served = definition.served();
                let what = if found.is_some() { "does not serve" } else { "does not have" };
                let message = format!("the CustomResourceDefinition {} {what} {wanted}: use {served}", definition.name);
                Judge::Unknown(Flaw::UnknownKind, "apiVersion", message)
            }
        };
    }
    if !table.has_group(object.group()) {
        let message = format!("no CustomResourceDefinition among the manifests describes {version} {kind}");
        return Judge::Unknown(Flaw::UndescribedKind, "kind", message);
    }
    if retired(version, kind).and_then(|entry| entry.removed).is_some_and(|removed| kubernetes.is_at_least(removed)) {
        return Judge::Nobody;
    }
    let (field, message) = unknown(version, kind, kubernetes);
    Judge::Unknown(Flaw::UnknownKind, field, message)
}

/// A kind of Kubernetes' own groups that the release does not have.
fn unknown(version: &str, kind: &str, kubernetes: Kubernetes) -> (&'static str, String) {
    let table = Table::get();
    let elsewhere = table.versions_of(kind, kubernetes.minor()).join(" or ");
    let instead = if elsewhere.is_empty() { String::new() } else { format!("; it has {elsewhere} {kind}") };
    if let Some(history) = table.history(version, kind) {
        return ("apiVersion", format!("Kubernetes {kubernetes} has no {version} {kind}: it is there {history}{instead}"));
    }
    if !instead.is_empty() {
        return ("apiVersion", format!("Kubernetes {kubernetes} has no {version} {kind}{instead}"));
    }
    let near = hint(kind, table.kinds_of(version, kubernetes.minor()));
    ("kind", format!("no Kubernetes from {} to {} has {version} {kind}{near}", Kubernetes::OLDEST, Kubernetes::NEWEST))
}
