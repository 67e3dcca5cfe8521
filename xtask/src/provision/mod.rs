//! Brings a bare machine to where a cluster can be made: an engine, kind, images. Every step is resumable: what stands
//! with the right content key is not made again.

pub mod base_image;
pub mod cache;
pub mod context;
pub mod docker;
pub mod engine;
pub mod go_binaries;
pub mod go_toolchain;
pub mod images;
pub mod jars;
pub mod needed;
pub mod node_image;
pub mod packages;
pub mod parts;
pub mod plan;
pub mod process;
pub mod rust_binary;
pub mod services;
pub mod wanted;
pub mod wheels;

use crate::machine::Facts;
use anyhow::{Context as _, Result, bail};
use context::Context;
use needed::Needed;
use node_image::NodeImage;
use parts::Parts;
use std::path::PathBuf;
use wanted::{For, Wanted};

/// What a cluster is made with.
#[derive(Debug, Clone)]
pub struct Provisioned {
    /// The kind program.
    pub kind: PathBuf,
    /// The node image.
    pub node_image: NodeImage,
    /// Images that go into the nodes beside the node image: stores, services, and add-ons that are not baked.
    pub loaded: Vec<String>,
}

/// Disk that a build from nothing needs, in MiB: compiled modules (13 GB), images, staging.
const DISK_COLD_MIB: u64 = 25_000;
/// Disk that a further program needs, in MiB: its modules and build results, its image.
const DISK_PROGRAM_MIB: u64 = 6_000;
/// Disk that a run on standing images needs, in MiB.
const DISK_WARM_MIB: u64 = 3_000;

/// Provisions what is missing of the cluster and of what is needed on it, and nothing else.
///
/// # Errors
/// One clear message: what is missing, why it could not be had, what to do.
pub async fn provision(ctx: &Context, facts: &Facts, needed: &Needed) -> Result<Provisioned> {
    let parts = Parts::load(&ctx.fixtures())?;
    check_disk(ctx, facts, &Wanted::new(&parts, needed, For::OwnNode)?)?;
    engine::ensure(ctx, facts, &parts).await?;
    let official = node_image::official(ctx).await;
    let own_stands = match node_image::own(ctx, &parts) {
        Ok(image) => node_image::stands(&image).await,
        Err(_) => false,
    };
    if ctx.no_provision && official.is_none() && !own_stands {
        bail!("the node image is missing, and --no-provision forbids making it: run `cargo xtask verify` once without it");
    }
    let wanted = Wanted::new(&parts, needed, if official.is_some() { For::OfficialNode } else { For::OwnNode })?;
    let built = make(ctx, facts, &parts, &wanted, needed).await?;
    let node_image = async {
        match official {
            Some(image) => Ok(image),
            None => node_image::build(ctx, &parts).await,
        }
    };
    // Deleting takes a while and is in nobody's way.
    let (node_image, tidied) = tokio::join!(node_image, tidy(ctx, built));
    tidied?;
    Ok(Provisioned { kind: go_binaries::path(ctx, parts.binary("kind")?)?, node_image: node_image?, loaded: wanted.loaded() })
}

/// Provisions what is needed on a cluster that stands. Gives the images to load into its nodes.
///
/// # Errors
/// As [`provision`].
pub async fn provision_standing(ctx: &Context, facts: &Facts, needed: &Needed) -> Result<Vec<String>> {
    let parts = Parts::load(&ctx.fixtures())?;
    let wanted = Wanted::new(&parts, needed, For::StandingCluster)?;
    check_disk(ctx, facts, &wanted)?;
    let built = make(ctx, facts, &parts, &wanted, needed).await?;
    tidy(ctx, built).await?;
    Ok(wanted.loaded())
}

/// Makes programs, jars and images, each unless it stands. True when an image was built.
async fn make(ctx: &Context, facts: &Facts, parts: &Parts, wanted: &Wanted<'_>, needed: &Needed) -> Result<bool> {
    // Debian packages, Go modules and jars come from different places and load different resources: side by side.
    // The first that fails ends all: nobody should wait twenty minutes for a message. What is built stays.
    let (mut built, (), (), ()) = tokio::try_join!(
        build_from_packages(ctx, facts, parts, wanted),
        build_programs(ctx, parts, wanted),
        build_own_programs(ctx, facts, wanted),
        fetch_jars(ctx, parts, wanted)
    )?;
    for image in wanted.images.iter().filter(|image| wanted.holds_programs(image)) {
        built |= images::build(ctx, parts, image).await?;
    }
    for (platform, folder) in &needed.services {
        built |= services::build(ctx, parts, platform, folder).await?;
    }
    Ok(built)
}

