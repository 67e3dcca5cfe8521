//! Every PodDisruptionBudget has its number, and lets a node be drained.

use super::not_applicable;
use crate::deploy::snapshot::{Snapshot, name};
use gauntlet_reports::run::Assertion;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// `deploy.pdb`: each budget's desiredHealthy is what its spec says of its pods, as many are healthy, and at least one
/// disruption is allowed.
pub fn have_their_number(snapshot: &Snapshot) -> Assertion {
    let (id, expected) = ("deploy.pdb", "each PodDisruptionBudget: desiredHealthy as its spec says, currentHealthy >= desiredHealthy, disruptionsAllowed >= 1");
    if snapshot.budgets.is_empty() {
        return not_applicable(id, expected, "the platform has no PodDisruptionBudget");
    }
    let mut measured = Vec::new();
    let mut wrong = Vec::new();
    for budget in &snapshot.budgets {
        let Some(status) = budget.status.as_ref().filter(|s| s.observed_generation >= budget.metadata.generation) else {
            wrong.push(format!("{}: its controller has not seen it", name(budget)));
            continue;
        };
        measured.push(format!(
            "{}: {} of {} healthy, {} wanted, {} disruptions allowed",
            name(budget),
            status.current_healthy,
            status.expected_pods,
            status.desired_healthy,
            status.disruptions_allowed
        ));
        wrong.extend(fault(budget).map(|f| format!("{}: {f}", name(budget))));
    }
    Assertion::check(id, wrong.is_empty(), expected, measured.join("; "), wrong.join("; "))
}

fn fault(budget: &PodDisruptionBudget) -> Option<String> {
    let status = budget.status.as_ref()?;
    let spec = budget.spec.as_ref()?;
    if status.expected_pods == 0 {
        return Some("its selector matches no pod of a controller".into());
    }
    let wanted = desired(spec, status.expected_pods)?;
    if status.desired_healthy != wanted {
        return Some(format!("desiredHealthy is {}, its spec says {wanted} of {} pods", status.desired_healthy, status.expected_pods));
    }
    if status.current_healthy < wanted {
        return Some(format!("{} of {wanted} wanted pods are healthy", status.current_healthy));
    }
    (status.disruptions_allowed < 1).then(|| format!("no disruption is allowed with {} pods: a node that runs one cannot be drained", status.expected_pods))
}

/// Healthy pods that the spec asks for; percentages round up, as the controller does.
fn desired(spec: &PodDisruptionBudgetSpec, expected: i32) -> Option<i32> {
    if let Some(least) = &spec.min_available {
        return scaled(least, expected);
    }
    let most = spec.max_unavailable.as_ref()?;
    Some((expected - scaled(most, expected)?).max(0))
}

fn scaled(value: &IntOrString, of: i32) -> Option<i32> {
    match value {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(text) => {
            let percent: i32 = text.trim_end_matches('%').parse().ok()?;
            Some((percent * of + 99) / 100)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::objects::typed;
    use super::*;
    use gauntlet_reports::verdict::Verdict;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn snapshot(spec: Value, expected: i32, desired: i32, current: i32, allowed: i32) -> Snapshot {
        let status = json!({"observedGeneration": 1, "expectedPods": expected, "desiredHealthy": desired, "currentHealthy": current, "disruptionsAllowed": allowed});
        Snapshot { budgets: vec![typed(json!({"metadata": {"name": "order", "generation": 1}, "spec": spec, "status": status}))], ..Snapshot::default() }
    }

    #[rstest]
    #[case::good(json!({"minAvailable": 2}), 3, 2, 3, 1, "")]
    #[case::percent_rounds_up(json!({"minAvailable": "50%"}), 3, 2, 3, 1, "")]
    #[case::unavailable(json!({"maxUnavailable": 1}), 3, 2, 3, 1, "")]
    #[case::unavailable_percent(json!({"maxUnavailable": "34%"}), 3, 1, 3, 2, "")]
    #[case::other_number(json!({"minAvailable": 2}), 3, 1, 3, 2, "order: desiredHealthy is 1, its spec says 2 of 3 pods")]
    #[case::unhealthy(json!({"minAvailable": 2}), 3, 2, 1, 0, "order: 1 of 2 wanted pods are healthy")]
    #[case::blocks(json!({"minAvailable": 3}), 3, 3, 3, 0, "order: no disruption is allowed with 3 pods: a node that runs one cannot be drained")]
    #[case::selects_nothing(json!({"minAvailable": 2}), 0, 2, 0, 0, "order: its selector matches no pod of a controller")]
    fn budgets(#[case] spec: Value, #[case] expected: i32, #[case] desired: i32, #[case] current: i32, #[case] allowed: i32, #[case] reason: &str) {
        let seen = have_their_number(&snapshot(spec, expected, desired, current, allowed));
        let verdict = if reason.is_empty() { Verdict::Pass } else { Verdict::Fail };
        assert_eq!((seen.verdict, seen.reason.as_str()), (verdict, reason));
    }

    #[test]
    fn an_unseen_budget_is_no_pass_and_none_is_not_applicable() {
        let mut unseen = snapshot(json!({"minAvailable": 2}), 3, 2, 3, 1);
        unseen.budgets[0].metadata.generation = Some(2);
        assert_eq!(have_their_number(&unseen).verdict, Verdict::Fail);
        assert_eq!(have_their_number(&Snapshot::default()).verdict, Verdict::NotApplicable);
    }
}
