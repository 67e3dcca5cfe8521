//! Everything that makes pods, seen through its pod template.

use crate::kubernetes::Kubernetes;
use crate::selector::{Labels, labels_of};
use gauntlet_fixtures::manifest::{Field, Object};

/// An object that makes pods, or a pod.
#[derive(Debug, Clone)]
pub struct Workload<'a> {
    /// The object.
    pub object: &'a Object,
    /// Its namespace; `default` when none is stated.
    pub namespace: &'a str,
    /// What holds the pod's `metadata` and `spec`.
    pub template: Field<'a>,
    /// The pod's `spec`.
    pub pod: Field<'a>,
    /// The pod's labels.
    pub labels: Labels<'a>,
    /// Its containers: main ones first, ephemeral ones last. Read once, because most rules ask for them.
    containers: Vec<Container<'a>>,
}

/// A container of a pod.
#[derive(Debug, Clone)]
pub struct Container<'a> {
    /// The container.
    pub field: Field<'a>,
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub role: Role,
}

/// A port that a container declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeclaredPort<'a> {
    /// Its number.
    pub number: u16,
    /// Its name, when it has one.
    pub name: Option<&'a str>,
    /// Its protocol; `TCP` when none is stated.
    pub protocol: &'a str,
}

/// What a container of a pod is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Runs as long as the pod.
    Main,
    /// Runs before the others and ends.
    Init,
    /// An init container with `restartPolicy: Always`: runs beside the others.
    Sidecar,
    /// Was put into a running pod to look into it: `kubectl debug`.
    Ephemeral,
}

impl<'a> Workload<'a> {
    /// The workload that an object is, when it is one.
    pub fn of(object: &'a Object) -> Option<Self> {
        let root = Field::root(&object.root);
        let template = match (object.group(), object.kind.as_str()) {
            ("", "Pod") => root,
            ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("", "ReplicationController") | ("batch", "Job") => {
                root.at("spec.template")?
            }
            ("batch", "CronJob") => root.at("spec.jobTemplate.spec.template")?,
            _ => return None,
        };
        Self::from_template(object, template)
    }

    /// The pods that a PodTemplate describes: it makes none itself.
    pub(crate) fn of_pod_template(object: &'a Object) -> Option<Self> {
        let is_template = object.group().is_empty() && object.kind == "PodTemplate";
        Self::from_template(object, Field::root(&object.root).get("template").filter(|_| is_template)?)
    }

    fn from_template(object: &'a Object, template: Field<'a>) -> Option<Self> {
        let pod = template.get("spec")?;
        let namespace = object.namespace.as_deref().unwrap_or("default");
        let containers = containers_of(&pod);
        Some(Self { object, namespace, labels: labels_of(&template), template, pod, containers })
    }

    /// True: meant to run on and on, not to end.
    pub fn is_long_running(&self) -> bool {
        match self.object.kind.as_str() {
            "Job" | "CronJob" => false,
            "Pod" => !matches!(self.pod.str_at("restartPolicy"), Some("Never" | "OnFailure")),
            _ => true,
        }
    }

    /// `spec.replicas` where the kind has it; 1 when it is not stated.
    pub fn static_replicas(&self) -> Option<i64> {
        let scales = matches!(self.object.kind.as_str(), "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController");
        scales.then(|| Field::root(&self.object.root).i64_at("spec.replicas").unwrap_or(1))
    }

    /// All containers: main ones first.
    pub fn containers(&self) -> &[Container<'a>] {
        let lasting = self.containers.partition_point(|container| container.role != Role::Ephemeral);
        &self.containers[..lasting]
    }

    /// All containers and the ephemeral ones: for rules about what a container may do, whenever it runs.
    pub fn every_container(&self) -> &[Container<'a>] {
        &self.containers
    }

