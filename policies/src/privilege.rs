//! What the rules of a Role allow, as the API server's authorizer reads them.

use crate::index::{Index, namespace_of};
use crate::rule::Context;
use gauntlet_fixtures::manifest::{Field, Object};
use std::collections::HashMap;

/// Something that a role may allow: verbs on a resource.
pub(crate) struct Privilege {
    /// Its API group; empty for the core group.
    pub group: &'static str,
    /// The resource, with its subresource behind a slash.
    pub resource: &'static str,
    /// The verbs that matter.
    pub verbs: &'static [&'static str],
}

/// A rule of a role that allows a privilege.
pub(crate) struct Grant<'a> {
    /// The Role or ClusterRole.
    pub role: &'a Object,
    /// The resource as the rule names it, such as `*`: the place to show.
    pub resource: Field<'a>,
    /// What it allows.
    pub privilege: &'static Privilege,
    /// The verbs that it allows of those that matter.
    pub verbs: Vec<&'static str>,
    /// True: only for objects that it names.
    pub is_for_named: bool,
}

impl Grant<'_> {
    /// `role shop allows create of pods/exec`.
    pub fn message(&self) -> String {
        let (verbs, resource) = (self.verbs.join(", "), self.privilege.resource);
        let by = match self.resource.str() {
            Some(written) if written != resource => format!(" by {written}"),
            _ => String::new(),
        };
        format!("{} {} allows {verbs} of {resource}{by}", self.role.kind, self.role.name)
    }
}

/// Every rule of every role that allows one of the privileges.
pub(crate) fn grants<'a>(index: &Index<'a>, privileges: &'static [Privilege]) -> Vec<Grant<'a>> {
    let mut grants = Vec::new();
    for role in index.of_kinds(&["Role", "ClusterRole"]) {
        for rule in Field::root(&role.root).items_at("rules") {
            let (groups, resources, verbs) = (rule.items_at("apiGroups"), rule.items_at("resources"), rule.items_at("verbs"));
            let is = |item: &Field<'_>, wanted: &str| item.str().is_some_and(|text| text == "*" || text == wanted);
            let has = |items: &[Field<'_>], wanted: &str| items.iter().any(|item| is(item, wanted));
            for privilege in privileges.iter().filter(|privilege| has(&groups, privilege.group)) {
                let allowed: Vec<&str> = privilege.verbs.iter().copied().filter(|verb| has(&verbs, verb)).collect();
                let resource = resources.iter().find(|item| item.str().is_some_and(|written| names(written, privilege.resource)));
                if let Some(resource) = resource.filter(|_| !allowed.is_empty()) {
                    let is_for_named = !rule.items_at("resourceNames").is_empty();
                    grants.push(Grant { role, resource: resource.clone(), privilege, verbs: allowed, is_for_named });
                }
            }
        }
    }
    grants
}

/// The grants that a rule with the parameter `people` reports: those that only people have are left out unless it is true.
pub(crate) fn grants_to_programs<'a>(context: &Context<'_, 'a>, privileges: &'static [Privilege]) -> Vec<Grant<'a>> {
    let mut grants = grants(context.index, privileges);
    if context.parameter("people") != serde_json::Value::Bool(true) {
        let holders = Holders::new(context.index);
        grants.retain(|grant| !holders.are_people(grant.role));
    }
    grants
}

/// Which roles only people have: bound to users and groups, and to no program.
struct Holders<'a> {
    /// By kind, namespace (empty for ClusterRoles) and name of a bound role: no program is among its subjects.
    only_people: HashMap<(&'a str, &'a str, &'a str), bool>,
}

impl<'a> Holders<'a> {
    /// Reads all bindings.
    fn new(index: &Index<'a>) -> Self {
        let mut only_people = HashMap::new();
        for binding in index.of_kinds(&["RoleBinding", "ClusterRoleBinding"]) {
            let root = Field::root(&binding.root);
            let kind = root.str_at("roleRef.kind").unwrap_or_default();
            let namespace = if kind == "Role" { namespace_of(binding) } else { "" };
            let name = root.str_at("roleRef.name").unwrap_or_default();
            let people = root.items_at("subjects").iter().all(is_people);
            *only_people.entry((kind, namespace, name)).or_insert(true) &= people;
        }
        Self { only_people }
    }

    /// True: bound, and only to people. A role that nobody binds may be a program's tomorrow.
    fn are_people(&self, role: &'a Object) -> bool {
        let namespace = if role.kind == "Role" { namespace_of(role) } else { "" };
        self.only_people.get(&(&role.kind, namespace, &role.name)) == Some(&true)
    }
}

/// Names with `system:` are service accounts, components, or everybody.
fn is_people(subject: &Field<'_>) -> bool {
    let is_login = matches!(subject.str_at("kind"), Some("User" | "Group"));
    is_login && !subject.str_at("name").is_some_and(|name| name.starts_with("system:"))
}

/// True: a resource of a rule means this one. `*` is everything, `*/exec` the subresource of everything; `pods` does not
/// reach to `pods/exec`, and `pods/*` is no pattern.
fn names(written: &str, resource: &str) -> bool {
    let by_subresource = match (written.strip_prefix("*/"), resource.split_once('/')) {
        (Some(wanted), Some((_, subresource))) => wanted == subresource,
        _ => false,
    };
    // The fields of `userextras` are named as subresources.
    let is_extra = resource == "userextras" && written.starts_with("userextras/");
    written == "*" || written == resource || by_subresource || is_extra
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn resources_are_matched_as_the_authorizer_does() {
        for (written, resource) in [("*", "pods"), ("*", "pods/exec"), ("pods/exec", "pods/exec"), ("*/exec", "pods/exec")] {
            assert!(names(written, resource), "{written} {resource}");
        }
        for written in ["pods", "pods/*", "*/log", "pod/exec"] {
            assert!(!names(written, "pods/exec"), "{written}");
        }
        for written in ["*/exec", "pod", "pods/exec"] {
            assert!(!names(written, "pods"), "{written}");
        }
    }
}
