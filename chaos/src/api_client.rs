//! A client that shows what the API server answers.

use kube::{Client, Config};

/// A client that does not repeat requests by itself.
///
/// kube's default client repeats what was answered 429, 503 or 504 up to 15 times, with pauses that double up to minutes
/// (`Config::default_retry`). An eviction that a PodDisruptionBudget refuses is then never seen as refused: the drain
/// stands still until the budget allows it. Chaos and recovery repeat on their own terms, so they take this client.
///
/// # Errors
/// When the configuration's certificates cannot be read.
pub fn without_retries(mut config: Config) -> Result<Client, kube::Error> {
    config.default_retry = false;
    Client::try_from(config)
}
