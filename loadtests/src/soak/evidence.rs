//! The soak's evidence file.

use super::board::{Minute, Second};
use super::closes::{Cause, Close, cause};
use super::facts::{Facts, Spread};
use super::kill::Kill;
use super::ledger::{Gap, Oddity};
use super::memory::Memory;
use super::plan::SoakPlan;
use super::publisher::Counts;
use super::upstream::Upstream;
use super::windows::Windows;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Closes and clients that are written in full.
const WRITTEN: usize = 1_000;

#[derive(Serialize)]
struct File<'a> {
    plan: SoakPlan,
    opened_ms: Option<u64>,
    quiet_ms: u64,
    kill: Option<&'a Kill>,
    upstream: Vec<&'a Upstream>,
    windows: &'a Windows,
    spread: &'a Spread,
    memory: &'a Memory,
    minutes: Vec<Latency>,
    round_trip: Latency,
    failed_upgrades: &'a BTreeMap<String, u64>,
    closes: Vec<Ended<'a>>,
    behind: Vec<(u32, &'a str, u64)>,
    odd_clients: Vec<Client<'a>>,
    seconds: &'a [Second],
}

#[derive(Serialize)]
struct Latency {
    at_ms: u64,
    count: u64,
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    max_ms: f64,
}

#[derive(Serialize)]
struct Ended<'a> {
    #[serde(flatten)]
    close: &'a Close,
    cause: Cause,
}

/// A client that saw something that should not be.
#[derive(Serialize)]
struct Client<'a> {
    client: u32,
    events: u64,
    lost: u64,
    gaps: Vec<(&'a str, &'a Gap)>,
    repeated: u64,
    repeats: &'a [Oddity],
    late: u64,
    lates: &'a [Oddity],
    corrupt: u64,
    malformed: u64,
    messages: Counts,
    unanswered: u64,
    clean: bool,
}

fn latency(minute: &Minute) -> Latency {
    let ms = |quantile| minute.latency.value_at_quantile(quantile) as f64 / 1000.0;
    Latency { at_ms: minute.at_ms, count: minute.latency.len(), p50_ms: ms(0.5), p99_ms: ms(0.99), p999_ms: ms(0.999), max_ms: ms(1.0) }
}

/// Writes `soak-<endpoint>.json` to the platform's folder in the run's; gives its path relative to the run's folder.
pub(super) fn write(run_dir: &Path, platform: &str, facts: &Facts) -> std::io::Result<String> {
    let dir = run_dir.join(platform);
    std::fs::create_dir_all(&dir)?;
    let mut plan = facts.plan.clone();
    plan.endpoint.ca_pem = None; // long, and no evidence
    let odd = facts.ends.iter().filter_map(|end| {
        let (ledger, counts, unanswered) = (&end.ledger, end.publisher.counts, end.publisher.unanswered());
        let wrong = ledger.lost() + ledger.repeated + ledger.late + end.corrupt + end.malformed + counts.disordered + counts.refused + unanswered;
        (wrong > 0 || !end.clean || ledger.events == 0).then(|| Client {
            client: end.client,
            events: ledger.events,
            lost: ledger.lost(),
            gaps: ledger.gaps().collect(),
            repeated: ledger.repeated,
            repeats: &ledger.repeats,
            late: ledger.late,
            lates: &ledger.lates,
            corrupt: end.corrupt,
            malformed: end.malformed,
            messages: counts,
            unanswered,
            clean: end.clean,
        })
    });
    let file = File {
        opened_ms: facts.opened_ms,
        quiet_ms: facts.quiet_ms,
        kill: facts.kill.as_ref().ok(),
        upstream: facts.upstream.iter().flatten().collect(),
        windows: &facts.windows,
        spread: &facts.spread,
        memory: &facts.memory,
        minutes: facts.seen.minutes.iter().map(latency).collect(),
        round_trip: latency(&Minute { at_ms: facts.opened_ms.unwrap_or(0), latency: facts.seen.round_trips.clone() }),
        failed_upgrades: &facts.seen.failed,
        closes: facts.seen.closes.iter().take(WRITTEN).map(|close| Ended { close, cause: cause(close, &facts.windows) }).collect(),
        behind: facts.behind(),
        odd_clients: odd.take(WRITTEN).collect(),
        seconds: &facts.seen.seconds,
        plan,
    };
    let name = format!("soak-{}.json", facts.plan.name);
    let out = std::io::BufWriter::new(std::fs::File::create(dir.join(&name))?);
    serde_json::to_writer(out, &file)?;
    Ok(format!("{platform}/{name}"))
}
