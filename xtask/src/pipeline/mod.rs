//! A run from its options to its report.

pub mod consent;
pub mod dry_run;
pub mod gates;
pub mod interrupt;
pub mod options;
pub mod platforms;
pub mod recovery;
pub mod stages;

pub use options::Options;

use crate::cluster::existing::ExistingProvider;
use crate::cluster::kind::KindProvider;
use crate::cluster::{BringUp, Cluster, Provider, cleaning};
use crate::lock::RunLock;
use crate::machine::{self, Facts};
use crate::provision::cache::Cache;
use crate::provision::context::Context;
use crate::provision::needed::Needed;
use anyhow::{Context as _, Result};
use gates::Gates;
use gauntlet_fixtures::platform::LoadedPlatform;
use gauntlet_reports::clock::Clock;
use gauntlet_reports::event::EventKind;
use gauntlet_reports::recorder::Recorder;
use gauntlet_reports::render::{self, live};
use gauntlet_reports::run::{PlatformReport, Run, StageName, StageReport};
use gauntlet_reports::verdict::Verdict;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The repository's root, for fixtures and default report folders.
pub fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// Runs everything that was asked for. The exit code is the verdict's.
///
/// # Errors
/// When nothing could be judged: bad input, a second run, no disk, no permission.
pub async fn run(options: Options) -> Result<u8> {
    let repo = repo();
    let chosen = platforms::choose(&repo.join("fixtures"), &options.args.platform)?;
    if options.args.dry_run {
        return dry_run::print(&options, &chosen).await;
    }
    let cache = Cache::locate()?;
    // What needs no cluster disturbs nobody.
    let _lock = options.needs_cluster().then(|| RunLock::take(cache.root(), &options.run_id)).transpose()?;
    let out = options.out(&repo)?;
    std::fs::create_dir_all(&out).with_context(|| format!("failed to make the report's folder {}", out.display()))?;
    let stop = interrupt::token()?;
    let clock = Clock::start();
    let recorder = Recorder::create(clock, &out.join("events.jsonl")).with_context(|| format!("failed to write to {}", out.display()))?;
    let json = options.args.format == "json";
    recorder.listen(live::listener(options.live()));
    recorder.emit(EventKind::RunStarted { run_id: options.run_id.clone(), seed: options.seed });

    let ctx = Context { cache, repo, recorder: recorder.clone(), no_provision: options.args.no_provision };
    let session = Session { options, ctx, recorder, out, stop };
    let run = session.verify(&chosen).await?;
    session.recorder.emit(EventKind::RunEnded { verdict: run.verdict });
    render::write_all(&session.out, &run, &session.recorder.events())?;
    if !json {
        eprintln!("{}: {}", run.verdict, session.out.join("report.html").display());
    }
    Ok(run.verdict.exit_code())
}

/// What a run carries from stage to stage.
pub struct Session {
    /// What was asked for.
    pub options: Options,
    /// Cache, repository, recorder.
    pub ctx: Context,
    /// Every event of the run.
    pub recorder: Recorder,
    /// The report's folder.
    pub out: PathBuf,
    /// Ctrl-C.
    pub stop: CancellationToken,
}

impl Session {
    async fn verify(&self, chosen: &[LoadedPlatform]) -> Result<Run> {
        // Policies need no cluster: they are judged while it comes up.
        let (policies, cluster) = tokio::join!(self.policies(chosen), self.cluster(chosen));
        let mut reason = String::new();
        let (cluster, why) = match cluster {
            Ok(cluster) => (cluster, String::new()),
            Err(error) => {
                reason = format!("{error:#}");
                (None, format!("no cluster: {error:#}"))
            }
        };
        let gates = Gates::default();
        let platforms = chosen.iter().zip(policies).map(|(chosen, policies)| {
            let (gates, cluster, why) = (&gates, &cluster, &why);
            async move {
                let mut stages: Vec<StageReport> = policies.into_iter().collect();
                match cluster {
                    Some(cluster) => stages.extend(self.in_a_lane(chosen, cluster, gates).await),
                    None => stages.extend(self.cluster_stages().map(|name| self.could_not(chosen, name, why))),
                }
                PlatformReport::judge(&chosen.platform.name, stages)
            }
        });
        let reports = futures::future::join_all(platforms).await;
        let verdict = Verdict::of(reports.iter().map(|p| p.verdict));
        Ok(Run {
            run_id: self.options.run_id.clone(),
            verdict,
            reason,
            seed: self.options.seed,
            profile: self.options.args.profile.clone(),
            started_at: self.options.started_at.clone(),
            duration_ms: self.recorder.clock().now_ms(),
            host: machine::host(),
            cluster: cluster.map(|c| c.info),
            platforms: reports,
        })
    }

