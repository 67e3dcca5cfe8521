//! Evictions: the API that asks PodDisruptionBudgets before a pod goes.

use crate::cluster_view::PodView;
use crate::error::ChaosError;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::{Eviction, PodDisruptionBudget};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, ObjectMeta, Preconditions};
use kube::api::{Api, PostParams};
use kube::core::Status;

/// The answer to one eviction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The pod goes (or would go, for a dry run).
    Admitted,
    /// 429: it would break a budget. The API server's own words.
    Refused(String),
    /// The pod is not there any more, or another one has its name.
    Gone,
}

/// What became of the evictions of a drain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evictions {
    /// Pods that went, in order.
    pub admitted: Vec<String>,
    /// Real evictions that were answered 429 and tried again.
    pub refused: u32,
    /// Dry-run evictions beyond the budget that were answered 429.
    pub probes_refused: u32,
    /// Dry-run evictions beyond the budget that were admitted: the budget is not honoured.
    pub violations: Vec<String>,
    /// Pods that could not be evicted in time, with the last answer.
    pub left: Vec<String>,
    /// Budgets that select the evicted pods.
    pub budgets: Vec<String>,
    /// Disruptions that the budgets still allowed when they were probed (0: used up).
    pub least_allowed: Option<i32>,
}

/// Evicts a pod by name and UID.
///
/// kube's own `Api::evict` writes `delete_options`, which the API server does not read; so the UID would not be checked.
///
/// # Errors
/// Any answer but 2xx, 404, 409 and 429.
pub async fn evict(pods: &Api<Pod>, pod: &PodView, dry_run: bool) -> Result<Answer, ChaosError> {
    let preconditions = Preconditions { uid: Some(pod.uid.clone()), ..Default::default() };
    let body = Eviction {
        metadata: ObjectMeta { name: Some(pod.name.clone()), ..Default::default() },
        delete_options: Some(DeleteOptions { preconditions: Some(preconditions), ..Default::default() }),
    };
    let params = PostParams { dry_run, ..Default::default() };
    match pods.create_subresource::<_, Status>("eviction", &pod.name, &params, &body).await {
        Ok(_) => Ok(Answer::Admitted),
        Err(kube::Error::Api(status)) if status.code == 429 => Ok(Answer::Refused(status.message.clone())),
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(Answer::Gone),
        Err(error) => Err(ChaosError::kubernetes(format!("evict pod {}", pod.name))(error)),
    }
}

async fn allowed(budgets: &Api<PodDisruptionBudget>, name: &str) -> Result<Option<i32>, ChaosError> {
    let budget = budgets.get_opt(name).await.map_err(ChaosError::kubernetes(format!("read budget {name}")))?;
    Ok(budget.and_then(|b| b.status).map(|s| s.disruptions_allowed))
}

/// Asks, without doing it, whether one more eviction than the budget allows would be admitted. Says nothing while the
/// budget still allows one.
///
/// The budget is read before and after: only when both say "none allowed" is an admission a violation.
///
/// # Errors
/// When the API server refuses for another reason.
pub async fn probe_budget(
    pods: &Api<Pod>,
    budgets: &Api<PodDisruptionBudget>,
    budget: &str,
    candidate: &PodView,
    evictions: &mut Evictions,
) -> Result<(), ChaosError> {
    let Some(before) = allowed(budgets, budget).await? else { return Ok(()) };
    evictions.least_allowed = Some(evictions.least_allowed.map_or(before, |l| l.min(before)));
    if before > 0 {
        return Ok(());
    }
    match evict(pods, candidate, true).await? {
        Answer::Refused(_) => evictions.probes_refused += 1,
        Answer::Gone => {}
        Answer::Admitted => {
            if allowed(budgets, budget).await? == Some(0) {
                let what = format!("budget {budget} allowed no disruption, yet an eviction of {} was admitted", candidate.name);
                evictions.violations.push(what);
            }
        }
    }
    Ok(())
}
