//! What a manifest says of its own identity.

use serde_json::Value;

/// Kind, namespace and name of an object in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.namespace`, when the manifest states it.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
}

impl ObjectRef {
    /// Reads the identity of `object`.
    ///
    /// # Errors
    /// The name of the field that is missing.
    pub fn of(object: &Value) -> Result<Self, MissingField> {
        let text = |pointer: &'static str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let field = |pointer: &'static str| text(pointer).filter(|t| !t.is_empty()).ok_or(MissingField(pointer));
        Ok(ObjectRef {
            api_version: field("/apiVersion")?,
            kind: field("/kind")?,
            namespace: text("/metadata/namespace"),
            name: field("/metadata/name")?,
        })
    }

    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The version without the group.
    pub fn version(&self) -> &str {
        self.api_version.split_once('/').map_or(&self.api_version, |(_, version)| version)
    }
}

impl std::fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {}/{}", self.kind, namespace, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// A manifest lacks a field without which it is no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read a manifest that has no {0}")]
pub struct MissingField(pub &'static str);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn identity_is_read_or_the_missing_field_named() {
        let object = ObjectRef::of(&json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "order", "namespace": "globeco"}}))
            .expect("whole object");
        assert_eq!(object.to_string(), "Deployment globeco/order");
        assert_eq!((object.group(), object.version()), ("apps", "v1"));
        let service = ObjectRef::of(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "order"}})).expect("whole object");
        assert_eq!((service.group(), service.version()), ("", "v1"));
        let missing = ObjectRef::of(&json!({"apiVersion": "v1", "kind": "Service", "metadata": {}}));
        assert_eq!(missing, Err(MissingField("/metadata/name")));
    }
}
