//! Objects applied server-side, in the order of their dependencies.

use super::kinds::Kinds;
use super::object::{MissingField, ObjectRef};
use super::order;
use super::transient::{Patience, retry, transient, unreachable};
use gauntlet_reports::recorder::Recorder;
use kube::Client;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, Patch, PatchParams};
use kube::discovery::{ApiResource, Scope};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::Instant;

/// The label that names the run on the namespaces that the suite deploys to. Platform objects are never changed.
pub const RUN_LABEL: &str = "gauntlet.dev/run";

/// The label that names the platform on the same namespaces.
pub const PLATFORM_LABEL: &str = "gauntlet.dev/platform";

/// Where an object stands in its source, such as `deployment.yaml:12`.
pub type Locate = Arc<dyn Fn(&ObjectRef) -> Option<String> + Send + Sync>;

/// How objects are applied.
#[derive(Clone)]
pub struct ApplyOptions {
    /// True: the API server checks everything and keeps nothing.
    pub dry_run: bool,
    /// The owner of the applied fields.
    pub field_manager: String,
    /// The run and the platform, for [`RUN_LABEL`] and [`PLATFORM_LABEL`]. `None`: namespaces are not labelled.
    pub run: Option<(String, String)>,
    /// How long errors that pass by themselves are waited out, per object.
    pub patience: Patience,
    /// Names the source of an object in errors.
    pub locate: Option<Locate>,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        ApplyOptions { dry_run: false, field_manager: "gauntlet".into(), run: None, patience: Patience::default(), locate: None }
    }
}

/// An object could not be applied. Names the object and, when it is known, the place in its source.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It is no object.
    #[error("{0}")]
    NoObject(#[from] MissingField),
    /// The cluster does not serve its kind.
    #[error("apply {object}{place}: the cluster serves no kind {kind} of {api_version}", kind = object.kind, api_version = object.api_version)]
    UnknownKind {
        /// The object.
        object: ObjectRef,
        /// ` (file:line)` or nothing.
        place: String,
    },
    /// The API server refused it, for good.
    #[error("apply {object}{place}: {cause}")]
    Refused {
        /// The object.
        object: ObjectRef,
        /// ` (file:line)` or nothing.
        place: String,
        /// What the API server said.
        cause: String,
    },
    /// The API server did not answer, or not in time, though it was asked again.
    #[error("apply {object}{place}: {cause}")]
    Unavailable {
        /// The object.
        object: ObjectRef,
        /// ` (file:line)` or nothing.
        place: String,
        /// The last error.
        cause: String,
    },
}

impl ApplyError {
    /// True when the cluster is the cause and the platform cannot be judged: no answer, or a custom kind that is not
    /// installed. A kind that Kubernetes itself should serve (no dot in the group, or `*.k8s.io`) is the manifest's fault.
    pub fn is_cluster_fault(&self) -> bool {
        match self {
            ApplyError::Unavailable { .. } => true,
            ApplyError::UnknownKind { object, .. } => {
                let group = object.group();
                group.contains('.') && !group.ends_with(".k8s.io")
            }
            ApplyError::NoObject(_) | ApplyError::Refused { .. } => false,
        }
    }
}

/// Applies `objects` with force, in the order of their dependencies; the namespace comes first, and is made when neither a
/// manifest makes it nor it is there. One that is there is left as it is: applying a bare one would take the labels away
/// that an earlier apply gave it. Objects without a namespace go to `namespace`. Returns what was applied, in order.
///
/// # Errors
/// The first object that could not be applied. What came before it stays applied.
pub async fn apply(client: &Client, objects: &[Value], namespace: &str, options: &ApplyOptions, recorder: &Recorder) -> Result<Vec<ObjectRef>, ApplyError> {
    let mut planned = objects.iter().map(|o| Ok((ObjectRef::of(o)?, o.clone()))).collect::<Result<Vec<_>, MissingField>>()?;
    let declared = planned.iter().any(|(o, _)| o.kind == "Namespace" && o.name == namespace);
    if !declared && !stands(client, namespace).await {
        let made = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        planned.push((ObjectRef::of(&made)?, made));
    }
    order::sort(&mut planned);
    let defines_kinds = planned.iter().any(|(o, _)| o.kind == "CustomResourceDefinition");

    let mut kinds = Kinds::new(client.clone());
    let mut applied = Vec::with_capacity(planned.len());
    let count = planned.len();
    for (object, mut body) in planned {
        if let (true, Some((run, platform))) = (object.kind == "Namespace", &options.run) {
            body["metadata"]["labels"][RUN_LABEL] = json!(run);
            body["metadata"]["labels"][PLATFORM_LABEL] = json!(platform);
        }
        let place = options.locate.as_ref().and_then(|l| l(&object)).map(|at| format!(" ({at})")).unwrap_or_default();
        let on_retry = |why: &str| recorder.progress(format!("apply {object} again: {why}"));
        let resolved = resolve(&mut kinds, &object, defines_kinds, options.patience, on_retry).await;
        let (resource, scope) = match resolved {
            Ok(Some(found)) => found,
            Ok(None) => return Err(ApplyError::UnknownKind { object, place }),
            Err(error) => return Err(refusal(object, place, &error)),
        };
        let api = kinds.api(&object, &resource, &scope, namespace);
        let params = PatchParams { dry_run: options.dry_run, force: true, field_manager: Some(options.field_manager.clone()), field_validation: None };
        let on_retry = |why: &str| recorder.progress(format!("apply {object} again: {why}"));
        let patch = Patch::Apply(&body);
        let sent = retry(options.patience, on_retry, || api.patch(&object.name, &params, &patch)).await;
        if let Err(error) = sent {
            return Err(refusal(object, place, &error));
        }
        applied.push(object);
        recorder.progress(format!("applied {}/{count} objects", applied.len()));
    }
    Ok(applied)
}

/// True when the namespace is there. Who cannot ask is told by the apply that follows.
async fn stands(client: &Client, namespace: &str) -> bool {
    Api::<Namespace>::all(client.clone()).get_opt(namespace).await.is_ok_and(|found| found.is_some())
}

/// Finds the kind; waits for it when a CustomResourceDefinition of this very call may still be establishing it.
async fn resolve(kinds: &mut Kinds, object: &ObjectRef, may_come: bool, patience: Patience, mut on_retry: impl FnMut(&str)) -> Result<Option<(ApiResource, Scope)>, kube::Error> {
    let end = Instant::now() + patience.limit;
    let mut pause = patience.first_pause;
    loop {
        let why = match kinds.resolve(object).await {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) if !may_come => return Ok(None),
            Ok(None) if Instant::now() + pause >= end => return Ok(None),
            Ok(None) => format!("kind {} is not served yet", object.kind),
            Err(error) => match transient(&error) {
                Some(why) if Instant::now() + pause < end => why,
                _ => return Err(error),
            },
        };
        on_retry(&why);
        kinds.forget(&object.api_version);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(patience.longest_pause);
    }
}

fn refusal(object: ObjectRef, place: String, error: &kube::Error) -> ApplyError {
    let cause = match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    };
    if unreachable(error) || transient(error).is_some() {
        ApplyError::Unavailable { object, place, cause }
    } else {
        ApplyError::Refused { object, place, cause }
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
