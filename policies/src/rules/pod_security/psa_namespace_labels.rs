//! Every namespace says which Pod Security Standard its pods must keep.
//!
//! ## What it does
//! Reports namespaces without the label `pod-security.kubernetes.io/enforce` or with one below `level` (`baseline`),
//! and levels and versions that do not exist in the labels of all three modes. `kube-system` and the other `kube-`
//! namespaces are left out.
//!
//! ## Why it matters
//! Without the label the API server admits every pod: what manifests promise today, nobody keeps tomorrow.
//!
//! ## How to mend it
//! Label the namespace `pod-security.kubernetes.io/enforce: restricted`, or `baseline` where a pod needs more.
//!
//! ## Automatic fix
//! Writes `v1.30` for the version `1.30`, and a level in small letters. A missing label is for a person.
//!
//! ## Example
//! ```yaml
//! kind: Namespace
//! metadata: {name: shop} # reported: no label
//! ```

use crate::fix::replace;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule = Rule {
    id: "SEC025",
    name: "psa-namespace-labels",
    parameters: &[("level", "\"baseline\"")],
    source: include_str!("psa_namespace_labels.rs"),
    check,
};

/// Why a label that does not exist may be mended.
const REFUSED: &str = "The API server refuses the label as it stands: nothing can depend on it.";

const LEVELS: [&str; 3] = ["privileged", "baseline", "restricted"];

fn check(context: &mut Context<'_, '_>) {
    let level = context.parameter("level");
    let rank = |level: &str| LEVELS.iter().position(|known| *known == level);
    let minimum = level.as_str().and_then(rank).unwrap_or(1);
    for namespace in context.index.of_kinds(&["Namespace"]) {
        if namespace.name.starts_with("kube-") {
            continue;
        }
        let root = Field::root(&namespace.root);
        let labels = root.at("metadata.labels");
        let label = |key: String| labels.as_ref().and_then(|labels| labels.get(&key));
        for mode in ["enforce", "audit", "warn"] {
            if let Some(field) = label(format!("pod-security.kubernetes.io/{mode}-version")).filter(|field| !is_version(field.str())) {
                context.wrong(namespace, &field, format!("{} is no version: latest or v1.N", field.node));
                let meant = field.str().map(|text| format!("v{text}")).filter(|text| is_version(Some(text)));
                if let Some(meant) = meant {
                    context.fix(REFUSED, [replace(&field, meant)]);
                }
            }
            let Some(field) = label(format!("pod-security.kubernetes.io/{mode}")) else {
                if mode == "enforce" {
                    let message = format!("namespace {} enforces no Pod Security Standard", namespace.name);
                    context.whole(namespace, message);
                }
                continue;
            };
            match field.str().and_then(rank) {
                None => {
                    context.wrong(namespace, &field, format!("{} is no level: {}", field.node, LEVELS.join(", ")));
                    let small = field.str().map(|text| text.trim().to_ascii_lowercase());
                    if let Some(meant) = small.filter(|text| rank(text).is_some()) {
                        context.fix(REFUSED, [replace(&field, meant)]);
                    }
                }
                Some(found) if mode == "enforce" && found < minimum => {
                    let message = format!("namespace {} enforces only {}, not {}", namespace.name, LEVELS[found], LEVELS[minimum]);
                    context.wrong(namespace, &field, message);
                }
                Some(_) => {}
            }
        }
    }
}

fn is_version(text: Option<&str>) -> bool {
    let minor = text.and_then(|text| text.strip_prefix("v1."));
    text == Some("latest") || minor.is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit()))
}
