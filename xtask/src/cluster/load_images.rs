//! Images from the host's engine into the nodes that platforms run on.

use super::nodes::{NodeContainer, containers};
use crate::provision::cache::Cache;
use crate::provision::context::Step;
use crate::provision::docker::docker;
use crate::provision::process::{capture, run_logged};
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Loads each image whose content the nodes do not hold yet (`held`: name to image id), into all nodes at once. Gives what
/// was loaded, likewise.
///
/// # Errors
/// When an image is missing on the host or a node does not take it.
pub async fn load(cluster: &str, images: &[String], held: &BTreeMap<String, String>, cache: &Cache, step: &Step) -> Result<BTreeMap<String, String>> {
    let mut stale = BTreeMap::new();
    for image in images {
        let id = capture(&mut docker(&["image", "inspect", "--format", "{{.Id}}", image])).await.with_context(|| format!("the image {image} is missing on the host"))?;
        if held.get(image) != Some(&id) {
            stale.insert(image.clone(), id);
        }
    }
    if stale.is_empty() {
        return Ok(stale);
    }
    let names: Vec<&str> = stale.keys().map(String::as_str).collect();
    step.says(format!("loading {}", names.join(", ")));
    let archive = cache.staging("load images")?.join("images.tar");
    let mut save = docker(&["save", "-o"]);
    run_logged(save.arg(&archive).args(&names), step.log()).await.context("failed to save images for the nodes")?;
    // Platforms' pods never run on the control plane.
    let nodes: Vec<_> = containers(cluster).await.unwrap_or_default().into_iter().filter(|n| !n.name.ends_with("control-plane")).collect();
    futures::future::try_join_all(nodes.iter().map(|node| import(node, &archive))).await?;
    std::fs::remove_file(&archive)?;
    Ok(stale)
}

async fn import(node: &NodeContainer, archive: &Path) -> Result<()> {
    let file = std::fs::File::open(archive)?;
    // Unpacked by the node when a pod wants it: most images are wanted on few nodes.
    let mut command = docker(&["exec", "-i", &node.id, "ctr", "-n", "k8s.io", "images", "import", "--no-unpack", "-"]);
    let output = command.stdin(file).kill_on_drop(true).output().await?;
    if !output.status.success() {
        anyhow::bail!("failed to load images into {}: {}", node.name, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
