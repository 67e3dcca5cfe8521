//! Makes `policies/schemas/kubernetes.deflate`: what every kind of Kubernetes holds, release by release.
//!
//! ```sh
//! cargo run -p gauntlet-policies --example kubernetes_schema            # needs `go` and a Go module proxy
//! cargo run -p gauntlet-policies --example kubernetes_schema -- FOLDER  # keeps the sources there for the next time
//! ```
//!
//! When a new minor release comes: add its newest patch to [`RELEASES`], raise `Kubernetes::NEWEST`, run this, and
//! commit the file. The sources are two files of the module k8s.io/kubernetes: `api/openapi-spec/swagger.json`, and the
//! generated Go code that swagger.json is made from, because only that one names the values of enumerations.

mod enumerations;
mod merge;
mod sources;
mod swagger;

use std::error::Error;
use std::path::{Path, PathBuf};

/// The newest patch of each minor release that the module proxy has. API fields do not change between patches.
const RELEASES: [(u32, &str); 17] = [
    (20, "v1.20.15"),
    (21, "v1.21.14"),
    (22, "v1.22.17"),
    (23, "v1.23.17"),
    (24, "v1.24.17"),
    (25, "v1.25.16"),
    (26, "v1.26.15"),
    (27, "v1.27.16"),
    (28, "v1.28.15"),
    (29, "v1.29.15"),
    (30, "v1.30.14"),
    (31, "v1.31.14"),
    (32, "v1.32.13"),
    (33, "v1.33.13"),
    (34, "v1.34.4"),
    (35, "v1.35.4"),
    (36, "v1.36.3"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let kept = std::env::args_os().nth(1).map(PathBuf::from);
    let temporary = tempfile::tempdir()?;
    let mut merged = merge::Merged::default();
    for (minor, version) in RELEASES {
        let found = sources::of(version, kept.as_deref().unwrap_or(temporary.path()), temporary.path())?;
        let enumerations = found.go.as_deref().map(enumerations::read).unwrap_or_default();
        let release = swagger::read(&found.swagger, &enumerations)?;
        eprintln!("{version}: {} kinds, {} types, {} enumerations", release.kinds.len(), release.types.len(), enumerations.len());
        merged.add(minor, release);
    }
    let text = merged.text();
    let bytes = miniz_oxide::deflate::compress_to_vec(text.as_bytes(), 10);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/kubernetes.deflate");
    std::fs::write(&target, &bytes)?;
    eprintln!("{}: {} bytes, {} of text", target.display(), bytes.len(), text.len());
    if let Some(folder) = kept {
        std::fs::write(folder.join("kubernetes.txt"), text)?;
    }
    Ok(())
}
