//! The environments of a platform: production, staging and what else its platform.yaml names.

use anyhow::{Context as _, Result};
use gauntlet_fixtures::platform::Platform;

/// The manifest source of an environment, relative to the folder of platform.yaml.
///
/// # Errors
/// When platform.yaml has no such environment; says which it has.
pub fn source<'a>(platform: &'a Platform, environment: &str) -> Result<&'a str> {
    let manifests = &platform.manifests;
    match environment {
        "production" => Ok(&manifests.production),
        "kind" => Ok(&manifests.kind),
        other => manifests.environments.get(other).map(String::as_str).with_context(|| {
            let more = manifests.environments.keys().map(|k| format!(", {k}")).collect::<String>();
            format!("there is no environment {other:?}: the environments of {} are production, kind{more}", platform.name)
        }),
    }
}
