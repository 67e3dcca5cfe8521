//! Where the API server is milder than its OpenAPI, and where another rule says it better.

use gauntlet_fixtures::manifest::Object;

/// Fields that the OpenAPI calls required, but the API server fills in or takes as empty.
const FILLED_IN: [(&str, &str); 6] = [
    (".RoleRef", "apiGroup"),
    (".HTTPHeader", "value"),
    (".ISCSIVolumeSource", "lun"),
    (".ISCSIPersistentVolumeSource", "lun"),
    (".ControllerRevision", "revision"),
    (".CSIDriver", "spec"),
];

/// True: an object without the field is taken.
pub(super) fn is_filled_in(of: &str, field: &str) -> bool {
    FILLED_IN.iter().any(|(owner, name)| of.ends_with(owner) && field == *name)
}

/// True: the field is a label or an annotation that the rule label-values judges.
pub(super) fn is_label(object: &Object, path: &str) -> bool {
    const BELOW: [&str; 4] = ["metadata.labels", "metadata.annotations", "spec.selector.matchLabels", "spec.nodeSelector"];
    const PODS: [&str; 3] = ["", "spec.template.", "spec.jobTemplate.spec.template."];
    // The last step of the path is the label's own name, in brackets when it has dots.
    let at = path.find("['").or_else(|| path.rfind('.')).unwrap_or(path.len());
    let map = &path[..at];
    let of_pod = PODS.iter().any(|pod| map.strip_prefix(pod).is_some_and(|rest| BELOW.contains(&rest)));
    of_pod || (object.kind == "Service" && map == "spec.selector")
}