    fn cluster_stages(&self) -> impl Iterator<Item = StageName> {
        self.options.stages().into_iter().filter(|s| *s != StageName::Policies)
    }

    async fn policies(&self, chosen: &[LoadedPlatform]) -> Vec<Option<StageReport>> {
        let wanted = self.options.stages().contains(&StageName::Policies);
        chosen.iter().map(|c| wanted.then(|| self.ended(c, stages::policies::run(self, c)))).collect()
    }

    /// The cluster, provisioned as far as needed. None when no stage needs one.
    async fn cluster(&self, chosen: &[LoadedPlatform]) -> Result<Option<Cluster>> {
        if !self.options.needs_cluster() {
            return Ok(None);
        }
        let provider: Box<dyn Provider> = match &self.options.args.context {
            Some(context) => Box::new(ExistingProvider { context: context.clone(), cache: self.ctx.cache.root().to_owned() }),
            None => {
                let needed = Needed::of(&self.ctx.fixtures(), chosen)?;
                let facts = Facts::gather(&self.ctx.cache).await;
                consent::ask(&self.ctx, &facts, &needed, self.options.args.yes).await?;
                recovery::before_run(&self.ctx).await?;
                Box::new(KindProvider { ctx: self.ctx.clone(), facts, needed })
            }
        };
        let how = BringUp { fresh: self.options.args.fresh };
        tokio::select! {
            () = self.stop.cancelled() => anyhow::bail!("interrupted while the cluster was coming up"),
            cluster = provider.bring_up(how) => cluster.map(Some),
        }
    }

    async fn in_a_lane(&self, chosen: &LoadedPlatform, cluster: &Cluster, gates: &Gates) -> Vec<StageReport> {
        let _lane = gates.lane().await;
        let reports = self.on_cluster(chosen, cluster, gates).await;
        if !self.options.args.keep && self.options.args.context.is_none() {
            self.ctx.recorder.progress(format!("removing the platform {}", chosen.platform.name));
            if let Err(error) = cleaning::remove_platform(&cluster.client, &self.options.run_id, &chosen.platform.name, Duration::from_secs(90)).await {
                self.recorder.emit(EventKind::Note { message: format!("the platform {} was not removed; the next run does it: {error:#}", chosen.platform.name) });
            }
        }
        reports
    }

    /// The stages of a platform that need the cluster, each in its turn; faults of nodes come after all else.
    async fn on_cluster(&self, chosen: &LoadedPlatform, cluster: &Cluster, gates: &Gates) -> Vec<StageReport> {
        let all_nodes = gates.all_nodes().await;
        let turn = gates.deploy().await;
        let deploy = stages::run(self, chosen, cluster, StageName::Deploy).await;
        drop(turn);
        let blocked = match deploy.verdict {
            Verdict::Fail => Some("the platform was not deployed as declared".to_owned()),
            Verdict::Inconclusive => Some(format!("the deployment could not be judged: {}", deploy.reason)),
            _ => None,
        };
        let mut reports = vec![self.ended(chosen, deploy)];
        let mut left: Vec<_> = self.cluster_stages().filter(|s| *s != StageName::Deploy).collect();
        if let Some(why) = blocked {
            reports.extend(left.into_iter().map(|name| self.could_not(chosen, name, &why)));
            return reports;
        }
        let mut chaos = None;
        while !left.is_empty() {
            let turn = tokio::select! {
                turn = gates.next(&mut left) => turn,
                () = self.stop.cancelled() => None,
            };
            let Some((name, _permit)) = turn else { break };
            let report = stages::run(self, chosen, cluster, name).await;
            if name == StageName::Chaos && stages::chaos::takes_nodes(self, chosen) {
                chaos = Some(report);
            } else {
                reports.push(self.ended(chosen, report));
            }
        }
        drop(all_nodes);
        if let Some(others) = chaos {
            let report = stages::chaos::take_nodes(self, chosen, cluster, gates, others).await;
            reports.push(self.ended(chosen, report));
        }
        reports.extend(left.into_iter().map(|name| self.could_not(chosen, name, "interrupted")));
        reports.sort_by_key(|r| r.name);
        reports
    }

    fn could_not(&self, chosen: &LoadedPlatform, name: StageName, why: &str) -> StageReport {
        let now = self.recorder.clock().now_ms();
        self.ended(chosen, StageReport::inconclusive(name, now, now, why))
    }

    /// Tells the stage's end.
    fn ended(&self, chosen: &LoadedPlatform, report: StageReport) -> StageReport {
        let recorder = self.recorder.scoped(&chosen.platform.name, report.name);
        recorder.emit(EventKind::StageEnded { verdict: report.verdict, reason: report.reason.clone() });
        report
    }
}