/// The base image, and the images that need nothing but Debian's packages.
async fn build_from_packages(ctx: &Context, facts: &Facts, parts: &Parts, wanted: &Wanted<'_>) -> Result<bool> {
    if wanted.on_debian() {
        base_image::ensure(ctx, facts).await?;
    }
    let mut built = false;
    for image in wanted.images.iter().filter(|image| !wanted.holds_programs(image)) {
        built |= images::build(ctx, parts, image).await?;
    }
    Ok(built)
}

/// Removes what nobody needs any more.
async fn tidy(ctx: &Context, built: bool) -> Result<()> {
    let prune = async {
        match built {
            true => docker::prune().await.context("failed to remove superseded images"),
            false => Ok(()),
        }
    };
    let (pruned, ()) = tokio::join!(prune, clear_build_cache(ctx));
    pruned
}

/// The programs of this workspace that go into images: compiled beside the Go programs, which leave a core idle while
/// they link.
async fn build_own_programs(ctx: &Context, facts: &Facts, wanted: &Wanted<'_>) -> Result<()> {
    if wanted.images.iter().any(|i| i.host_libraries) && !process::runs("make").await {
        // The simulator's Kafka client is a C library, built with make.
        if !facts.can_install() || ctx.no_provision {
            bail!("make is missing, and the simulator's Kafka library is built with it: install it (on Debian: apt-get install make)");
        }
        packages::install(ctx, &["make"]).await?;
    }
    for program in wanted.images.iter().filter(|i| i.host_libraries).flat_map(|i| &i.binaries) {
        rust_binary::build(ctx, program).await?;
    }
    Ok(())
}

async fn build_programs(ctx: &Context, parts: &Parts, wanted: &Wanted<'_>) -> Result<()> {
    for wheel in parts.wheels.iter().filter(|w| wanted.in_images(&w.name)) {
        wheels::fetch(ctx, wheel).await?;
    }
    // One at a time: a Go build uses every core by itself.
    for binary in &wanted.binaries {
        if ctx.no_provision && !go_binaries::path(ctx, binary)?.exists() {
            bail!("{} is not built, and --no-provision forbids it", binary.name);
        }
        go_binaries::build(ctx, binary).await?;
    }
    Ok(())
}

async fn fetch_jars(ctx: &Context, parts: &Parts, wanted: &Wanted<'_>) -> Result<()> {
    for set in wanted.images.iter().filter_map(|i| i.jars.as_deref()).filter_map(|name| parts.jar_set(name)) {
        jars::fetch(ctx, set).await?;
    }
    Ok(())
}

fn check_disk(ctx: &Context, facts: &Facts, wanted: &Wanted<'_>) -> Result<()> {
    let unbuilt = wanted.binaries.iter().filter(|b| go_binaries::path(ctx, b).map_or(true, |p| !p.exists())).count() as u64;
    let need = (DISK_WARM_MIB + unbuilt * DISK_PROGRAM_MIB).min(DISK_COLD_MIB);
    if facts.disk_free_mib < need {
        bail!(
            "{} MiB are free under {}, and {need} MiB are needed{}: free some, or set GAUNTLET_CACHE to a folder on a larger disk",
            facts.disk_free_mib,
            facts.cache,
            if unbuilt > 0 { " to build what is missing from packages" } else { "" }
        );
    }
    Ok(())
}

/// The Go build results take 13 GB and serve nobody once every program stands.
async fn clear_build_cache(ctx: &Context) {
    let build = ctx.cache.go().join("build");
    if build.exists() && std::env::var_os("GAUNTLET_KEEP_GO_CACHE").is_none() {
        let step = ctx.step("build cache");
        step.says("clearing Go's build results");
        let cleared = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(build)).await.context("the clearing stopped");
        step.done(match cleared {
            Ok(Ok(())) => "cleared".to_owned(),
            Ok(Err(error)) => format!("left in place: {error}"),
            Err(error) => format!("left in place: {error}"),
        });
    }
}
