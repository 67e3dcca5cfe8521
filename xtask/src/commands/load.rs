//! `cargo xtask load`: load without a platform: the open-loop generator by hand.

use anyhow::{Context as _, Result, bail};
use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_loadtests::open_loop::access_log::replay;
use gauntlet_loadtests::open_loop::arrivals::{Shape, Spacing};
use gauntlet_loadtests::open_loop::recording::{Recording, Times};
use gauntlet_loadtests::open_loop::{OpenPlan, run as make_load};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

/// Sends load to something on this machine.
#[derive(Debug, clap::Args)]
pub struct LoadArgs {
    #[command(subcommand)]
    verb: LoadVerb,
}

#[derive(Debug, clap::Subcommand)]
enum LoadVerb {
    Open(Box<OpenArgs>),
}

/// Sends requests at their intended times, whatever became of those before them.
///
/// Latency runs from the intended time to the end of the body. Only 127.0.0.0/8 and ::1 are loaded.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 within the limits given, 1 not, 2 could not judge: the generator itself was late.\n\nExamples:\n  \
    cargo xtask load open http://127.0.0.1:8080/orders --shape constant:200@30\n  \
    cargo xtask load open https://127.0.0.1:8443/health --host shop.example --ca ca.pem --shape ramp:10..500@60 --p99-ms 250 --errors 0.01\n  \
    cargo xtask load open http://127.0.0.1:8080/ --shape sine:100+-50/60@300 --even --json\n  \
    cargo xtask load open http://127.0.0.1:8080/ --replay access.log --speed 10")]
pub struct OpenArgs {
    /// Where to, with the path.
    #[arg(value_name = "URL")]
    url: String,
    /// constant:RATE, ramp:FROM..TO, spike:BASE..PEAK, step:RATE,RATE,… or sine:MEAN+-AMPLITUDE/PERIOD, each with @SECONDS. Requests per second.
    #[arg(long, value_name = "SHAPE", required_unless_present = "replay")]
    shape: Option<String>,
    /// An access log: requests leave as they came, all of them to the URL.
    #[arg(long, value_name = "LOG", conflicts_with = "shape")]
    replay: Option<PathBuf>,
    /// So many times as fast as in the log.
    #[arg(long, value_name = "FACTOR", requires = "replay", default_value_t = 1.0)]
    speed: f64,
    /// Evenly spaced, not as a Poisson process.
    #[arg(long)]
    even: bool,
    /// Seed of the arrivals.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The Host header and TLS's server name; else the URL's host.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// The certificate authority that https is trusted by, PEM.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The method.
    #[arg(long, default_value = "GET")]
    method: String,
    /// NAME: VALUE.
    #[arg(long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// The body of each request.
    #[arg(long, value_name = "TEXT", default_value = "")]
    body: String,
    /// The status that counts as an answer.
    #[arg(long, value_name = "STATUS", default_value_t = 200)]
    expect: u16,
    /// At most so many connections.
    #[arg(long, value_name = "N", default_value_t = 256)]
    connections: usize,
    /// Threads that send.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// A request that takes longer has failed.
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    timeout_ms: u64,
    /// The limit of the 99th percentile.
    #[arg(long, value_name = "MS")]
    p99_ms: Option<f64>,
    /// The limit of failed and dropped requests, 0 to 1.
    #[arg(long, value_name = "RATIO")]
    errors: Option<f64>,
    /// Everything, the histograms too.
    #[arg(long)]
    json: bool,
}

/// Runs a verb.
///
/// # Errors
/// When there can be no such load.
pub async fn run(args: LoadArgs) -> Result<u8> {
    match args.verb {
        LoadVerb::Open(args) => open(&args).await,
    }
}

async fn open(args: &OpenArgs) -> Result<u8> {
    let plan = plan(args)?;
    let stop = CancellationToken::new();
    let on_signal = stop.clone();
    // What was seen until then is told.
    let listening = tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        on_signal.cancel();
    });
    if !args.json {
        eprintln!("{:.0} s of load to {} (seed {})", plan.shape.seconds(), args.url, plan.seed);
    }
    let seen = tokio::task::spawn_blocking(move || make_load(&plan, &stop)).await.context("the generator died")??;
    listening.abort();
    if args.json { println!("{}", serde_json::to_string_pretty(&seen)?) } else { print!("{}", told(&seen)) }
    let broken = broken(&seen, args);
    broken.iter().for_each(|limit| eprintln!("{limit}"));
    if let Some(why) = seen.starved() {
        eprintln!("could not judge: {why}");
        return Ok(2);
    }
    Ok(u8::from(!broken.is_empty()))
}

