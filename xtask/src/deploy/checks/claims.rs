//! Every PersistentVolumeClaim bound.

use super::not_applicable;
use crate::deploy::diagnose;
use crate::deploy::snapshot::{Snapshot, name};
use gauntlet_reports::run::Assertion;

/// `deploy.pvc_bound`: every claim of the namespace is Bound.
pub fn bound(snapshot: &Snapshot) -> Assertion {
    let (id, expected) = ("deploy.pvc_bound", "every PersistentVolumeClaim is Bound");
    if snapshot.claims.is_empty() {
        return not_applicable(id, expected, "the platform claims no volume");
    }
    let mut open = Vec::new();
    for claim in snapshot.claims.iter().filter(|c| diagnose::claim_phase(c) != "Bound") {
        let cause = diagnose::unbound_claim(snapshot, claim).map(|c| c.to_string());
        open.push(cause.unwrap_or_else(|| format!("PersistentVolumeClaim {} is {}", name(claim), diagnose::claim_phase(claim))));
    }
    let count = snapshot.claims.len();
    Assertion::check(id, open.is_empty(), expected, format!("{} of {count} are Bound", count - open.len()), open.join("; "))
}

#[cfg(test)]
mod tests {
    use super::super::objects::typed;
    use super::*;
    use gauntlet_reports::verdict::Verdict;
    use serde_json::json;

    fn snapshot(phase: &str) -> Snapshot {
        Snapshot { claims: vec![typed(json!({"metadata": {"name": "data"}, "status": {"phase": phase}}))], ..Snapshot::default() }
    }

    #[test]
    fn bound_or_named() {
        assert_eq!(bound(&snapshot("Bound")).verdict, Verdict::Pass);
        let open = bound(&snapshot("Pending"));
        assert_eq!((open.verdict, open.reason.as_str()), (Verdict::Fail, "PersistentVolumeClaim data is Pending"));
        assert_eq!(bound(&Snapshot::default()).verdict, Verdict::NotApplicable);
    }
}
