//! No false alarm on what is usual and right.

use gauntlet_fixtures::manifest::{Dialect, Object, read_documents};
use gauntlet_policies::{PolicySet, check};
use std::path::Path;

/// Families whose rules look at more than one container: the others have their idioms in their own data.
const FAMILIES: [&str; 7] = ["AVL", "HPA", "ING", "NET", "OBS", "SCH", "STO"];

#[test]
fn usual_idioms_are_not_reported() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/idioms.yaml");
    let documents = read_documents(&file, Dialect::Kubectl).expect("reads");
    let objects: Vec<Object> = documents.into_iter().map(|document| Object::from_node(document).expect("object")).collect();
    let findings = check(&objects, &PolicySet::production(), &[], "2026-01-01");
    let told: Vec<String> = findings
        .iter()
        .filter(|finding| FAMILIES.iter().any(|family| finding.rule.starts_with(family)))
        .map(|finding| format!("{} line {}: {}: {}", finding.name, finding.location.line, finding.resource, finding.message))
        .collect();
    assert_eq!(told, Vec::<String>::new());
}
