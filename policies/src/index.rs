//! All objects of a set, found by kind, namespace, name and label. Built once, so that rules over several objects take
//! time in proportion to what they find.

use crate::selector::Selector;
use crate::workload::Workload;
use gauntlet_fixtures::manifest::{Field, Object};
use std::collections::HashMap;

/// The index.
pub struct Index<'a> {
    objects: &'a [Object],
    by_kind: HashMap<&'a str, Vec<&'a Object>>,
    by_name: HashMap<(&'a str, &'a str, &'a str), &'a Object>,
    workloads: Vec<Workload<'a>>,
    pod_templates: Vec<Workload<'a>>,
    by_namespace: HashMap<&'a str, Vec<usize>>,
    /// Position of a workload by its object's address, which is stable while the index lives.
    by_object: HashMap<usize, usize>,
    by_label: HashMap<(&'a str, &'a str, &'a str), Vec<usize>>,
    scalers: HashMap<(&'a str, &'a str, &'a str), Vec<&'a Object>>,
    budgets: HashMap<usize, Vec<&'a Object>>,
    network_policies: HashMap<usize, Vec<&'a Object>>,
    services: HashMap<usize, Vec<&'a Object>>,
}

impl<'a> Index<'a> {
    /// Builds the index.
    pub fn new(objects: &'a [Object]) -> Self {
        let mut index = Self {
            objects,
            by_kind: HashMap::new(),
            by_name: HashMap::new(),
            workloads: objects.iter().filter_map(Workload::of).collect(),
            pod_templates: objects.iter().filter_map(Workload::of_pod_template).collect(),
            by_namespace: HashMap::new(),
            by_object: HashMap::new(),
            by_label: HashMap::new(),
            scalers: HashMap::new(),
            budgets: HashMap::new(),
            network_policies: HashMap::new(),
            services: HashMap::new(),
        };
        for object in objects {
            index.by_kind.entry(&object.kind).or_default().push(object);
            let namespace = object.effective_namespace().unwrap_or_default();
            index.by_name.entry((&object.kind, namespace, &object.name)).or_insert(object);
        }
        for (position, workload) in index.workloads.iter().enumerate() {
            index.by_object.insert(address(workload.object), position);
            index.by_namespace.entry(workload.namespace).or_default().push(position);
            for (key, value) in &workload.labels {
                index.by_label.entry((workload.namespace, key, value)).or_default().push(position);
            }
        }
        for scaler in index.of_kind("HorizontalPodAutoscaler").to_vec() {
            let target = Field::root(&scaler.root).at("spec.scaleTargetRef");
            let name = |key| target.as_ref().and_then(|target| target.str_at(key)).unwrap_or_default();
            index.scalers.entry((namespace_of(scaler), name("kind"), name("name"))).or_default().push(scaler);
        }
        index.budgets = index.selected_by("PodDisruptionBudget", "spec.selector", Selector::from_label_selector);
        index.network_policies = index.selected_by("NetworkPolicy", "spec.podSelector", Selector::from_label_selector);
        index.services = index.selected_by("Service", "spec.selector", Selector::from_map);
        index
    }

    /// Every object.
    pub fn objects(&self) -> &'a [Object] {
        self.objects
    }

    /// The objects of a kind.
    pub fn of_kind(&self, kind: &str) -> &[&'a Object] {
        self.by_kind.get(kind).map(Vec::as_slice).unwrap_or_default()
    }

    /// The objects of several kinds, one kind after the other.
    pub fn of_kinds<'i>(&'i self, kinds: &'i [&str]) -> impl Iterator<Item = &'a Object> + use<'i, 'a> {
        kinds.iter().flat_map(|kind| self.of_kind(kind)).copied()
    }

    /// The object of a kind by namespace (empty for cluster-scoped kinds) and name.
    pub fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&'a Object> {
        self.by_name.get(&(kind, namespace, name)).copied()
    }

    /// Every workload.
    pub fn workloads(&self) -> &[Workload<'a>] {
        &self.workloads
    }

    /// Everything that describes a pod: workloads, and PodTemplates, from which others make pods.
    pub fn pods(&self) -> impl Iterator<Item = &Workload<'a>> {
        self.workloads.iter().chain(&self.pod_templates)
    }

    /// The workload that an object is.
    pub fn workload(&self, object: &Object) -> Option<&Workload<'a>> {
        self.by_object.get(&address(object)).map(|at| &self.workloads[*at])
    }

    /// The workloads of a namespace whose pods a selector selects.
    pub fn select(&self, namespace: &str, selector: &Selector<'_>) -> Vec<&Workload<'a>> {
        self.positions(namespace, selector).into_iter().map(|at| &self.workloads[at]).collect()
    }

    /// True: its pods carry a token of their service account. The pod's own word wins over the account's.
    pub fn mounts_token(&self, workload: &Workload<'a>) -> bool {
        let own = || workload.pod.bool_at("automountServiceAccountToken");
        let of_account = || {
            let account = self.find("ServiceAccount", workload.namespace, workload.service_account())?;
            Field::root(&account.root).bool_at("automountServiceAccountToken")
        };
        own().or_else(of_account).unwrap_or(true)
    }

    /// The HPA that scales a workload.
    pub fn scaler(&self, workload: &Workload<'a>) -> Option<&'a Object> {
        let object = workload.object;
        self.scalers.get(&(workload.namespace, object.kind.as_str(), object.name.as_str()))?.first().copied()
    }

    /// The fewest replicas that a workload runs with in normal times: its HPA's minimum, else its own number.
    pub fn fewest_replicas(&self, workload: &Workload<'a>) -> Option<i64> {
        match self.scaler(workload) {
            Some(scaler) => Some(Field::root(&scaler.root).i64_at("spec.minReplicas").unwrap_or(1)),
            None => workload.static_replicas(),
        }
    }

    /// The most replicas that a workload runs with: its HPA's maximum, else its own number.
    pub fn most_replicas(&self, workload: &Workload<'a>) -> Option<i64> {
        match self.scaler(workload) {
            Some(scaler) => Field::root(&scaler.root).i64_at("spec.maxReplicas"),
            None => workload.static_replicas(),
        }
    }

    /// The Services that send to a workload's pods.
    pub fn services(&self, workload: &Workload<'a>) -> &[&'a Object] {
        self.by_position(&self.services, workload)
    }

    /// The workloads of a namespace.
    pub fn workloads_in(&self, namespace: &str) -> impl Iterator<Item = &Workload<'a>> {
        self.by_namespace.get(namespace).into_iter().flatten().map(|at| &self.workloads[*at])
    }

    /// The PodDisruptionBudgets that select a workload's pods.
    pub fn budgets(&self, workload: &Workload<'a>) -> &[&'a Object] {
        self.by_position(&self.budgets, workload)
    }

    /// The NetworkPolicies that select a workload's pods.
    pub fn network_policies(&self, workload: &Workload<'a>) -> &[&'a Object] {
        self.by_position(&self.network_policies, workload)
    }

    fn by_position<'m>(&self, map: &'m HashMap<usize, Vec<&'a Object>>, workload: &Workload<'a>) -> &'m [&'a Object] {
        let position = self.by_object.get(&address(workload.object));
        position.and_then(|at| map.get(at)).map(Vec::as_slice).unwrap_or_default()
    }

    fn selected_by(&self, kind: &str, path: &str, read: fn(&Field<'a>) -> Selector<'a>) -> HashMap<usize, Vec<&'a Object>> {
        let mut map: HashMap<usize, Vec<&'a Object>> = HashMap::new();
        for object in self.of_kind(kind) {
            // An absent selector of a budget selects nothing; an empty one everything.
            let Some(selector) = Field::root(&object.root).at(path) else { continue };
            let selector = read(&selector);
            // An empty selector of a Service means that somebody else keeps its endpoints.
            if kind == "Service" && selector.is_empty() {
                continue;
            }
            for at in self.positions(namespace_of(object), &selector) {
                map.entry(at).or_default().push(object);
            }
        }
        map
    }

    fn positions(&self, namespace: &str, selector: &Selector<'_>) -> Vec<usize> {
        let candidates = match selector.certain_label() {
            Some((key, value)) => self.by_label.get(&(namespace, key, value)),
            None => self.by_namespace.get(namespace),
        };
        let candidates = candidates.map(Vec::as_slice).unwrap_or_default();
        candidates.iter().copied().filter(|at| selector.matches(&self.workloads[*at].labels)).collect()
    }
}

/// A number and no pointer, so that threads may share it.
fn address(object: &Object) -> usize {
    std::ptr::from_ref(object).addr()
}

/// The namespace that an object lives in; `default` when none is stated.
pub fn namespace_of(object: &Object) -> &str {
    object.namespace.as_deref().unwrap_or("default")
}
