//! The sources of one release, from the Go module k8s.io/kubernetes.

use serde_json::Value;
use std::error::Error;
use std::path::Path;
use std::process::Command;

/// What is read of one release.
pub struct Sources {
    /// `swagger.json`.
    pub swagger: Value,
    /// The generated Go code; 1.20 to 1.22 have none.
    pub go: Option<String>,
}

const SWAGGER: &str = "api/openapi-spec/swagger.json";
const GO: &str = "pkg/generated/openapi/zz_generated.openapi.go";

/// The sources, from `folder/VERSION` when they are there, else from the module proxy.
pub fn of(version: &str, folder: &Path, cache: &Path) -> Result<Sources, Box<dyn Error>> {
    let folder = folder.join(version);
    if !folder.join("swagger.json").exists() {
        download(version, &folder, cache)?;
    }
    let swagger = serde_json::from_slice(&std::fs::read(folder.join("swagger.json"))?)?;
    Ok(Sources { swagger, go: std::fs::read_to_string(folder.join("openapi.go")).ok() })
}

fn download(version: &str, folder: &Path, cache: &Path) -> Result<(), Box<dyn Error>> {
    let cache = cache.join("modules");
    let output = Command::new("go")
        .args(["mod", "download", "-modcacherw", "-json", &format!("k8s.io/kubernetes@{version}")])
        .env("GOMODCACHE", &cache)
        .output()
        .map_err(|error| format!("failed to start go, which downloads the sources: {error}"))?;
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let Some(module) = answer["Dir"].as_str() else {
        let reason = answer["Error"].as_str().map_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned(), str::to_owned);
        return Err(format!("failed to download {version}: {reason}").into());
    };
    std::fs::create_dir_all(folder)?;
    let module = Path::new(module);
    if module.join(GO).exists() {
        std::fs::copy(module.join(GO), folder.join("openapi.go"))?;
    }
    std::fs::copy(module.join(SWAGGER), folder.join("swagger.json"))?;
    // A release is 300 MB unpacked.
    Ok(std::fs::remove_dir_all(&cache)?)
}
