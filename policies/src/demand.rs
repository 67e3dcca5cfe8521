//! What a pod asks for once it is admitted: what the scheduler and a ResourceQuota count.

use crate::amount::Amount;
use crate::index::{Index, namespace_of};
use crate::rule::Context;
use crate::workload::{Container, Role, Workload};
use gauntlet_fixtures::manifest::Field;
use std::collections::HashMap;

/// Requests or limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Requests,
    Limits,
}

impl Kind {
    /// As a container's `resources` names it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Limits => "limits",
        }
    }
}

/// Reports every container that says nothing of a resource, where neither its pod nor a LimitRange does.
pub(crate) fn report_missing(context: &mut Context<'_, '_>, kind: Kind, resource: &str) {
    let ranges = Ranges::new(context.index);
    let key = format!("resources.{}.{resource}", kind.key());
    for workload in context.index.workloads() {
        for container in workload.containers() {
            if !ranges.says(workload, container, kind, resource) {
                let message = format!("container {} has no {} for {resource}", container.name, kind.key().trim_end_matches('s'));
                context.missing(workload.object, &container.field, &key, message);
            }
        }
    }
}

/// What the LimitRanges of each namespace say about containers.
pub(crate) struct Ranges<'a> {
    by_namespace: HashMap<&'a str, Vec<Field<'a>>>,
}

impl<'a> Ranges<'a> {
    /// Reads all LimitRanges.
    pub fn new(index: &Index<'a>) -> Self {
        let mut by_namespace: HashMap<&str, Vec<Field<'_>>> = HashMap::new();
        for range in index.of_kinds(&["LimitRange"]) {
            let of_containers = Field::root(&range.root).items_at("spec.limits").into_iter();
            let of_containers = of_containers.filter(|limit| limit.str_at("type") == Some("Container"));
            by_namespace.entry(namespace_of(range)).or_default().extend(of_containers);
        }
        Self { by_namespace }
    }

    /// The limits of a namespace's containers.
    pub fn of(&self, namespace: &str) -> &[Field<'a>] {
        self.by_namespace.get(namespace).map(Vec::as_slice).unwrap_or_default()
    }

    /// True: a container says how much it asks for, or its pod or a LimitRange does.
    pub fn says(&self, workload: &Workload<'a>, container: &Container<'a>, kind: Kind, resource: &str) -> bool {
        let whole = workload.pod.get("resources");
        let of_whole = |kind: Kind| whole.as_ref().is_some_and(|whole| whole.get(kind.key()).is_some_and(|part| part.get(resource).is_some()));
        // As for containers, the limit is the request where there is none.
        of_whole(kind) || of_whole(Kind::Limits) || self.field(workload.namespace, container, kind, resource).is_some()
    }

    /// What a container asks for.
    pub fn of_container(&self, namespace: &str, container: &Container<'a>, kind: Kind, resource: &str) -> Option<Amount> {
        Amount::of(&self.field(namespace, container, kind, resource)?)
    }

    /// Where it stands. Where a container says nothing, its limit is its request, else a LimitRange gives one.
    fn field(&self, namespace: &str, container: &Container<'a>, kind: Kind, resource: &str) -> Option<Field<'a>> {
        let own = |kind: Kind| container.field.get("resources")?.get(kind.key())?.get(resource);
        // A LimitRange without defaults has its most as the limit, and the limit or its least as the request.
        let given = |keys: &[&str]| {
            let of = |limit: &Field<'a>| keys.iter().find_map(|key| limit.get(key)?.get(resource));
            self.of(namespace).iter().find_map(of)
        };
        match kind {
            Kind::Limits => own(Kind::Limits).or_else(|| given(&["default", "max"])),
            Kind::Requests => own(Kind::Requests)
                .or_else(|| own(Kind::Limits))
                .or_else(|| given(&["defaultRequest", "default", "max", "min"])),
        }
    }

    /// What a pod asks for: its containers and sidecars together, or an init container beside the sidecars started
    /// before it, whichever is more, and the overhead of its RuntimeClass. What it says as a whole wins.
    pub fn of_pod(&self, workload: &Workload<'a>, kind: Kind, resource: &str) -> Amount {
        let overhead = workload.pod.get("overhead").and_then(|overhead| Amount::of(&overhead.get(resource)?)).unwrap_or_default();
        let whole = workload.pod.get("resources").and_then(|whole| whole.get(kind.key())?.get(resource));
        if let Some(whole) = whole.and_then(|field| Amount::of(&field)) {
            return whole + overhead;
        }
        let of = |container: &Container<'a>| self.of_container(workload.namespace, container, kind, resource).unwrap_or_default();
        let containers = workload.containers();
        let main: Amount = containers.iter().filter(|container| container.role == Role::Main).map(of).sum();
        let (mut sidecars, mut peak) = (Amount::default(), Amount::default());
        for container in containers.iter().filter(|container| container.role != Role::Main) {
            peak = peak.max(sidecars + of(container));
            if container.role == Role::Sidecar {
                sidecars = sidecars + of(container);
            }
        }
        peak.max(sidecars + main) + overhead
    }
}
