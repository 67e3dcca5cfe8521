//! Ctrl-C: the first asks every stage to recover its faults and stop, the second gives up waiting.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that the first Ctrl-C or SIGTERM cancels. The second ends the process at once; what is journaled is
/// recovered by the next run.
///
/// # Errors
/// When the signals cannot be listened to.
pub fn token() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let asked = token.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if asked.is_cancelled() {
                eprintln!("stopped at once; `cargo xtask recover` takes back what is left of faults");
                std::process::exit(130);
            }
            eprintln!("stopping: faults are taken back and the report is written (Ctrl-C again stops at once)");
            asked.cancel();
        }
    });
    Ok(token)
}
