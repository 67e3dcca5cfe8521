//! Objects against Kubernetes' own schemas, release by release, and against CustomResourceDefinitions.

use gauntlet_fixtures::manifest::{Dialect, Object, parse, read_objects};
use gauntlet_policies::registry::find;
use gauntlet_policies::{Kubernetes, PolicySet, check};
use gauntlet_reports::finding::Finding;
use std::path::Path;

const RULES: [&str; 6] = ["unknown-kind", "unknown-field", "wrong-type", "missing-field", "invalid-value", "undescribed-kind"];

fn objects(text: &str) -> Vec<Object> {
    let documents = parse(text.as_bytes(), "x.yaml", Dialect::Kubectl).expect("parses");
    documents.into_iter().flat_map(|document| Object::flatten(document).expect("an object")).collect()
}

fn findings(rule: &str, release: &str, text: &str) -> Vec<Finding> {
    let set = PolicySet::only(find(rule).expect("there is such a rule"));
    check(&objects(text), &set.for_kubernetes(release.parse().expect("a release")), &[], "2026-01-01")
}

fn messages(rule: &str, release: &str, text: &str) -> Vec<String> {
    findings(rule, release, text).into_iter().map(|finding| finding.message).collect()
}

/// A pod whose container has more than a name.
fn pod(more: &str) -> String {
    format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec: {{containers: [{{name: a, image: 'a:1', {more}}}]}}\n")
}

fn is_kept_everywhere(text: &str) {
    for release in Kubernetes::all() {
        for rule in RULES {
            assert_eq!(messages(rule, &release.to_string(), text), Vec::<String>::new(), "{rule} in {release}: {text}");
        }
    }
}

#[test]
fn a_field_is_known_from_its_first_to_its_last_release() {
    let probe = pod("livenessProbe: {grpc: {port: 80}}");
    assert_eq!(messages("unknown-field", "1.22", &probe), ["Probe has no field grpc in Kubernetes 1.22: it is there since 1.23"]);
    assert_eq!(messages("unknown-field", "1.23", &probe), Vec::<String>::new());
    let meta = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, clusterName: b}\n";
    assert_eq!(messages("unknown-field", "1.24", meta), Vec::<String>::new());
    assert_eq!(messages("unknown-field", "1.25", meta), ["ObjectMeta has no field clusterName in Kubernetes 1.25: it is there until 1.24"]);
}

#[test]
fn a_field_that_no_release_has_comes_with_what_may_be_meant() {
    let found = messages("unknown-field", "1.36", &pod("imagepullpolicy: Always, xyz: 1"));
    assert_eq!(found, ["Container has no field imagepullpolicy; did you mean imagePullPolicy?", "Container has no field xyz"]);
}

#[test]
fn a_finding_names_the_exact_place() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  selector: {}\n  template:\n    spec:\n      containers:\n        - name: a\n          port: 80\n          env:\n            - {name: PORT, value: 8080}\n";
    let field = &findings("unknown-field", "1.36", text)[0];
    assert_eq!((field.location.line, field.location.column, field.field.as_str()), (10, 11, "spec.template.spec.containers[0].port"));
    let value = &findings("wrong-type", "1.36", text)[0];
    assert_eq!((value.location.line, value.location.column), (12, 35));
    assert_eq!(value.field, "spec.template.spec.containers[0].env[0].value");
    assert_eq!(value.message, "value is the number 8080, expected text: put it in quotes");
}

#[test]
fn a_missing_field_says_what_it_holds() {
    let found = &findings("missing-field", "1.36", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports:\n    - name: http\n")[0];
    assert_eq!(found.message, "port is missing: ServicePort needs it, as a whole number");
    assert_eq!((found.field.as_str(), found.location.line, found.location.column), ("spec.ports[0].port", 6, 7));
}

#[test]
fn a_kind_is_known_in_its_releases() {
    let policy = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: a}\n";
    let found = messages("unknown-kind", "1.29", policy);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("Kubernetes 1.29 has no admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy: it is there since 1.30; it has "), "{found:?}");
    assert_eq!(messages("unknown-kind", "1.30", policy), Vec::<String>::new());
    let typing_error = messages("unknown-kind", "1.36", "apiVersion: v1\nkind: Sevice\nmetadata: {name: a}\n");
    assert_eq!(typing_error, ["no Kubernetes from 1.20 to 1.36 has v1 Sevice; did you mean Service?"]);
}

#[test]
fn what_was_removed_is_told_once_by_the_rule_for_it() {
    let ingress = "apiVersion: networking.k8s.io/v1beta1\nkind: Ingress\nmetadata: {name: a}\nspec: {backend: {serviceName: a, servicePort: 80}}\n";
    assert_eq!(messages("removed-api", "1.22", ingress).len(), 1);
    assert_eq!(messages("unknown-kind", "1.22", ingress), Vec::<String>::new());
    // While it was served, its fields were other ones.
    assert_eq!(messages("unknown-field", "1.21", ingress), Vec::<String>::new());
    let moved = ingress.replace("v1beta1", "v1");
    assert_eq!(messages("unknown-field", "1.36", &moved).len(), 1);
}

