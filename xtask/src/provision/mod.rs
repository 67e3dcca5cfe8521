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
pub mod node_image;
pub mod packages;
pub mod parts;
pub mod plan;
pub mod process;
pub mod rust_binary;
pub mod wheels;

use crate::machine::Facts;
use anyhow::{Context as _, Result, bail};
use context::Context;
use node_image::NodeImage;
use parts::{Image, Parts};
use std::path::PathBuf;

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
/// Disk that a run on standing images needs, in MiB.
const DISK_WARM_MIB: u64 = 3_000;

/// Provisions everything that is missing.
///
/// # Errors
/// One clear message: what is missing, why it could not be had, what to do.
pub async fn provision(ctx: &Context, facts: &Facts) -> Result<Provisioned> {
    let parts = Parts::load(&ctx.fixtures())?;
    check_disk(ctx, facts, &parts).await?;
    engine::ensure(ctx, facts, &parts).await?;
    let official = node_image::official(ctx).await;
    let own_stands = match node_image::own(ctx, &parts) {
        Ok(image) => node_image::stands(&image).await,
        Err(_) => false,
    };
    let wanted: Vec<&Image> = parts.images.iter().filter(|i| official.is_none() || i.role != parts::Role::ControlPlane).collect();
    if ctx.no_provision && official.is_none() && !own_stands {
        bail!("the node image is missing, and --no-provision forbids making it: run `cargo xtask verify` once without it");
    }
    // Debian packages and Go modules come from different places and load different resources: side by side.
    let (debian, programs, own) = tokio::join!(
        base_image::ensure(ctx, facts),
        build_programs(ctx, &parts, &wanted, official.is_none()),
        build_own_programs(ctx, &parts)
    );
    programs?;
    debian?;
    own?;
    for image in &wanted {
        images::build(ctx, &parts, image).await?;
    }
    let node_image = match official {
        Some(image) => image,
        None => node_image::build(ctx, &parts).await?,
    };
    clear_build_cache(ctx).await;
    let inside = |image: &&&Image| !(node_image.own && image.baked);
    let loaded = wanted.iter().filter(inside).map(|image| image.full_name()).collect();
    Ok(Provisioned { kind: go_binaries::path(ctx, parts.binary("kind")?)?, node_image, loaded })
}

/// The programs of this workspace that go into images: compiled beside the Go programs, which leave a core idle while
/// they link.
async fn build_own_programs(ctx: &Context, parts: &Parts) -> Result<()> {
    for program in parts.images.iter().filter(|i| i.host_libraries).flat_map(|i| &i.binaries) {
        rust_binary::build(ctx, program).await?;
    }
    Ok(())
}

async fn build_programs(ctx: &Context, parts: &Parts, wanted: &[&Image], own_node: bool) -> Result<()> {
    let in_images = |name: &str| wanted.iter().any(|image| image.binaries.iter().any(|b| b == name));
    let on_host = |name: &str| name == "kind" || (own_node && ["kubeadm", "kubelet", "kubectl", "oci-wrapper"].contains(&name));
    for wheel in parts.wheels.iter().filter(|w| in_images(&w.name)) {
        wheels::fetch(ctx, wheel).await?;
    }
    // One at a time: a Go build uses every core by itself.
    for binary in parts.binaries.iter().filter(|b| in_images(&b.name) || on_host(&b.name)) {
        if ctx.no_provision && !go_binaries::path(ctx, binary)?.exists() {
            bail!("{} is not built, and --no-provision forbids it", binary.name);
        }
        go_binaries::build(ctx, binary).await?;
    }
    Ok(())
}

async fn check_disk(ctx: &Context, facts: &Facts, parts: &Parts) -> Result<()> {
    let cold = parts.binaries.iter().any(|b| go_binaries::path(ctx, b).map_or(true, |p| !p.exists()));
    let need = if cold { DISK_COLD_MIB } else { DISK_WARM_MIB };
    if facts.disk_free_mib < need {
        bail!(
            "{} MiB are free under {}, and {need} MiB are needed{}: free some, or set GAUNTLET_CACHE to a folder on a larger disk",
            facts.disk_free_mib,
            facts.cache,
            if cold { " to build the node image from packages" } else { "" }
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