fn plan(args: &OpenArgs) -> Result<OpenPlan> {
    let url = reqwest::Url::parse(&args.url).with_context(|| format!("{} is no URL", args.url))?;
    let tls = match url.scheme() {
        "http" => false,
        "https" => true,
        other => bail!("{other} is no scheme that can be loaded: http or https is wanted"),
    };
    let name = url.host_str().with_context(|| format!("{} names no host", args.url))?;
    let port = url.port_or_known_default().unwrap_or(80);
    let address = address(name.trim_start_matches('[').trim_end_matches(']'), port)?;
    let ca_pem = args.ca.as_ref().map(|file| std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))).transpose()?;
    let header = |text: &String| {
        let (name, value) = text.split_once(':').with_context(|| format!("--header {text}: NAME: VALUE is wanted"))?;
        anyhow::Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    let query = url.query().map_or(String::new(), |q| format!("?{q}"));
    Ok(OpenPlan {
        endpoint: Endpoint { address, host: args.host.clone().unwrap_or_else(|| name.to_owned()), tls, ca_pem, health_path: "/".to_owned() },
        method: args.method.clone(),
        path: format!("{}{query}", url.path()),
        headers: args.headers.iter().map(header).collect::<Result<_>>()?,
        body: args.body.clone().into_bytes(),
        expect_status: args.expect,
        shape: shape(args)?,
        spacing: if args.even { Spacing::Even } else { Spacing::Poisson },
        seed: args.seed,
        connections: args.connections.max(1),
        queue: args.connections.max(1) * 100,
        timeout_ms: args.timeout_ms,
        threads: usize::from(args.threads),
    })
}

fn shape(args: &OpenArgs) -> Result<Shape> {
    match (&args.replay, &args.shape) {
        (Some(file), _) => {
            let log = std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
            replay(&log, args.speed).with_context(|| format!("{}", file.display()))
        }
        (None, Some(text)) => Ok(Shape::parse(text)?),
        (None, None) => bail!("--shape or --replay is wanted"),
    }
}

/// The host's address on this machine, where it has one.
fn address(host: &str, port: u16) -> Result<SocketAddr> {
    let all: Vec<_> = (host, port).to_socket_addrs().with_context(|| format!("{host} has no address"))?.collect();
    all.iter().find(|a| a.ip().is_loopback()).or(all.first()).copied().with_context(|| format!("{host} has no address"))
}

fn told(seen: &Recording) -> String {
    let line = |name: &str, times: &Times| {
        let at = |q| times.ms(q).map_or("-".to_owned(), |ms| format!("{ms:.1}"));
        format!("{name:<22}{:>9}{:>9}{:>9}{:>9}{:>9}\n", at(0.5), at(0.9), at(0.99), at(0.999), at(1.0))
    };
    let mut text = format!("{} due, {} answered, {} failed, {} dropped, {} connections, {:.1} s of processor time\n", seen.due, seen.ok, seen.failed(), seen.dropped, seen.connections, seen.cpu_ms as f64 / 1000.0);
    for (cause, count) in &seen.errors {
        text += &format!("  {count} x {cause}\n");
    }
    text += &format!("{:<22}{:>9}{:>9}{:>9}{:>9}{:>9}\n", "ms", "p50", "p90", "p99", "p99.9", "max");
    text += &line("latency, as intended", &seen.latency);
    text += &line("service, once sent", &seen.service);
    text += &line("wait for a connection", &seen.wait);
    text + &line("generator's lag", &seen.lag)
}

/// The limits that were not kept.
fn broken(seen: &Recording, args: &OpenArgs) -> Vec<String> {
    let mut broken = Vec::new();
    if let Some(limit) = args.p99_ms {
        match seen.latency.ms(0.99) {
            Some(p99) if p99 > limit => broken.push(format!("p99 is {p99:.1} ms, at most {limit} is wanted")),
            None => broken.push("no request was answered".to_owned()),
            _ => {}
        }
    }
    let lost = seen.failed() + seen.dropped;
    let ratio = if seen.due == 0 { 0.0 } else { lost as f64 / seen.due as f64 };
    if let Some(limit) = args.errors.filter(|limit| ratio > *limit) {
        broken.push(format!("{lost} of {} requests failed or were dropped ({ratio:.4}), at most {limit} is wanted", seen.due));
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: OpenArgs,
    }

    fn args(more: &[&str]) -> OpenArgs {
        Cli::parse_from([&["load", "http://127.0.0.1:8080/orders?page=2", "--shape", "constant:5@1"], more].concat()).args
    }

    #[test]
    fn a_url_becomes_an_endpoint() {
        let plan = plan(&args(&["--host", "shop.example", "--header", "x-a: 1:2"])).expect("a plan");
        assert_eq!((plan.path.as_str(), plan.endpoint.host.as_str(), plan.endpoint.address.port()), ("/orders?page=2", "shop.example", 8080));
        assert_eq!(plan.headers, [("x-a".to_owned(), "1:2".to_owned())]);
    }

    #[test]
    fn limits_that_are_not_kept_are_named() {
        let args = args(&["--p99-ms", "5", "--errors", "0.1"]);
        let mut seen = Recording { due: 10, ok: 8, dropped: 2, ..Recording::default() };
        (0..8).for_each(|_| seen.latency.add_ns(9_000_000));
        let told = broken(&seen, &args).join("; ");
        assert!(told.contains("p99 is 9.0 ms, at most 5") && told.contains("2 of 10 requests"), "{told}");
        assert_eq!(broken(&Recording { dropped: 0, due: 8, ..seen }, &OpenArgs { p99_ms: Some(50.0), ..args }), Vec::<String>::new());
    }
}