#[test]
fn values_are_known_in_their_releases() {
    let gate = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {accessModes: [ReadWriteOncePod]}\n";
    assert_eq!(messages("invalid-value", "1.36", gate), Vec::<String>::new());
    let found = messages("invalid-value", "1.36", &pod("imagePullPolicy: always"));
    assert_eq!(found, ["imagePullPolicy is the text \"always\", expected Always, IfNotPresent or Never; did you mean Always?"]);
    let toleration = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a}], tolerations: [{operator: Gt, key: a}]}\n";
    assert!(messages("invalid-value", "1.30", toleration)[0].contains("in Kubernetes 1.30: Gt is taken since 1."));
}

#[test]
fn well_formed_objects_are_well_formed_in_every_release() {
    is_kept_everywhere(&pod("resources: {limits: {cpu: 1, memory: 1Gi}}, ports: [{containerPort: 80}], env: [{name: A, value: ''}]"));
    is_kept_everywhere("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterIP: None, ports: [{port: 80, targetPort: http}]}\n");
    is_kept_everywhere("apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: b}}]\n");
    is_kept_everywhere("apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: a-}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a}]}}}\n");
    is_kept_everywhere(
        "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: a}\nprovisioner: a\nparameters: {type: fast}\nallowVolumeExpansion: true\n",
    );
    is_kept_everywhere(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: a}\nwebhooks: [{name: a.b.c, \
         sideEffects: None, admissionReviewVersions: [v1], clientConfig: {url: 'https://a', caBundle: ''}, rules: [{operations: ['*'], \
         apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'], scope: '*'}]}]\n",
    );
}

const DEFINITION: &str = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: caches.example.org}\nspec:\n  \
    group: example.org\n  scope: Namespaced\n  names: {kind: Cache, plural: caches}\n  versions: [{name: v1, served: true, storage: true, \
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}}]\n";
const CACHE: &str = "apiVersion: example.org/v1\nkind: Cache\nmetadata: {name: a}\nspec: {sise: 1}\n";

#[test]
fn definitions_may_stand_elsewhere() {
    let judge = |rule: &str, definitions: &str| {
        let set = PolicySet::only(find(rule).expect("rule")).with_definitions(objects(definitions));
        check(&objects(CACHE), &set, &[], "2026-01-01").into_iter().map(|finding| finding.message).collect::<Vec<_>>()
    };
    assert_eq!(judge("unknown-field", ""), Vec::<String>::new());
    assert_eq!(judge("undescribed-kind", "").len(), 1);
    assert_eq!(judge("unknown-field", DEFINITION), ["spec has no field sise; did you mean size?"]);
    assert_eq!(judge("undescribed-kind", DEFINITION), Vec::<String>::new());
}

#[test]
fn groups_whose_definitions_stand_elsewhere_are_not_named() {
    let text = "name: own\nrules: {undescribed-kind: {severity: info, parameters: {elsewhere: [example.org]}}}\n";
    let set = PolicySet::parse(text, "own.yaml").expect("a set");
    assert_eq!(check(&objects(CACHE), &set, &[], "2026-01-01"), vec![]);
}

#[test]
fn old_definitions_keep_what_they_do_not_name() {
    let old = "apiVersion: apiextensions.k8s.io/v1beta1\nkind: CustomResourceDefinition\nmetadata: {name: caches.example.org}\nspec: {group: example.org, \
               version: v1, names: {kind: Cache, plural: caches}, validation: {openAPIV3Schema: {properties: {spec: {properties: {size: {type: integer}}}}}}}\n---\n";
    assert_eq!(messages("unknown-field", "1.21", &(old.to_owned() + CACHE)), Vec::<String>::new());
    let wrong = CACHE.replace("sise: 1", "size: large");
    assert_eq!(messages("wrong-type", "1.21", &(old.to_owned() + &wrong)).len(), 1);
}

#[test]
fn what_a_secret_holds_is_in_no_message() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {pin: 4711}\n";
    let found = messages("wrong-type", "1.36", text);
    assert_eq!(found.len(), 1);
    assert!(!found[0].contains("4711"), "{found:?}");
}

/// Every overlay of every platform, not only what ships.
#[test]
fn the_platforms_fit_their_schemas() {
    let platforms = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/platforms");
    let mut judged = 0;
    for platform in std::fs::read_dir(platforms).expect("folder") {
        for overlay in std::fs::read_dir(platform.expect("entry").path().join("manifests/overlays")).expect("overlays") {
            let folder = overlay.expect("entry").path();
            let objects = read_objects(&folder).expect("builds");
            judged += 1;
            for (release, rule) in ["1.30", "1.34", "1.36"].into_iter().flat_map(|release| RULES[..5].iter().map(move |rule| (release, rule))) {
                let set = PolicySet::only(find(rule).expect("rule")).for_kubernetes(release.parse().expect("a release"));
                assert_eq!(check(&objects, &set, &[], "2026-01-01"), vec![], "{} for {release}", folder.display());
            }
        }
    }
    assert!(judged >= 10, "{judged}");
}

