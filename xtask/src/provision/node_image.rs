//! The kind node image: the official one by digest where it can be pulled, else our own, built from packages.

use super::cache::{Key, KeyBuilder};
use super::context::{Context, Step};
use super::parts::{Image, Parts};
use super::process::{capture, run_logged};
use super::{docker, go_binaries, images};
use anyhow::{Context as _, Result, bail};
use std::path::Path;

/// The node image that kind v0.30.0 was released with.
pub const OFFICIAL: &str = "kindest/node:v1.34.0@sha256:7416a61b42b1662ca6ca89f02028ac133a309a2a30ba309614e8ec94d976dc5a";
const UNBAKED: &str = "gauntlet/node-unbaked:v1.34.4";
const BAKED: &str = "gauntlet/node:v1.34.4";
const PROGRAMS: [&str; 4] = ["kubeadm", "kubelet", "kubectl", "oci-wrapper"];

/// Which node image a cluster is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeImage {
    /// Its reference.
    pub name: String,
    /// Our own: it has no pod network of its own and asks for our image names.
    pub own: bool,
    /// Changes when its content does.
    pub key: String,
}

/// The official image, when it stands or can be pulled.
pub async fn official(ctx: &Context) -> Option<NodeImage> {
    let image = NodeImage { name: OFFICIAL.to_owned(), own: false, key: OFFICIAL.to_owned() };
    if capture(&mut docker::docker(&["image", "inspect", OFFICIAL])).await.is_ok() {
        return Some(image);
    }
    if ctx.no_provision {
        return None;
    }
    let step = ctx.step("node image");
    step.says("asking an image registry for it");
    let pulled = docker::pull(OFFICIAL, &step).await;
    step.done(if pulled { "pulled by digest" } else { "no image registry in reach: it is built here" });
    pulled.then_some(image)
}

fn unbaked_key(ctx: &Context, parts: &Parts) -> Result<Key> {
    let mut key = KeyBuilder::default().files(&ctx.fixtures().join("node/Dockerfile"))?.files(&ctx.fixtures().join("node/files"))?;
    for name in PROGRAMS {
        key = key.text(name, &go_binaries::key(ctx, parts.binary(name)?)?.to_string());
    }
    Ok(key.finish())
}

fn baked(parts: &Parts) -> impl Iterator<Item = &Image> {
    parts.images.iter().filter(|image| image.baked)
}

/// The name and the key of our own image, standing or not.
///
/// # Errors
/// When a file that it depends on cannot be read.
pub fn own(ctx: &Context, parts: &Parts) -> Result<NodeImage> {
    let mut key = KeyBuilder::default().text("unbaked", &unbaked_key(ctx, parts)?.to_string()).text("import", IMPORT);
    for image in baked(parts) {
        key = key.text(&image.full_name(), &images::key(ctx, parts, image)?.to_string()).text("reference", image.reference.as_deref().unwrap_or(""));
    }
    Ok(NodeImage { name: BAKED.to_owned(), own: true, key: key.finish().to_string() })
}

/// True when our own image stands with this content.
pub async fn stands(image: &NodeImage) -> bool {
    let format = format!("{{{{index .Config.Labels \"{}\"}}}}", docker::KEY_LABEL);
    capture(&mut docker::docker(&["image", "inspect", "--format", &format, &image.name])).await.is_ok_and(|key| key == image.key)
}

/// Builds our own image unless it stands. The programs and the baked images must stand.
///
/// # Errors
/// When docker fails.
pub async fn build(ctx: &Context, parts: &Parts) -> Result<NodeImage> {
    let image = own(ctx, parts)?;
    if stands(&image).await {
        return Ok(image);
    }
    let step = ctx.step("node image");
    build_unbaked(ctx, parts, &step).await?;
    bake(ctx, parts, &image, &step).await?;
    step.done(BAKED);
    Ok(image)
}

