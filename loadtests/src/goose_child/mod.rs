//! The child process that makes the load: one goose attack, then the end.
//!
//! goose keeps one kill switch and one Ctrl-C handler per process and may print what it likes, so each load has a process
//! of its own. The plan comes as the first line of standard input; standard input then stays open, and closing it stops
//! the load. What happened goes to standard output as lines of [`ChildLine`].

mod client;
mod journey;
mod tally;
mod user;

use crate::plan::{LoadPlan, PlanError};
use crate::processor_time::used_ms;
use crate::protocol::{ChildLine, Ended};
use gauntlet_reports::clock::Clock;
use goose::config::GooseConfiguration;
use goose::goose::{Scenario, Transaction};
use goose::{GooseAttack, GooseError};
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::Duration;
use tally::Tally;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use user::Crew;

/// How long users have to finish their requests after a stop. What is still under way then is not counted.
const GRACE: Duration = Duration::from_secs(3);

/// How often the generator looks whether it is starved.
const TICK: Duration = Duration::from_millis(100);

/// Why a child could not make its load.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// Standard input ended before the plan.
    #[error("read the plan from standard input: {0}")]
    Input(std::io::Error),
    /// The first line is no plan.
    #[error("read the plan from standard input: {0}")]
    Json(serde_json::Error),
    /// The plan cannot be run.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The HTTP client cannot be built, from a broken certificate for instance.
    #[error("build the HTTP client: {0}")]
    Client(String),
    /// goose refused the attack.
    #[error("start goose: {0:?}")]
    Goose(Box<GooseError>),
}

// A text holds its cause: as a source of its own it would be told twice.
impl From<std::io::Error> for ChildError {
    fn from(cause: std::io::Error) -> Self {
        ChildError::Input(cause)
    }
}

impl From<serde_json::Error> for ChildError {
    fn from(cause: serde_json::Error) -> Self {
        ChildError::Json(cause)
    }
}

impl From<GooseError> for ChildError {
    fn from(cause: GooseError) -> Self {
        ChildError::Goose(Box::new(cause))
    }
}

/// Reads the plan from the first line of standard input, which stays open.
///
/// # Errors
/// [`ChildError::Input`] and [`ChildError::Json`].
pub fn read_plan() -> Result<LoadPlan, ChildError> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

/// Makes the load of a plan. Returns when the plan is over, on SIGTERM, when standard input closes, or at the deadline.
///
/// # Errors
/// [`ChildError`], when no load could be made at all.
pub async fn child_main(plan: LoadPlan) -> Result<(), ChildError> {
    plan.check()?;
    quieten_goose();
    // goose brings one TLS provider and the suite another: the process must name one. A second call is harmless.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let clock = Clock::from_origin(plan.origin_ns);
    let (lines, writer) = write_lines();
    let stop = CancellationToken::new();
    let stopped_by = stop_when_told(stop.clone());
    let attack = attack(&plan, stop.clone(), Tally::new(clock, &plan, lines.clone()))?;

    let mut execute = std::pin::pin!(attack.goose.execute());
    let deadline = tokio::time::sleep(Duration::from_secs(plan.max_seconds));
    let why = tokio::select! {
        ended = &mut execute => ended.map_or_else(|e| format!("goose failed: {e:?}"), |_| "plan is over".to_owned()),
        () = stop.cancelled() => stopped_by.await.unwrap_or_else(|_| "stopped".to_owned()),
        () = deadline => "deadline".to_owned(),
        () = attack.tally.keep() => unreachable!("keeping the tally never ends"),
    };
    if why != "plan is over" {
        stop.cancel();
        // goose forgets a kill switch that is set before its users run, so it is set until goose has ended.
        let killing = async {
            loop {
                goose::trigger_killswitch("stopped");
                tokio::time::sleep(TICK).await;
            }
        };
        tokio::select! {
            _ = execute => {}
            () = tokio::time::sleep(GRACE) => {}
            () = killing => {}
        }
    }
    attack.tally.flush();
    let _ = lines.send(ChildLine::Ended(Ended { at_ms: clock.now_ms(), why, cpu_ms: used_ms() }));
    drop(lines);
    attack.tally.close();
    let _ = tokio::task::spawn_blocking(move || writer.join()).await;
    Ok(())
}

struct Attack {
    goose: GooseAttack,
    tally: Arc<Tally>,
}

fn attack(plan: &LoadPlan, stop: CancellationToken, tally: Tally) -> Result<Attack, ChildError> {
    let tally = Arc::new(tally);
    let crew = Arc::new(Crew::new(plan, stop, tally.clone())?);
    let (base, shape) = (plan.endpoint.base_url(), plan.goose_test_plan());
    let arguments = ["--host", &base, "--test-plan", &shape, "--no-telnet", "--no-metrics", "-q"];
    // One shared client until the user's own is in place: goose would else build one for each user, with cookies.
    let goose = GooseAttack::initialize_with_config(GooseConfiguration::parse_args_default(&arguments)?)?
        .set_client_builder_without_cookies(goose::client::GooseClientBuilder::new().without_cookies())?
        .register_scenario(
            Scenario::new("journeys")
                .register_transaction(Transaction::new(crew.clone().joins()).set_name("joins").set_on_start())
                .register_transaction(Transaction::new(crew.clone().takes_a_step()).set_name("step"))
                .register_transaction(Transaction::new(crew.leaves()).set_name("leaves").set_on_stop()),
        );
    Ok(Attack { goose, tally })
}

/// A logger that says nothing: goose's own would write warnings to standard output, one for each failed request.
struct Silent;

impl log::Log for Silent {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        false
    }
    fn log(&self, _: &log::Record<'_>) {}
    fn flush(&self) {}
}

fn quieten_goose() {
    // Fails when the program has a logger already; that one then decides.
    let _ = log::set_logger(&Silent);
}

type Lines = tokio::sync::mpsc::UnboundedSender<ChildLine>;

/// A thread that writes lines, so that a slow reader never delays a request.
fn write_lines() -> (Lines, std::thread::JoinHandle<()>) {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<ChildLine>();
    let writer = std::thread::spawn(move || {
        while let Some(line) = receiver.blocking_recv() {
            let text = serde_json::to_string(&line).unwrap_or_default();
            let mut out = std::io::stdout().lock();
            if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
                return; // nobody listens any more; standard input tells the same
            }
        }
    });
    (sender, writer)
}

/// Cancels `stop` on SIGTERM and when standard input closes, and says which it was.
fn stop_when_told(stop: CancellationToken) -> tokio::sync::oneshot::Receiver<String> {
    let (say, said) = tokio::sync::oneshot::channel();
    let (closed, input) = tokio::sync::oneshot::channel::<()>();
    // A thread, not tokio's stdin: a pending read there would hold up the end of the runtime.
    std::thread::spawn(move || {
        let mut rest = String::new();
        while std::io::stdin().lock().read_line(&mut rest).is_ok_and(|n| n > 0) {
            rest.clear();
        }
        let _ = closed.send(());
    });
    tokio::spawn(async move {
        let terminated = async {
            match signal(SignalKind::terminate()) {
                Ok(mut signal) => signal.recv().await,
                Err(_) => std::future::pending().await,
            }
        };
        let why = tokio::select! {
            _ = terminated => "stopped by SIGTERM",
            _ = input => "stopped",
        };
        let _ = say.send(why.to_owned());
        stop.cancel();
    });
    said
}
