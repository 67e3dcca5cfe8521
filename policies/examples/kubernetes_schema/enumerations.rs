//! The values of enumerations, from the generated Go code. It is made by a program, so its lines have one form.

use std::collections::{BTreeSet, HashMap};

/// Values by type and field.
pub type Enumerations = HashMap<(String, String), Vec<String>>;

/// Reads them. A list's or a map's values are those of its items.
pub fn read(go: &str) -> Enumerations {
    let mut found = Enumerations::new();
    let (mut of, mut field) = (None, None);
    for line in go.lines() {
        if let Some(name) = line.strip_prefix("func schema_k8sio_api_") {
            of = name.split('(').next().map(|name| name.replacen('_', ".", 2));
            field = None;
        } else if line.starts_with("func ") {
            of = None;
        } else if let Some(name) = line.strip_prefix("\t\t\t\t\t\"").and_then(|rest| rest.strip_suffix("\": {")) {
            field = Some(name.to_owned());
        } else if let Some(values) = line.trim().strip_prefix("Enum:")
            && let (Some(of), Some(field)) = (&of, &field)
        {
            // Every second piece stands between quotes; older generators close more brackets on the line.
            let values: BTreeSet<&str> = values.split('"').skip(1).step_by(2).collect();
            found.insert((of.clone(), field.clone()), values.into_iter().map(str::to_owned).collect());
        }
    }
    found
}
