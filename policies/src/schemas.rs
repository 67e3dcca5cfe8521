//! JSON Schemas for editors, of the types that read the files. `policies/schemas` holds them.

use crate::set::file::File;
use gauntlet_fixtures::platform::Platform;
use schemars::schema_for;
use serde_json::Value;

/// The schema of policy sets.
pub fn set() -> Value {
    schema_for!(File).to_value()
}

/// The schema of `platform.yaml`, whose `waivers` accept findings.
pub fn platform() -> Value {
    schema_for!(Platform).to_value()
}
