//! Generated manifests for measurements: the same seed gives the same text.
//!
//! Applications as they ship: eight documents for each, in one file, four applications to a namespace. One in eight has a
//! defect, so that findings are a part of what is measured and not the most of it.

/// Documents in one file.
pub const DOCUMENTS_PER_FILE: usize = 8;
/// Files whose objects live in one namespace.
const FILES_PER_NAMESPACE: usize = 4;

/// What may be wrong: a text of the templates, and what stands there instead.
const DEFECTS: [(&str, &str); 8] = [
    ("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"),
    ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
    ("targetPort: http", "targetPort: htpp"),
    ("minAvailable: 1", "minAvailable: 100%"),
    ("minReplicas: 3", "minReplicas: 1"),
    ("secretName: tls", "secretName: tls # for all\n    - hosts: []\n      secretName: other"),
    ("path: /readyz", "path: /healthz"),
    ("@sha256:", "-rc@sha256:"),
];

/// Names and texts of the files that hold at least so many documents.
pub fn files(seed: u64, documents: usize) -> impl Iterator<Item = (String, String)> {
    let count = documents.div_ceil(DOCUMENTS_PER_FILE);
    let mut random = Random(seed);
    (0..count).map(move |number| (format!("app-{number:05}.yaml"), text(number, &mut random)))
}

fn text(number: usize, random: &mut Random) -> String {
    let namespace = format!("team-{:04}", number / FILES_PER_NAMESPACE);
    let app = format!("{}-{number:05}", ["orders", "prices", "users", "search", "mail", "stock"][random.below(6)]);
    let digest: String = (0..4).map(|_| format!("{:016x}", random.next())).collect();
    let values = [
        ("NAMESPACE", namespace),
        ("APP", app),
        ("DIGEST", digest),
        ("VERSION", format!("{}.{}.{}", random.below(9), random.below(20), random.below(30))),
        ("PORT", (8000 + random.below(1000)).to_string()),
        ("CPU", (100 + 50 * random.below(10)).to_string()),
        ("MEMORY", (128 + 64 * random.below(12)).to_string()),
        ("MOST", (6 + random.below(10)).to_string()),
    ];
    let first = if number.is_multiple_of(FILES_PER_NAMESPACE) { NAMESPACE } else { SETTINGS };
    let mut text = format!("{first}{APP}");
    for (name, value) in values {
        text = text.replace(&format!("${name}"), &value);
    }
    if random.below(8) == 0 {
        let (right, wrong) = DEFECTS[random.below(DEFECTS.len())];
        text = text.replacen(right, wrong, 1);
    }
    text
}

/// SplitMix64: small, and enough for names.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % limit).unwrap_or_default()
    }
}

const NAMESPACE: &str = "# What the team's applications share.
apiVersion: v1
kind: Namespace
metadata:
  name: $NAMESPACE
  labels:
    app.kubernetes.io/part-of: shop
    app.kubernetes.io/managed-by: kustomize
    owner: $NAMESPACE
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/enforce-version: v1.34
---
";

const SETTINGS: &str = "apiVersion: v1
kind: ConfigMap
metadata:
  name: $APP-settings
  namespace: $NAMESPACE
  labels: {app.kubernetes.io/name: $APP, app.kubernetes.io/part-of: shop, owner: $NAMESPACE}
data:
  LOG_LEVEL: info
  CACHE_SECONDS: \"30\"
  UPSTREAM: http://prices.$NAMESPACE.svc:8080
---
";

const APP: &str = "apiVersion: v1
kind: ServiceAccount
metadata:
  name: $APP
  namespace: $NAMESPACE
  labels: {app.kubernetes.io/name: $APP, app.kubernetes.io/part-of: shop, owner: $NAMESPACE}
automountServiceAccountToken: false
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: $APP
  namespace: $NAMESPACE
  labels:
    app.kubernetes.io/name: $APP
    app.kubernetes.io/version: $VERSION
    app.kubernetes.io/part-of: shop
    owner: $NAMESPACE
