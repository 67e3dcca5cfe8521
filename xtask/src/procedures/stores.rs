//! Which stores of a platform a backup or a restore is about, and where they run.

use anyhow::{Context as _, Result, bail};
use gauntlet_chaos::drill::backup::not_backed_up;
use gauntlet_fixtures::platform::{Platform, Store};
use serde_json::Value;
use std::collections::BTreeSet;

/// The stores of these names; all that have commands when none is named, with a line for each that has none.
///
/// # Errors
/// When a name is unknown, or a named store has no commands.
pub fn choose<'a>(platform: &'a Platform, names: &[String]) -> Result<(Vec<&'a Store>, Vec<String>)> {
    let known: Vec<&str> = platform.stores.iter().map(|s| s.name.as_str()).collect();
    if known.is_empty() {
        bail!("{} has no data store", platform.name);
    }
    if names.is_empty() {
        let (without, with): (Vec<&Store>, Vec<&Store>) = platform.stores.iter().partition(|s| not_backed_up(s).is_some());
        let skipped = without.iter().filter_map(|s| Some(format!("{}: not backed up: {}", s.name, not_backed_up(s)?)));
        return Ok((with, skipped.collect()));
    }
    let mut chosen = Vec::new();
    for name in names {
        let store = platform.stores.iter().find(|s| s.name == *name);
        let store = store.with_context(|| format!("{} has no store {name:?}; it has: {}", platform.name, known.join(", ")))?;
        if let Some(reason) = not_backed_up(store) {
            bail!("store {name} is not backed up: {reason}");
        }
        chosen.push(store);
    }
    Ok((chosen, Vec::new()))
}

/// The namespace that an environment's manifests run the stores in.
///
/// # Errors
/// When they run none of them, or in several namespaces.
pub fn namespace_of(platform: &Platform, environment: &str, objects: &[Value]) -> Result<String> {
    let ours = |o: &&Value| o["kind"] == "StatefulSet" && platform.stores.iter().any(|s| o["metadata"]["name"] == s.stateful_set.as_str());
    let namespace = |o: &Value| o["metadata"]["namespace"].as_str().unwrap_or(&platform.namespace).to_owned();
    let namespaces: BTreeSet<String> = objects.iter().filter(ours).map(namespace).collect();
    let mut namespaces = namespaces.into_iter();
    match (namespaces.next(), namespaces.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => bail!("the manifests of {environment} run none of the stores of {}: they are backed up where they run", platform.name),
        (Some(one), Some(other)) => bail!("the manifests of {environment} run stores in {one} and in {other}: choose one with --namespace"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn platform() -> Platform {
        let store = |name: &str, command: Value, options: Value| {
            json!({"name": name, "engine": "redis", "statefulSet": name, "port": 1, "rpoSeconds": 1, "rtoSeconds": 1, "backup": command, "restore": command, "options": options})
        };
        serde_json::from_value(json!({"name": "shop", "namespace": "shop", "manifests": {"production": "p", "kind": "k"},
            "stores": [store("db", json!(["dump", "{{dir}}"]), json!({})), store("cache", json!([]), json!({"reason": "a cache"}))]}))
        .expect("platform")
    }

    fn names(stores: &[&Store]) -> Vec<String> {
        stores.iter().map(|s| s.name.clone()).collect()
    }

    #[test]
    fn without_names_every_store_with_commands_is_chosen_and_the_others_say_why_not() {
        let platform = platform();
        let (chosen, skipped) = choose(&platform, &[]).expect("chosen");
        assert_eq!((names(&chosen), skipped), (vec!["db".to_owned()], vec!["cache: not backed up: a cache".to_owned()]));
        assert_eq!(names(&choose(&platform, &["db".into()]).expect("chosen").0), ["db"]);
    }

    #[test]
    fn a_store_that_cannot_be_chosen_says_why() {
        let platform = platform();
        let refused = |name: &str| choose(&platform, &[name.into()]).expect_err("refused").to_string();
        assert_eq!(refused("dbb"), "shop has no store \"dbb\"; it has: db, cache");
        assert_eq!(refused("cache"), "store cache is not backed up: a cache");
    }

    #[test]
    fn an_environment_tells_its_namespace() {
        let set = |name: &str, namespace: &str| json!({"kind": "StatefulSet", "metadata": {"name": name, "namespace": namespace}});
        let of = |objects: &[Value]| namespace_of(&platform(), "staging", objects).map_err(|e| e.to_string());
        assert_eq!(of(&[set("db", "shop-staging"), set("other", "x")]), Ok("shop-staging".to_owned()));
        assert!(of(&[set("other", "x")]).expect_err("none").contains("run none of the stores of shop"));
        assert!(of(&[set("db", "a"), set("cache", "b")]).expect_err("two").contains("in a and in b"));
    }
}
