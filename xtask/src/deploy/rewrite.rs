//! Rendered objects for another tag or another namespace.

use anyhow::bail;
use gauntlet_fixtures::platform::Platform;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const CONTAINERS: [&str; 2] = ["containers", "initContainers"];

/// Gives the platform's own service image another tag, everywhere it stands. The platform's own service is what the
/// Services of its entry points select: there the container that the Service's port leads to. Returns the new images.
///
/// # Errors
/// When no such container is found: then the tag would silently change nothing.
pub fn tag(objects: &mut [Value], platform: &Platform, tag: &str) -> anyhow::Result<Vec<String>> {
    let services: BTreeSet<&str> = platform.entrypoints.values().map(|e| e.service.as_str()).collect();
    let own: BTreeSet<String> = objects
        .iter()
        .filter(|o| o["kind"] == "Service" && o["metadata"]["name"].as_str().is_some_and(|n| services.contains(n)))
        .flat_map(|service| objects.iter().filter_map(move |o| served_image(service, o)))
        .collect();
    if own.is_empty() {
        bail!("set tag {tag}: no workload of {} stands behind the Services of its entry points", platform.name);
    }
    let mut changed = BTreeSet::new();
    for container in objects.iter_mut().filter_map(template).flat_map(containers) {
        if let Some(image) = container["image"].as_str()
            && own.contains(repository(image))
        {
            let new = format!("{}:{tag}", repository(image));
            container["image"] = json!(new);
            changed.insert(new);
        }
    }
    Ok(changed.into_iter().collect())
}

/// The image repository of the container in `workload` that `service` leads to.
fn served_image(service: &Value, workload: &Value) -> Option<String> {
    let selector = service["spec"]["selector"].as_object()?;
    let template = &workload["spec"]["template"];
    let labels = template["metadata"]["labels"].as_object()?;
    if selector.is_empty() || !selector.iter().all(|(k, v)| labels.get(k) == Some(v)) {
        return None;
    }
    let containers = template["spec"]["containers"].as_array()?;
    let wanted: Vec<_> = service["spec"]["ports"].as_array()?.iter().map(|p| p.get("targetPort").unwrap_or(&p["port"])).collect();
    let leads = |c: &&Value| c["ports"].as_array().into_iter().flatten().any(|p| wanted.iter().any(|w| **w == p["containerPort"] || **w == p["name"]));
    let served = containers.iter().find(leads).or_else(|| containers.first())?;
    Some(repository(served["image"].as_str()?).to_owned())
}

/// An image without its tag and digest. A colon before the last slash belongs to the registry's port.
fn repository(image: &str) -> &str {
    let bare = image.split('@').next().unwrap_or(image);
    match bare.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => bare,
    }
}

/// The pod template's spec of a workload, Job or CronJob.
fn template(object: &mut Value) -> Option<&mut Value> {
    let path = if object["kind"] == "CronJob" { "/spec/jobTemplate/spec/template/spec" } else { "/spec/template/spec" };
    object.pointer_mut(path)
}

fn containers(spec: &mut Value) -> Vec<&mut Value> {
    let lists = spec.as_object_mut().into_iter().flat_map(Map::iter_mut).filter(|(k, _)| CONTAINERS.contains(&k.as_str()));
    lists.filter_map(|(_, v)| v.as_array_mut()).flatten().collect()
}

/// Moves objects from namespace `from` to `to`: their own namespace, the Namespace object, the subjects of bindings,
/// and namespace selectors of NetworkPolicies by the name label.
pub fn namespace(objects: &mut [Value], from: &str, to: &str) {
    for object in objects {
        let is_namespace = object["kind"] == "Namespace" && object["metadata"]["name"] == from;
        if is_namespace {
            object["metadata"]["name"] = json!(to);
        }
        replace(&mut object["metadata"], "namespace", from, to);
        for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
            replace(subject, "namespace", from, to);
        }
        if object["kind"] == "NetworkPolicy" || is_namespace {
            rename_label(object, from, to);
        }
    }
}

fn replace(object: &mut Value, key: &str, from: &str, to: &str) {
    if object[key] == from {
        object[key] = json!(to);
    }
}

fn rename_label(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::Object(map) => {
            if let Some(name) = map.get_mut("kubernetes.io/metadata.name").filter(|n| **n == from) {
                *name = json!(to);
            }
            map.values_mut().for_each(|v| rename_label(v, from, to));
        }
        Value::Array(list) => list.iter_mut().for_each(|v| rename_label(v, from, to)),
        _ => {}
    }
}

/// The object with the values of a Secret masked, for printing.
pub fn without_secrets(object: &Value) -> Value {
    let mut masked = object.clone();
    if masked["kind"] == "Secret" {
        for field in ["data", "stringData"] {
            for value in masked.get_mut(field).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
                *value = json!("(hidden)");
            }
        }
    }
    masked
}

#[cfg(test)]
#[path = "rewrite_tests.rs"]
mod tests;
