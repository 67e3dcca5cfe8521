//! The seccomp profile that a pod and its containers run under, as the API server sees it at admission.
//!
//! From 1.19 it stands in `securityContext.seccompProfile`. Up to 1.26 the API server filled that field of a new pod
//! from the older annotations where it was not set; from 1.27 the annotations mean nothing.

use crate::kubernetes::Kubernetes;
use crate::workload::{Container, Workload};
use gauntlet_fixtures::manifest::Field;

const POD_ANNOTATION: &str = "seccomp.security.alpha.kubernetes.io/pod";
const CONTAINER_ANNOTATION: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// A profile that is written down.
pub(crate) struct Seccomp<'a> {
    /// Where.
    pub field: Field<'a>,
    /// True: the runtime's own profile, or one of the node.
    pub is_confined: bool,
}

/// The pod's own.
pub(crate) fn of_pod<'a>(workload: &Workload<'a>, kubernetes: Kubernetes) -> Option<Seccomp<'a>> {
    of_context(&workload.pod).or_else(|| of_annotation(workload, POD_ANNOTATION, kubernetes))
}

/// The container's own; what it inherits does not count.
pub(crate) fn of_container<'a>(workload: &Workload<'a>, container: &Container<'a>, kubernetes: Kubernetes) -> Option<Seccomp<'a>> {
    let key = || format!("{CONTAINER_ANNOTATION}{}", container.name);
    of_context(&container.field).or_else(|| of_annotation(workload, &key(), kubernetes))
}

fn of_context<'a>(parent: &Field<'a>) -> Option<Seccomp<'a>> {
    let profile = parent.at("securityContext.seccompProfile")?;
    let kind = profile.get("type");
    let is_confined = kind.as_ref().is_some_and(|kind| matches!(kind.str(), Some("RuntimeDefault" | "Localhost")));
    Some(Seccomp { field: kind.unwrap_or(profile), is_confined })
}

fn of_annotation<'a>(workload: &Workload<'a>, key: &str, kubernetes: Kubernetes) -> Option<Seccomp<'a>> {
    if kubernetes.is_at_least(27) {
        return None;
    }
    let field = workload.template.at("metadata.annotations")?.get(key)?;
    let is_confined = match field.str()? {
        "runtime/default" | "docker/default" => true,
        "unconfined" => false,
        // Other values fill no field: the API server refuses them where it validates the annotation.
        text => text.strip_prefix("localhost/").filter(|profile| !profile.is_empty()).map(|_| true)?,
    };
    Some(Seccomp { field, is_confined })
}