/// The schema of a field, a value, and the rules that report it.
#[rstest::rstest]
#[case("type: string, nullable: true", "null", &[])]
#[case("type: string", "null", &["wrong-type"])]
#[case("type: string, default: a", "null", &[])]
#[case("x-kubernetes-preserve-unknown-fields: true", "{a: [1, {b: c}]}", &[])]
#[case("type: object", "{a: 1}", &["unknown-field"])]
#[case("type: object, properties: {a: {type: integer}}, x-kubernetes-preserve-unknown-fields: true", "{b: 1, a: x}", &["wrong-type"])]
#[case("type: object, additionalProperties: true", "{a: 1}", &[])]
#[case("type: object, additionalProperties: {type: integer}, maxProperties: 1", "{a: 1, b: 2}", &["invalid-value"])]
#[case("type: integer, format: int32", "3000000000", &["invalid-value"])]
#[case("type: integer, minimum: 1, exclusiveMinimum: true", "1", &["invalid-value"])]
#[case("type: number, multipleOf: 0.1", "0.3", &[])]
#[case("type: number, multipleOf: 0.1", "0.35", &["invalid-value"])]
#[case("type: boolean", "'true'", &["wrong-type"])]
#[case("type: string, format: date-time", "2026-01-31", &["invalid-value"])]
#[case("type: string, format: date", "2026-01-31", &[])]
#[case("type: string, maxLength: 2", "äöü", &["invalid-value"])]
#[case("type: string, pattern: '['", "anything", &[])]
#[case("type: string, enum: [a, b]", "c", &["invalid-value"])]
#[case("x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]", "50%", &[])]
#[case("x-kubernetes-int-or-string: true", "[]", &["wrong-type"])]
#[case("type: array, items: {type: string}, x-kubernetes-list-type: set", "[a, b, a]", &["invalid-value"])]
#[case("type: array, minItems: 1, items: {type: string}", "[]", &["invalid-value"])]
#[case("type: array, items: {type: string}", "[1]", &["wrong-type"])]
#[case("type: array, items: {type: string}", "a", &["wrong-type"])]
#[case("type: object, properties: {a: {type: string}, b: {type: string}}, anyOf: [{required: [a]}, {required: [b]}]", "{}", &["invalid-value"])]
#[case("type: object, properties: {a: {type: string}, b: {type: string}}, not: {required: [a, b]}", "{a: x, b: z}", &["invalid-value"])]
#[case("type: object, properties: {a: {type: integer}}, allOf: [{properties: {a: {minimum: 5}}}]", "{a: 4}", &["invalid-value"])]
#[case("type: object, properties: {a: {type: integer}}, allOf: [{properties: {a: {minimum: 5}}}]", "{a: 5}", &[])]
#[case("type: string", "${VALUE}", &[])]
#[case("type: integer", "${VALUE}", &[])]
fn structural_schemas_are_applied_as_the_api_server_does(#[case] schema: &str, #[case] value: &str, #[case] expected: &[&str]) {
    let text = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: caches.example.org}}\nspec:\n  group: example.org\n  \
         scope: Namespaced\n  names: {{kind: Cache, plural: caches}}\n  versions:\n    - name: v1\n      served: true\n      storage: true\n      schema:\n        \
         openAPIV3Schema: {{type: object, properties: {{spec: {{type: object, properties: {{field: {{{schema}}}}}}}}}}}\n---\n\
         apiVersion: example.org/v1\nkind: Cache\nmetadata: {{name: a}}\nspec:\n  field: {value}\n"
    );
    let reported: Vec<&str> = RULES.into_iter().filter(|rule| !messages(rule, "1.36", &text).is_empty()).collect();
    assert_eq!(reported, expected, "{schema}: {value}");
}

#[test]
fn a_status_that_is_thrown_away_needs_no_values() {
    let definition = |subresources: &str| {
        format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: caches.example.org}}\nspec: {{group: example.org, \
             scope: Namespaced, names: {{kind: Cache, plural: caches}}, versions: [{{name: v1, served: true, storage: true, {subresources} schema: \
             {{openAPIV3Schema: {{type: object, properties: {{status: {{type: object, required: [phase], properties: {{phase: {{type: string}}}}}}}}}}}}}}]}}\n---\n"
        )
    };
    let cache = "apiVersion: example.org/v1\nkind: Cache\nmetadata: {name: a}\nstatus: {}\n";
    assert_eq!(messages("missing-field", "1.36", &(definition("") + cache)).len(), 1);
    let apart = definition("subresources: {status: {}},");
    assert_eq!(messages("missing-field", "1.36", &(apart.clone() + cache)), Vec::<String>::new());
    assert_eq!(messages("unknown-field", "1.36", &(apart + &cache.replace("{}", "{fase: a}"))).len(), 1);
}
