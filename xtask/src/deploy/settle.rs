//! Checks on what controllers bring about a moment later: looked at until they hold, or time is up.

use super::snapshot::Snapshot;
use gauntlet_reports::run::Assertion;
use gauntlet_reports::verdict::Verdict;
use kube::Client;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// One look at a check: the assertion, and whether a longer wait cannot change it.
pub type Look<'a> = &'a (dyn Fn(&Snapshot) -> (Assertion, bool) + Send + Sync);

/// Looks until every check holds, is final, or has had `limit`. Gives back the last word of each, in order, and the last
/// snapshot. The state of several controllers is compared, so one list of everything is taken, not a watch of each.
///
/// # Errors
/// When the API server cannot be asked.
pub async fn settle(client: &Client, namespace: &str, checks: &[(Duration, Look<'_>)], stop: &CancellationToken) -> Result<(Vec<Assertion>, Snapshot), kube::Error> {
    let start = Instant::now();
    loop {
        let snapshot = Snapshot::for_checks(client, namespace).await?;
        let waited = start.elapsed();
        let mut open = false;
        let mut words = Vec::with_capacity(checks.len());
        for (limit, look) in checks {
            let (assertion, last_word) = look(&snapshot);
            let settled = last_word || matches!(assertion.verdict, Verdict::Pass | Verdict::NotApplicable) || waited >= *limit;
            open |= !settled;
            words.push(assertion);
        }
        if !open || stop.is_cancelled() {
            return Ok((words, snapshot));
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}
