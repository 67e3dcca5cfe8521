//! Which kinds the cluster serves, asked once per API version.

use super::object::ObjectRef;
use kube::Client;
use kube::api::{Api, DynamicObject};
use kube::core::GroupVersion;
use kube::discovery::{ApiGroup, ApiResource, Scope, pinned_group};
use std::collections::HashMap;

/// The kinds of a cluster by group and version, kept after the first question.
pub struct Kinds {
    client: Client,
    known: HashMap<String, ApiGroup>,
}

impl Kinds {
    /// Nothing is asked yet.
    pub fn new(client: Client) -> Self {
        Kinds { client, known: HashMap::new() }
    }

    /// The resource that serves `object`'s kind, and its scope. `None`: the cluster does not serve it.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub async fn resolve(&mut self, object: &ObjectRef) -> Result<Option<(ApiResource, Scope)>, kube::Error> {
        if !self.known.contains_key(&object.api_version) {
            let asked = GroupVersion::gv(object.group(), object.version());
            match pinned_group(&self.client, &asked).await {
                Ok(group) => self.known.insert(object.api_version.clone(), group),
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
                Err(kube::Error::Discovery(_)) => return Ok(None),
                Err(error) => return Err(error),
            };
        }
        let Some(group) = self.known.get(&object.api_version) else { return Ok(None) };
        let found = group.versioned_resources(object.version()).into_iter().find(|(r, _)| r.kind == object.kind);
        Ok(found.map(|(resource, capabilities)| (resource, capabilities.scope)))
    }

    /// Forgets an API version: a CustomResourceDefinition may have changed it.
    pub fn forget(&mut self, api_version: &str) {
        self.known.remove(api_version);
    }

    /// The API for `object`: in its own namespace, else in `namespace`; none for cluster-scoped kinds.
    pub fn api(&self, object: &ObjectRef, resource: &ApiResource, scope: &Scope, namespace: &str) -> Api<DynamicObject> {
        match scope {
            Scope::Cluster => Api::all_with(self.client.clone(), resource),
            Scope::Namespaced => {
                let own = object.namespace.as_deref().unwrap_or(namespace);
                Api::namespaced_with(self.client.clone(), own, resource)
            }
        }
    }
}