async fn build_unbaked(ctx: &Context, parts: &Parts, step: &Step) -> Result<()> {
    let key = unbaked_key(ctx, parts)?;
    if docker::is_current(UNBAKED, &key).await {
        return Ok(());
    }
    step.says("docker build (systemd, containerd, kubeadm, kubelet)");
    let staging = ctx.cache.staging("node image")?;
    std::fs::copy(ctx.fixtures().join("node/Dockerfile"), staging.join("Dockerfile"))?;
    images::copy_folder(&ctx.fixtures().join("node/files"), &staging.join("files"))?;
    std::fs::create_dir_all(staging.join("bin"))?;
    for name in PROGRAMS {
        let path = go_binaries::path(ctx, parts.binary(name)?)?;
        std::fs::copy(&path, staging.join("bin").join(name)).with_context(|| format!("{name} is not built"))?;
    }
    docker::build(UNBAKED, &key, &Default::default(), &staging, step).await.context("failed to build the node image")?;
    std::fs::remove_dir_all(&staging)?;
    Ok(())
}

/// Imports the images into the node's containerd, and keeps the result as an image.
async fn bake(ctx: &Context, parts: &Parts, image: &NodeImage, step: &Step) -> Result<()> {
    step.says("putting Kubernetes' images inside");
    let staging = ctx.cache.staging("node bake")?;
    let archive = staging.join("images.tar");
    let mut names = Vec::new();
    for image in baked(parts) {
        let name = image.reference.clone().unwrap_or_else(|| image.full_name());
        if name != image.full_name() {
            run_logged(&mut docker::docker(&["tag", &image.full_name(), &name]), step.log()).await?;
        }
        names.push(name);
    }
    let mut save = docker::docker(&["save", "-o"]);
    run_logged(save.arg(&archive).args(&names), step.log()).await.context("failed to save the images")?;
    let container = start_baker(&staging, step).await?;
    let done = bake_in(&container, image, step).await;
    // The container is ours, by the id that docker just gave us.
    let removed = run_logged(&mut docker::docker(&["rm", "-f", "-v", &container]), step.log()).await;
    done?;
    removed?;
    std::fs::remove_dir_all(&staging)?;
    Ok(())
}

async fn start_baker(staging: &Path, step: &Step) -> Result<String> {
    let mount = format!("{}:/images:ro", staging.display());
    let mut command = docker::docker(&["run", "-d", "--privileged", "--network", "none", "--label", "gauntlet=bake", "--entrypoint", "sleep", "-v", &mount, UNBAKED, "infinity"]);
    let id = capture(&mut command).await.context("failed to start the node image")?;
    if id.is_empty() {
        bail!("docker run gave no container id; see {}", step.log().display());
    }
    Ok(id)
}

/// Run inside the node image: an ordinary containerd takes the images, unpacked later on each node as needed. Their blobs
/// lie outside /var: kind makes that a volume, and docker would copy 0.9 GB into it for every node.
const IMPORT: &str = r#"
set -eu
if ! (( (0x$(awk '/^CapBnd:/ {print $2}' /proc/self/status) >> 24) & 1 )); then ln -sf /kind/bin/oci-wrapper /usr/local/sbin/runc; fi
containerd > /tmp/containerd.log 2>&1 &
for _ in $(seq 100); do ctr version > /dev/null 2>&1 && break; sleep 0.1; done
ctr -n k8s.io images import --no-unpack /images/images.tar
kill %1; wait %1 || true
rm -f /usr/local/sbin/runc /tmp/containerd.log
rm -rf /run/containerd
blobs=/var/lib/containerd/io.containerd.content.v1.content
mv $blobs /kind/blobs
ln -s /kind/blobs $blobs
"#;

async fn bake_in(container: &str, image: &NodeImage, step: &Step) -> Result<()> {
    run_logged(&mut docker::docker(&["exec", container, "bash", "-c", IMPORT]), step.log()).await.context("failed to import the images into the node image")?;
    step.says("keeping the node image");
    let label = format!("LABEL {}={} gauntlet=image", docker::KEY_LABEL, image.key);
    let entrypoint = r#"ENTRYPOINT ["/usr/local/bin/entrypoint", "/lib/systemd/systemd"]"#;
    let mut commit = docker::docker(&["commit", "--change", entrypoint, "--change", "CMD []", "--change", &label, container, BAKED]);
    run_logged(&mut commit, step.log()).await.context("failed to keep the node image")?;
    Ok(())
}