spec:
  revisionHistoryLimit: 5
  selector:
    matchLabels: {app.kubernetes.io/name: $APP}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: $APP
        app.kubernetes.io/version: $VERSION
        app.kubernetes.io/part-of: shop
        owner: $NAMESPACE
      annotations:
        prometheus.io/scrape: \"true\"
        prometheus.io/port: \"$PORT\"
    spec:
      serviceAccountName: $APP
      automountServiceAccountToken: false
      priorityClassName: serving
      terminationGracePeriodSeconds: 45
      securityContext:
        runAsNonRoot: true
        runAsUser: 20001
        runAsGroup: 20001
        seccompProfile: {type: RuntimeDefault}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {app.kubernetes.io/name: $APP}
      dnsConfig:
        options: [{name: ndots, value: \"2\"}]
      containers:
        - name: app
          image: registry.example.org/shop/$APP:$VERSION@sha256:$DIGEST
          ports:
            - name: http # the Service sends here
              containerPort: $PORT
          env:
            - {name: LOG_FORMAT, value: json}
            - name: POD_NAME
              valueFrom: {fieldRef: {fieldPath: metadata.name}}
          resources:
            requests: {cpu: $CPUm, memory: $MEMORYMi, ephemeral-storage: 100Mi}
            limits: {cpu: $CPUm, memory: $MEMORYMi, ephemeral-storage: 200Mi}
          startupProbe:
            httpGet: {path: /healthz, port: http}
            failureThreshold: 30
            periodSeconds: 2
          livenessProbe:
            httpGet: {path: /healthz, port: http}
            periodSeconds: 10
            failureThreshold: 6
          readinessProbe:
            httpGet: {path: /readyz, port: http}
            periodSeconds: 5
          lifecycle:
            preStop: {sleep: {seconds: 5}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          volumeMounts:
            - {name: scratch, mountPath: /tmp}
      volumes:
        - name: scratch
          emptyDir: {sizeLimit: 64Mi}
---
apiVersion: v1
kind: Service
metadata:
  name: $APP
  namespace: $NAMESPACE
  labels: {app.kubernetes.io/name: $APP, app.kubernetes.io/part-of: shop, owner: $NAMESPACE}
spec:
  selector: {app.kubernetes.io/name: $APP}
  ports:
    - {name: http, port: 80, targetPort: http}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: $APP
  namespace: $NAMESPACE
  labels: {app.kubernetes.io/name: $APP, app.kubernetes.io/part-of: shop, owner: $NAMESPACE}
spec:
  ingressClassName: haproxy
  tls:
    - hosts: [$APP.example.org]
      secretName: tls
  rules:
    - host: $APP.example.org
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: $APP, port: {name: http}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: $APP
  namespace: $NAMESPACE
  labels: {app.kubernetes.io/name: $APP, app.kubernetes.io/part-of: shop, owner: $NAMESPACE}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: $APP}
  minReplicas: 3
  maxReplicas: $MOST
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: $APP
  namespace: $NAMESPACE
  labels: {app.kubernetes.io/name: $APP, app.kubernetes.io/part-of: shop, owner: $NAMESPACE}
spec:
  minAvailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {app.kubernetes.io/name: $APP}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: $APP
  namespace: $NAMESPACE
  labels: {app.kubernetes.io/name: $APP, app.kubernetes.io/part-of: shop, owner: $NAMESPACE}
spec:
  podSelector:
    matchLabels: {app.kubernetes.io/name: $APP}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - namespaceSelector:
            matchLabels: {kubernetes.io/metadata.name: ingress}
      ports: [{protocol: TCP, port: http}]
  egress:
    - to:
        - namespaceSelector:
            matchLabels: {kubernetes.io/metadata.name: kube-system}
          podSelector:
            matchLabels: {k8s-app: kube-dns}
      ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
";

#[cfg(test)]
mod tests {
    use super::files;
    use gauntlet_fixtures::manifest::load_text;

    #[test]
    fn every_file_is_read_and_a_seed_gives_one_text() {
        let all: Vec<_> = files(7, 400).collect();
        assert_eq!(all, files(7, 400).collect::<Vec<_>>());
        assert_ne!(all, files(8, 400).collect::<Vec<_>>());
        let loaded: Vec<_> = all.iter().map(|(name, text)| load_text(text.as_bytes(), name)).collect();
        assert!(loaded.iter().all(|it| it.errors.is_empty()), "{:?}", loaded.iter().flat_map(|it| &it.errors).next());
        assert_eq!(loaded.iter().map(|it| it.documents()).sum::<usize>(), 400);
    }
}
