//! Which errors of the API server pass by themselves, and how long they are given.

use std::time::Duration;
use tokio::time::Instant;

/// How long and how often a request is tried again.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// From the first try until the last error counts.
    pub limit: Duration,
    /// The first pause; each next one is twice as long, up to `longest_pause`.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { limit: Duration::from_secs(45), first_pause: Duration::from_millis(200), longest_pause: Duration::from_secs(3) }
    }
}

/// Whether the same request may succeed a moment later. `Some` names the condition for a person.
///
/// Shortly after a control plane starts, RBAC's own roles are not there yet and everything is forbidden for a moment;
/// a quota or a Pod Security refusal carries the same code and is final.
pub fn transient(error: &kube::Error) -> Option<String> {
    match error {
        kube::Error::Api(status) => {
            let message = status.message.as_str();
            match status.code {
                403 if message.contains("User \"") && message.contains("cannot") => Some("access not granted yet".into()),
                403 if message.contains("being terminated") => Some("the namespace is still being terminated".into()),
                403 if message.contains("not yet ready to handle request") => Some("admission not ready yet".into()),
                409 => Some("a conflicting change".into()),
                429 => Some("the API server is busy".into()),
                code if code >= 500 => Some(format!("the API server answered {code}: {message}")),
                _ => None,
            }
        }
        kube::Error::HyperError(e) => Some(format!("connection: {e}")),
        kube::Error::Service(e) => Some(format!("connection: {e}")),
        kube::Error::ReadEvents(e) => Some(format!("connection: {e}")),
        _ => None,
    }
}

/// True when the error says that no API server answered at all.
pub fn unreachable(error: &kube::Error) -> bool {
    matches!(error, kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_))
}

/// Calls `request` until it succeeds, fails for good, or patience ends. `on_retry` hears why it is tried again.
///
/// # Errors
/// The last error.
pub async fn retry<T, F, Fut>(patience: Patience, mut on_retry: impl FnMut(&str), mut request: F) -> Result<T, kube::Error>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, kube::Error>>,
{
    let end = Instant::now() + patience.limit;
    let mut pause = patience.first_pause;
    loop {
        let error = match request().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        match transient(&error) {
            Some(why) if Instant::now() + pause < end => on_retry(&why),
            _ => return Err(error),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(patience.longest_pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;
    use rstest::rstest;

    const SHORT: Patience = Patience { limit: Duration::from_millis(200), first_pause: Duration::from_millis(1), longest_pause: Duration::from_millis(10) };

    fn api(code: u16, message: &str) -> kube::Error {
        kube::Error::Api(Box::new(Status { code, ..Status::failure(message, "") }))
    }

    #[rstest]
    #[case(403, r#"secrets is forbidden: User "kubernetes-admin" cannot patch resource "secrets""#, true)]
    #[case(403, r#"pods "a" is forbidden: exceeded quota: small, requested: cpu=1"#, false)]
    #[case(403, r#"pods "a" is forbidden: violates PodSecurity "restricted:latest""#, false)]
    #[case(403, r#"unable to create new content in namespace x because it is being terminated"#, true)]
    #[case(409, "the object has been modified", true)]
    #[case(422, "Invalid value", false)]
    #[case(404, "not found", false)]
    #[case(429, "too many requests", true)]
    #[case(500, "failed calling webhook", true)]
    fn only_what_passes_by_itself_is_tried_again(#[case] code: u16, #[case] message: &str, #[case] again: bool) {
        assert_eq!(transient(&api(code, message)).is_some(), again);
    }

    #[tokio::test]
    async fn patience_ends() {
        let mut tries = 0;
        let mut heard = 0;
        let result: Result<(), _> = retry(SHORT, |_| heard += 1, || {
            tries += 1;
            async { Err(api(500, "etcd leader changed")) }
        })
        .await;
        assert!(result.is_err());
        assert!(tries > 3 && heard == tries - 1, "{tries} tries, {heard} heard");
    }

    #[tokio::test]
    async fn a_final_error_is_not_tried_again() {
        let mut tries = 0;
        let result: Result<(), _> = retry(SHORT, |_| (), || {
            tries += 1;
            async { Err(api(422, "Invalid value")) }
        })
        .await;
        assert!(result.is_err());
        assert_eq!(tries, 1);
    }
}