    /// Every security context that is written down, with whose it is: the pod's first.
    pub fn security_contexts(&self) -> Vec<(String, Field<'a>)> {
        let own = self.pod.get("securityContext").map(|context| ("the pod".to_owned(), context));
        let of = |container: &Container<'a>| {
            let context = container.field.get("securityContext")?;
            Some((format!("container {}", container.name), context))
        };
        own.into_iter().chain(self.every_container().iter().filter_map(of)).collect()
    }

    /// The annotations of its pods.
    pub fn annotations(&self) -> Vec<(&'a str, Field<'a>)> {
        self.template.at("metadata.annotations").map(|annotations| annotations.entries()).unwrap_or_default()
    }

    /// The containers that run as long as the pod.
    pub fn running_containers(&self) -> Vec<Container<'a>> {
        self.containers().iter().filter(|container| container.role != Role::Init).cloned().collect()
    }

    /// The ports that its running containers declare.
    pub fn declared_ports(&self) -> Vec<DeclaredPort<'a>> {
        let ports = self.running_containers().into_iter().flat_map(|container| container.field.items_at("ports"));
        let port = |port: Field<'a>| {
            let number = u16::try_from(port.i64_at("containerPort")?).ok()?;
            Some(DeclaredPort { number, name: port.str_at("name"), protocol: port.str_at("protocol").unwrap_or("TCP") })
        };
        ports.filter_map(port).collect()
    }

    /// True: its pods use the node's network, where no NetworkPolicy holds them.
    pub fn uses_host_network(&self) -> bool {
        self.pod.bool_at("hostNetwork") == Some(true)
    }

    /// The service account that its pods run as.
    pub fn service_account(&self) -> &'a str {
        let name = self.pod.str_at("serviceAccountName").or_else(|| self.pod.str_at("serviceAccount"));
        name.filter(|name| !name.is_empty()).unwrap_or("default")
    }

    /// True: Windows pods, which have no Linux security context.
    pub fn is_windows(&self) -> bool {
        self.pod.str_at("os.name") == Some("windows")
    }

    /// True: Windows pods, of a Kubernetes whose Pod Security Standards know them (1.25).
    pub fn is_exempt_as_windows(&self, kubernetes: Kubernetes) -> bool {
        kubernetes.is_at_least(25) && self.is_windows()
    }

    /// True: its root is nobody on the node (`hostUsers: false`), and the Pod Security Standards count it (1.35).
    pub fn is_relaxed_by_user_namespace(&self, kubernetes: Kubernetes) -> bool {
        kubernetes.is_at_least(35) && self.pod.bool_at("hostUsers") == Some(false)
    }
}

fn containers_of<'a>(pod: &Field<'a>) -> Vec<Container<'a>> {
    let init = |field: &Field<'a>| {
        if field.str_at("restartPolicy") == Some("Always") { Role::Sidecar } else { Role::Init }
    };
    let list = |key: &str, role: &dyn Fn(&Field<'a>) -> Role| -> Vec<Container<'a>> {
        let items = pod.items_at(key).into_iter();
        items.map(|field| Container { name: field.str_at("name").unwrap_or_default(), role: role(&field), field }).collect()
    };
    let mut containers = list("containers", &|_| Role::Main);
    containers.extend(list("initContainers", &init));
    containers.extend(list("ephemeralContainers", &|_| Role::Ephemeral));
    containers
}

impl<'a> Container<'a> {
    /// A field of the security context that a pod may set for all its containers: the container's own wins.
    pub fn security(&self, workload: &Workload<'a>, path: &str) -> Option<Field<'a>> {
        let own = self.field.get("securityContext").and_then(|context| context.at(path));
        own.or_else(|| workload.pod.get("securityContext").and_then(|context| context.at(path)))
    }

    /// What a container asks for of a resource. A limit without a request is the request, as in the API server.
    pub fn request(&self, resource: &str) -> Option<Field<'a>> {
        let of = |kind: &str| self.field.at(&format!("resources.{kind}"))?.get(resource);
        of("requests").or_else(|| of("limits"))
    }

    /// Its declared ports: number and name.
    pub fn ports(&self) -> Vec<(i64, Option<&'a str>)> {
        let ports = self.field.items_at("ports").into_iter();
        ports.filter_map(|port| Some((port.i64_at("containerPort")?, port.str_at("name")))).collect()
    }
}
