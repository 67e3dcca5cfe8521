//! The sets pss-baseline and pss-restricted answer as the Pod Security Standards do: field by field, version by
//! version, for pods and for everything that makes them.

use gauntlet_fixtures::manifest::{Dialect, Object, parse};
use gauntlet_policies::{Kubernetes, PolicySet, check};
use serde_json::{Value, json};

/// What is changed in a pod that both standards allow, and the versions that still allow it: baseline, restricted.
/// `C` is every container of every sort in turn, `S` every security context. `null` removes a key.
const ROWS: &str = include_str!("pod_security_standards.txt");

/// Where a `C` or an `S` in a path may be.
const CONTAINERS: [&str; 3] = ["spec.containers.0", "spec.initContainers.0", "spec.ephemeralContainers.0"];

fn pod() -> Value {
    let security = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    let container = |name: &str| json!([{"name": name, "image": "app:1", "securityContext": security}]);
    json!({
        "metadata": {"name": "app"},
        "spec": {
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": container("main"),
            "initContainers": container("init"),
            "ephemeralContainers": container("debug"),
        }
    })
}

/// Sets the value at a path, whatever was there before.
fn set(target: &mut Value, path: &str, value: &Value) {
    // A key with dots in it stands in quotation marks.
    let (key, rest) = match path.strip_prefix('"').and_then(|path| path.split_once('"')) {
        Some((key, rest)) => (key, rest.strip_prefix('.')),
        None => path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest))),
    };
    let child = match key.parse::<usize>() {
        Ok(index) => &mut target[index],
        Err(_) => &mut target[key],
    };
    match rest {
        Some(rest) => set(child, rest, value),
        None => *child = value.clone(),
    }
}

/// The pods that a row stands for: one for every place of its `C` or `S`.
fn pods(change: &str) -> Vec<Value> {
    let places = ["spec"].into_iter().chain(CONTAINERS);
    let contexts: Vec<String> = places.map(|at| format!("{at}.securityContext")).collect();
    let places: Vec<&str> = match change {
        _ if change.contains("S.") => contexts.iter().map(String::as_str).collect(),
        _ if change.contains("C.") => CONTAINERS.to_vec(),
        _ => vec![""],
    };
    let changed = |place: &str| {
        let mut pod = pod();
        for assignment in change.split(" & ") {
            let (path, value) = assignment.split_once(" = ").expect("path = value");
            let path = path.trim().replace("S.", &format!("{place}.")).replace("C.", &format!("{place}."));
            set(&mut pod, &path, &serde_json::from_str(value.trim()).expect("JSON"));
        }
        pod
    };
    places.into_iter().map(changed).collect()
}

/// The pod itself, and every object that makes pods like it.
fn objects(pod: &Value) -> Vec<Value> {
    let wrap = |api: &str, kind: &str, template: Value| {
        let mut object = json!({"apiVersion": api, "kind": kind, "metadata": {"name": "app"}});
        object.as_object_mut().expect("object").extend(template.as_object().expect("object").clone());
        object
    };
    let mut objects = vec![wrap("v1", "Pod", pod.clone()), wrap("v1", "PodTemplate", json!({"template": pod}))];
    let template = json!({"spec": {"template": pod}});
    for (api, kind) in [
        ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("apps/v1", "ReplicaSet"),
        ("v1", "ReplicationController"), ("batch/v1", "Job"),
    ] {
        objects.push(wrap(api, kind, template.clone()));
    }
    objects.push(wrap("batch/v1", "CronJob", json!({"spec": {"jobTemplate": template}})));
    objects
}

fn findings(object: &Value, set: &PolicySet) -> Vec<String> {
    let documents = parse(object.to_string().as_bytes(), "pod.json", Dialect::Kubectl).expect("parses");
    let objects: Vec<Object> = documents.into_iter().map(|document| Object::from_node(document).expect("object")).collect();
    check(&objects, set, &[], "2026-01-01").into_iter().map(|finding| format!("{}: {}", finding.field, finding.message)).collect()
}

/// `yes`, `no`, `1.27+`, `-1.26`, or several of them.
fn allows(versions: &str, kubernetes: Kubernetes) -> bool {
    let version = |text: &str| text.parse::<Kubernetes>().expect("a version");
    versions.split(' ').any(|part| match (part, part.strip_suffix('+'), part.strip_prefix('-')) {
        ("yes", ..) => true,
        ("no", ..) => false,
        (_, Some(since), _) => kubernetes >= version(since),
        (_, _, Some(until)) => kubernetes <= version(until),
        _ => panic!("what is {versions}?"),
    })
}

#[test]
fn every_row_of_the_standards_holds_for_every_version_and_kind() {
    let rows = ROWS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for row in rows {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let [change, baseline, restricted] = columns[..] else { panic!("{row}: not three columns") };
        for (name, versions) in [("pss-baseline", baseline), ("pss-restricted", restricted)] {
            for kubernetes in Kubernetes::all() {
                let set = PolicySet::named(name).expect("ships").for_kubernetes(kubernetes);
                // The kind makes no difference to the version: all of them are tried at both ends.
                let ends = [Kubernetes::OLDEST, Kubernetes::NEWEST].contains(&kubernetes);
                for pod in pods(change) {
                    for object in objects(&pod).iter().take(if ends { usize::MAX } else { 1 }) {
                        let found = findings(object, &set);
                        let expected = allows(versions, kubernetes);
                        assert_eq!(found.is_empty(), expected, "{name} {kubernetes}: {row}\n{object}\n{found:#?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_breach_is_reported_once_and_where_it_stands() {
    let set = PolicySet::named("pss-restricted").expect("ships");
    for (change, field) in [
        ("C.securityContext.capabilities.add = [\"SYS_ADMIN\"]", "securityContext.capabilities.add[0]"),
        ("S.seccompProfile = {\"type\": \"Unconfined\"}", "securityContext.seccompProfile.type"),
        ("S.runAsNonRoot = false", "securityContext.runAsNonRoot"),
        ("C.securityContext.procMount = \"Unmasked\"", "securityContext.procMount"),
        ("spec.volumes = [{\"name\": \"a\", \"hostPath\": {\"path\": \"/\"}}]", "spec.volumes[0].hostPath"),
    ] {
        for pod in pods(change) {
            let object = &objects(&pod)[0];
            let found = findings(object, &set);
            assert!(found.len() == 1 && found[0].contains(field), "{change}: {found:#?}");
        }
    }
}
