//! One release's swagger.json, in the words of the table: see `policies/src/schema/table.rs` for them.

use crate::enumerations::Enumerations;
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;

/// What one release knows.
pub struct Release {
    /// `apiVersion` and kind, with a tab between them, to the name of the type.
    pub kinds: BTreeMap<String, String>,
    /// Type to field to what it holds.
    pub types: BTreeMap<String, BTreeMap<String, String>>,
}

/// Reads it.
pub fn read(swagger: &Value, enumerations: &Enumerations) -> Result<Release, Box<dyn Error>> {
    let definitions = swagger["definitions"].as_object().ok_or("swagger.json has no definitions")?;
    let mut release = Release { kinds: BTreeMap::new(), types: BTreeMap::new() };
    for (full, definition) in definitions {
        let name = short(full);
        // Kinds of every group, such as DeleteOptions, are nobody's manifests; lists are taken apart before.
        let is_object = definition["properties"]["metadata"]["$ref"].as_str().is_some_and(|it| it.ends_with(".ObjectMeta"));
        for kind in definition["x-kubernetes-group-version-kind"].as_array().into_iter().flatten().filter(|_| is_object) {
            let (group, version) = (kind["group"].as_str().unwrap_or_default(), kind["version"].as_str().unwrap_or_default());
            let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
            let kind = kind["kind"].as_str().unwrap_or_default();
            release.kinds.insert(format!("{api_version}\t{kind}"), name.clone());
        }
        let Some(properties) = definition["properties"].as_object() else { continue };
        let required: Vec<&str> = definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let fields = properties.iter().map(|(field, schema)| {
            let values = enumerations.get(&(name.clone(), field.clone())).map(Vec::as_slice).unwrap_or_default();
            let mark = if required.contains(&field.as_str()) { "!" } else { "" };
            (field.clone(), format!("{mark}{}", word(schema, values, swagger)))
        });
        release.types.insert(name.clone(), fields.collect());
    }
    Ok(release)
}

/// `io.k8s.api.core.v1.Pod` is `core.v1.Pod` here.
fn short(full: &str) -> String {
    let parts: Vec<&str> = full.rsplit('.').take(3).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(".")
}

fn word(schema: &Value, values: &[String], swagger: &Value) -> String {
    if let Some(full) = schema["$ref"].as_str().and_then(|it| it.strip_prefix("#/definitions/")) {
        return match short(full).as_str() {
            "util.intstr.IntOrString" => "x".to_owned(),
            "api.resource.Quantity" => "q".to_owned(),
            "meta.v1.Time" | "meta.v1.MicroTime" => "t".to_owned(),
            // Whatever stands there is somebody else's.
            "pkg.runtime.RawExtension" | "meta.v1.FieldsV1" => "*".to_owned(),
            name => match &swagger["definitions"][full] {
                definition if definition["properties"].is_object() => format!("@{name}"),
                definition => word(definition, values, swagger),
            },
        };
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("array"), _) => format!("a{}", word(&schema["items"], values, swagger)),
        (Some("object"), _) if schema["additionalProperties"].is_object() => {
            format!("m{}", word(&schema["additionalProperties"], values, swagger))
        }
        (Some("string"), Some("byte")) => "y".to_owned(),
        (Some("string"), Some("date-time")) => "t".to_owned(),
        (Some("string"), Some("int-or-string")) => "x".to_owned(),
        (Some("string"), _) if values.is_empty() => "s".to_owned(),
        (Some("string"), _) => format!("s{{{}}}", values.join(",")),
        (Some("integer"), Some("int64")) => "l".to_owned(),
        (Some("integer"), _) => "i".to_owned(),
        (Some("number"), _) => "n".to_owned(),
        (Some("boolean"), _) => "b".to_owned(),
        _ => "*".to_owned(),
    }
}
