//! The programs and their tests share one build of each dependency. Two builds of Kubernetes' types cost minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Every package with the sets of features that it is compiled with. `edges`: kinds of dependencies, as `cargo tree` takes them.
fn features(edges: &str) -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["tree", "--workspace", "--locked", "--prefix", "none", "--format", "{p}|{f}", "--edges", edges];
    let output = Command::new(cargo).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut packages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).expect("UTF-8").lines() {
        let Some((package, features)) = line.split_once('|') else { continue };
        // Of "name v1.2.3 (proc-macro)" the first two; a repeated package ends with "(*)".
        let package = package.split(' ').take(2).collect::<Vec<_>>().join(" ");
        packages.entry(package).or_default().insert(features.trim_end_matches(" (*)").to_owned());
    }
    packages
}

#[test]
fn tests_ask_for_no_feature_that_the_programs_do_not_have() {
    let (programs, tests) = (features("normal,build"), features("normal,build,dev"));
    assert!(programs.len() > 100, "cargo tree lists {} packages", programs.len());
    // Build scripts and macros may share a package with the tests alone: only what the programs had must be as it was.
    let changed: Vec<String> = programs
        .iter()
        .filter_map(|(package, had)| {
            let gone: Vec<_> = had.difference(tests.get(package)?).collect();
            (!gone.is_empty()).then(|| format!("{package}: {gone:?} becomes {:?}", tests[package]))
        })
        .collect();
    assert!(changed.is_empty(), "add these features to xtask/workspace-hack/Cargo.toml:\n{}", changed.join("\n"));
}
