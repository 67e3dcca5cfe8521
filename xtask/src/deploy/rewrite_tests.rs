use super::*;
use rstest::rstest;

fn platform() -> Platform {
    serde_json::from_value(json!({"name": "globeco", "namespace": "globeco", "manifests": {"production": "p", "kind": "k"},
        "entrypoints": {"api": {"service": "order", "port": 80, "healthPath": "/health"}}}))
    .expect("platform")
}

fn objects() -> Vec<Value> {
    vec![
        json!({"kind": "Namespace", "metadata": {"name": "globeco", "labels": {"kubernetes.io/metadata.name": "globeco"}}}),
        json!({"kind": "Service", "metadata": {"name": "order", "namespace": "globeco"}, "spec": {"selector": {"app": "order"}, "ports": [{"port": 80, "targetPort": "http"}]}}),
        json!({"kind": "Deployment", "metadata": {"name": "order", "namespace": "globeco"}, "spec": {"template": {"metadata": {"labels": {"app": "order"}}, "spec": {
            "initContainers": [{"name": "wait", "image": "busybox:1"}, {"name": "migrate", "image": "localhost:5000/order:1"}],
            "containers": [{"name": "sidecar", "image": "proxy:2"}, {"name": "order", "image": "localhost:5000/order@sha256:aa", "ports": [{"name": "http", "containerPort": 8080}]}]}}}}),
        json!({"kind": "StatefulSet", "metadata": {"name": "mongo", "namespace": "globeco"}, "spec": {"template": {"metadata": {"labels": {"app": "mongo"}}, "spec": {"containers": [{"name": "mongo", "image": "mongo:7"}]}}}}),
        json!({"kind": "RoleBinding", "metadata": {"name": "order", "namespace": "globeco"}, "subjects": [{"kind": "ServiceAccount", "name": "order", "namespace": "globeco"}, {"kind": "ServiceAccount", "name": "prometheus", "namespace": "monitoring"}]}),
        json!({"kind": "NetworkPolicy", "metadata": {"name": "order", "namespace": "globeco"}, "spec": {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "globeco"}}}]}]}}),
        json!({"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "hunter2"}}),
    ]
}

#[test]
fn only_the_platforms_own_image_gets_the_tag() {
    let mut changed = objects();
    let images = tag(&mut changed, &platform(), "v1.2.3").expect("found");
    assert_eq!(images, ["localhost:5000/order:v1.2.3"]);
    let spec = &changed[2]["spec"]["template"]["spec"];
    assert_eq!(spec["containers"][1]["image"], "localhost:5000/order:v1.2.3");
    assert_eq!(spec["initContainers"][1]["image"], "localhost:5000/order:v1.2.3");
    assert_eq!(spec["initContainers"][0]["image"], "busybox:1");
    assert_eq!(spec["containers"][0]["image"], "proxy:2");
    assert_eq!(changed[3], objects()[3], "stores keep theirs");
}

#[test]
fn a_tag_that_would_change_nothing_is_an_error() {
    let mut without = objects();
    without.remove(1);
    let error = tag(&mut without, &platform(), "v1").expect_err("nothing behind the entry point");
    assert!(error.to_string().contains("no workload of globeco"), "{error}");
}

#[rstest]
#[case("order", "order")]
#[case("order:1", "order")]
#[case("localhost:5000/order", "localhost:5000/order")]
#[case("localhost:5000/order:1@sha256:aa", "localhost:5000/order")]
fn repositories(#[case] image: &str, #[case] expected: &str) {
    assert_eq!(repository(image), expected);
}

#[test]
fn everything_that_names_the_namespace_moves_and_nothing_else() {
    let mut moved = objects();
    namespace(&mut moved, "globeco", "test-globeco");
    assert_eq!(moved[0]["metadata"]["name"], "test-globeco");
    assert_eq!(moved[0]["metadata"]["labels"]["kubernetes.io/metadata.name"], "test-globeco");
    assert_eq!(moved[2]["metadata"]["namespace"], "test-globeco");
    assert_eq!(moved[4]["subjects"][0]["namespace"], "test-globeco");
    assert_eq!(moved[4]["subjects"][1]["namespace"], "monitoring");
    let selector = &moved[5]["spec"]["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"];
    assert_eq!(selector["kubernetes.io/metadata.name"], "test-globeco");
    assert_eq!(moved[6], objects()[6], "an object without a namespace stays as it is");
}

#[test]
fn secrets_are_not_printed() {
    let masked = without_secrets(&objects()[6]).to_string();
    assert!(!masked.contains("hunter2") && masked.contains("password"), "{masked}");
}
