//! What the schema rules cost: the engine on 1,000 objects, with and without them.
//!
//! `cargo run --release -p gauntlet-policies --example schema_speed [-- OBJECTS]`

use gauntlet_fixtures::manifest::{Dialect, Object, parse};
use gauntlet_policies::{PolicySet, check};
use std::error::Error;
use std::time::{Duration, Instant};

/// Objects of one application.
const OBJECTS: usize = 5;
const ROUNDS: usize = 51;
const RULES: [&str; 5] = ["unknown-kind", "unknown-field", "wrong-type", "missing-field", "invalid-value"];

fn main() -> Result<(), Box<dyn Error>> {
    let wanted: usize = std::env::args().nth(1).map_or(Ok(1000), |count| count.parse())?;
    let texts: Vec<String> = (0..wanted / OBJECTS).map(application).collect();
    let read = Instant::now();
    let mut objects = Vec::new();
    for text in &texts {
        for document in parse(text.as_bytes(), "speed.yaml", Dialect::Kubectl)? {
            objects.push(Object::from_node(document)?);
        }
    }
    let read = read.elapsed();
    let all = include_str!("../sets/production.yaml");
    // The rule on undescribed kinds is the only one that has lines of its own below it.
    let is_schema = |line: &str| line.starts_with("    ") || line.starts_with("  undescribed-kind:") || RULES.iter().any(|rule| line.starts_with(&format!("  {rule}:")));
    let without: Vec<&str> = all.lines().filter(|line| !is_schema(line)).collect();
    let only: String = RULES.iter().map(|rule| format!("  {rule}: {{severity: error}}\n")).collect();
    println!("{} objects; reading them: {read:?}", objects.len());
    let first = Instant::now();
    check(&objects[..1], &PolicySet::parse(&format!("name: only\nrules:\n{only}"), "only.yaml")?, &[], "2026-01-01");
    println!("one object, the table unpacked for it: {:?}", first.elapsed());
    let sets = [
        PolicySet::parse(&without.join("\n"), "without.yaml")?,
        PolicySet::parse(all, "production.yaml")?,
        PolicySet::parse(&format!("name: only\nrules:\n{only}"), "only.yaml")?,
    ];
    let [without, with, only] = medians(&objects, &sets);
    println!("production without them: {without:?}\nproduction: {with:?} ({:.2} times)\nthe schema rules alone: {only:?}", with.as_secs_f64() / without.as_secs_f64());
    Ok(())
}

/// Taken in turns, so that what else the machine does falls on all alike.
fn medians<const N: usize>(objects: &[Object], sets: &[PolicySet; N]) -> [Duration; N] {
    let mut times = [const { Vec::new() }; N];
    for _ in 0..ROUNDS {
        for (set, times) in sets.iter().zip(&mut times) {
            let start = Instant::now();
            std::hint::black_box(check(objects, set, &[], "2026-01-01"));
            times.push(start.elapsed());
        }
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[ROUNDS / 2]
    })
}

fn application(at: usize) -> String {
    format!(
        r#"---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: app-{at}, namespace: shop, labels: {{app.kubernetes.io/name: app-{at}}}}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: app-{at}}}}}
  template:
    metadata: {{labels: {{app: app-{at}}}}}
    spec:
      securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}
      containers:
        - name: app
          image: registry.example.org/app:1.{at}
          ports: [{{name: http, containerPort: 8080}}]
          env: [{{name: PORT, value: "8080"}}, {{name: LEVEL, value: info}}]
          resources: {{requests: {{cpu: 100m, memory: 128Mi}}, limits: {{memory: 128Mi}}}}
          securityContext: {{allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {{drop: [ALL]}}}}
          readinessProbe: {{httpGet: {{path: /ready, port: http}}}}
          livenessProbe: {{httpGet: {{path: /live, port: http}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: app-{at}, namespace: shop}}
spec: {{selector: {{app: app-{at}}}, ports: [{{name: http, port: 80, targetPort: http}}]}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: app-{at}, namespace: shop}}
spec: {{minAvailable: 2, selector: {{matchLabels: {{app: app-{at}}}}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: app-{at}, namespace: shop}}
spec: {{podSelector: {{matchLabels: {{app: app-{at}}}}}, policyTypes: [Ingress, Egress], ingress: [{{ports: [{{port: 8080}}]}}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: app-{at}, namespace: shop}}
data: {{level: info, file: "a: b"}}
"#
    )
}
