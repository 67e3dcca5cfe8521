//! Whether a Redis with replicas and sentinels is whole.

use super::{RedisStore, open};
use crate::error::ChaosError;
use crate::store::Place;
use std::collections::BTreeMap;

/// What one server says of itself, from `INFO`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Server {
    /// `master` or `slave`.
    pub role: String,
    /// A replica's link to its master is up.
    pub link_up: bool,
    /// Replicas that are connected to it.
    pub replicas: usize,
    /// Names the process: the same one is the same server, by whatever address it was reached.
    pub run_id: String,
}

/// All that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Each server: its pod, and what it says.
    pub servers: Vec<(String, Result<Server, String>)>,
    /// Each sentinel: its pod, and the address of the master that it names. Empty: there are no sentinels.
    pub sentinels: Vec<(String, Result<String, String>)>,
    /// The server at the address that the sentinels name.
    pub named: Option<Result<Server, String>>,
}

/// Reads `INFO`: `key:value` lines.
pub fn parse_info(lines: &[String]) -> Result<Server, String> {
    let fields: BTreeMap<&str, &str> = lines.iter().filter_map(|line| line.trim_end().split_once(':')).collect();
    let role = fields.get("role").ok_or_else(|| format!("INFO names no role: {}", lines.join(" ")))?;
    Ok(Server {
        role: (*role).to_owned(),
        link_up: fields.get("master_link_status") == Some(&"up"),
        replicas: fields.get("connected_slaves").and_then(|n| n.parse().ok()).unwrap_or_default(),
        run_id: fields.get("run_id").map(|id| (*id).to_owned()).unwrap_or_default(),
    })
}

/// Asks every server and every sentinel.
///
/// # Errors
/// When a workload of the store does not exist.
pub async fn ask(place: &Place<'_>) -> Result<Facts, String> {
    let told = |e: ChaosError| format!("failed to {e}");
    let mut pods = of_workload(place, &place.store.stateful_set).await.map_err(told)?;
    if let Some(replicas) = place.option("replicas") {
        pods.extend(of_workload(place, replicas).await.map_err(told)?);
    }
    let mut facts = Facts::default();
    for pod in pods {
        let info = async { open(place, &pod).await?.ask(&["INFO"]).await }.await;
        facts.servers.push((pod, info.map_err(told).and_then(|lines| parse_info(&lines))));
    }
    let Some(workload) = place.option("sentinel") else { return Ok(facts) };
    let port = place.option("sentinelPort").and_then(|p| p.parse().ok()).unwrap_or(26379);
    let master = place.option("master").unwrap_or("mymaster");
    for pod in of_workload(place, workload).await.map_err(told)? {
        let named = async {
            let sentinel = at_sentinel(place, &pod, port).await?;
            let address = sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", master]).await?;
            Ok::<_, ChaosError>((sentinel, address))
        };
        match named.await.map_err(told) {
            Ok((sentinel, address)) if address.len() >= 2 => {
                if facts.named.is_none() {
                    let info = sentinel.ask_at(&address[0], &address[1], place).await.map_err(told);
                    facts.named = Some(info.and_then(|lines| parse_info(&lines)));
                }
                facts.sentinels.push((pod, Ok(address.join(":"))));
            }
            Ok(_) => facts.sentinels.push((pod, Err(format!("it knows no master {master}")))),
            Err(why) => facts.sentinels.push((pod, Err(why))),
        }
    }
    if facts.sentinels.is_empty() {
        return Err(format!("{workload} has no pods"));
    }
    Ok(facts)
}

/// As many pods as the workload wants; one that is missing counts as one that does not answer.
async fn of_workload(place: &Place<'_>, workload: &str) -> Result<Vec<String>, ChaosError> {
    let found = place.workload(workload).await?;
    let missing = found.desired.saturating_sub(found.pods.len());
    let mut pods = found.pods;
    pods.extend((0..missing).map(|n| format!("missing pod {} of {workload}", n + 1)));
    Ok(pods)
}

async fn at_sentinel(place: &Place<'_>, pod: &str, port: u16) -> Result<RedisStore, ChaosError> {
    // A sentinel's own password is rarely set; one that is not asked for would be refused.
    Ok(RedisStore { shell: Box::new(place.container(pod, port).await?), login: None, port })
}

impl RedisStore {
    /// `INFO` of the server at an address, as this container reaches it.
    async fn ask_at(&self, host: &str, port: &str, place: &Place<'_>) -> Result<Vec<String>, ChaosError> {
        let login = place.login().await?;
        let command = crate::pod_exec::Command::new(&["redis-cli", "-e", "-h", host, "-p", port, "--raw", "INFO"]);
        let command = command.with_secret("REDISCLI_AUTH", login.as_ref().map(|l| l.password.as_str()));
        self.shell.lines(&command, super::SOON).await
    }
}

/// One master, the one that all sentinels name; every other server is its replica and has its link up.
pub fn judge(facts: &Facts) -> Result<String, String> {
    let silent = |all: &[(String, String)]| all.iter().map(|(pod, why)| format!("{pod}: {why}")).collect::<Vec<_>>();
    let failed: Vec<_> = facts.servers.iter().filter_map(|(pod, s)| Some((pod.clone(), s.as_ref().err()?.clone()))).collect();
    let mut wrong = silent(&failed);
    let known: Vec<(&str, &Server)> = facts.servers.iter().filter_map(|(pod, s)| Some((pod.as_str(), s.as_ref().ok()?))).collect();
    let masters: Vec<&(&str, &Server)> = known.iter().filter(|(_, s)| s.role == "master").collect();
    match masters[..] {
        [] => wrong.push("no server is a master".to_owned()),
        [(pod, master)] => {
            let down: Vec<_> = known.iter().filter(|(_, s)| s.role != "master" && !s.link_up).map(|(p, _)| format!("{p} has no link to its master")).collect();
            wrong.extend(down);
            if master.replicas + 1 < facts.servers.len() {
                wrong.push(format!("{} of {} replicas are connected to {pod}", master.replicas, facts.servers.len() - 1));
            }
        }
        _ => wrong.push(format!("{} are all masters", masters.iter().map(|(pod, _)| *pod).collect::<Vec<_>>().join(", "))),
    }
    let deaf: Vec<_> = facts.sentinels.iter().filter_map(|(pod, s)| Some((pod.clone(), s.as_ref().err()?.clone()))).collect();
    wrong.extend(silent(&deaf));
    let mut addresses: Vec<&str> = facts.sentinels.iter().filter_map(|(_, s)| Some(s.as_ref().ok()?.as_str())).collect();
    addresses.sort_unstable();
    addresses.dedup();
    if addresses.len() > 1 {
        wrong.push(format!("the sentinels name different masters: {}", addresses.join(", ")));
    }
    match &facts.named {
        Some(Err(why)) => wrong.push(format!("the master that the sentinels name does not answer: {why}")),
        Some(Ok(server)) if server.role != "master" => wrong.push(format!("the sentinels name {}, which is a {}", addresses.join(", "), server.role)),
        Some(Ok(server)) if masters.len() == 1 && masters[0].1.run_id != server.run_id => {
            wrong.push(format!("the sentinels name {}, which is none of the store's pods", addresses.join(", ")));
        }
        _ => {}
    }
    if !wrong.is_empty() {
        return Err(wrong.join("; "));
    }
    let by = if facts.sentinels.is_empty() { String::new() } else { format!(", {} sentinels name it", facts.sentinels.len()) };
    Ok(format!("{} is the master{by}, and {} replicas follow", masters[0].0, facts.servers.len() - 1))
}
