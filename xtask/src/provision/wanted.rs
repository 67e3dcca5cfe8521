//! Which parts of `fixtures/parts.yaml` a run makes, and which of its images go into the nodes: pure.

use super::needed::Needed;
use super::parts::{Binary, Image, Parts, Role};
use super::services;
use anyhow::{Result, bail};
use std::collections::BTreeSet;

/// Programs that go into the node image itself.
const IN_NODE: [&str; 4] = ["kubeadm", "kubelet", "kubectl", "oci-wrapper"];

/// What the parts are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// A cluster of our own node image: Kubernetes itself is among the parts, and the node image holds what is baked.
    OwnNode,
    /// A cluster of the official node image: it gets the add-ons like any image.
    OfficialNode,
    /// A cluster that stands, with its add-ons: what platforms need, and nothing else.
    StandingCluster,
}

/// The parts to make.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Images, in the order to build them.
    pub images: Vec<&'a Image>,
    /// Go programs: those of the images, and those of the host.
    pub binaries: Vec<&'a Binary>,
    purpose: For,
    needed: Needed,
}

impl<'a> Wanted<'a> {
    /// The parts for what is needed.
    ///
    /// # Errors
    /// When an image of the name gauntlet/... or a program is needed that no entry makes.
    pub fn new(parts: &'a Parts, needed: &Needed, purpose: For) -> Result<Self> {
        let ours = |name: &&String| name.starts_with("gauntlet/") && services::platform_of(name).is_none();
        if let Some(name) = needed.images.iter().filter(ours).find(|name| parts.image(name).is_none()) {
            bail!("the manifests name the image {name}, which fixtures/parts.yaml does not make");
        }
        let of_cluster = |image: &&Image| match image.role {
            Role::ControlPlane => purpose == For::OwnNode,
            Role::Addon => purpose != For::StandingCluster,
            _ => false,
        };
        let mut names: BTreeSet<String> = parts.images.iter().filter(of_cluster).map(Image::full_name).collect();
        names.extend(needed.images.iter().cloned());
        if !needed.services.is_empty() {
            names.insert(services::SIMULATOR.to_owned());
        }
        // A base stands above what is made from it, so one pass from the last to the first finds every base.
        for image in parts.images.iter().rev().filter(|i| i.base.is_some()) {
            if names.contains(&image.full_name()) {
                names.extend(image.base.clone());
            }
        }
        let images: Vec<&Image> = parts.images.iter().filter(|image| names.contains(&image.full_name())).collect();
        for program in &needed.programs {
            parts.binary(program)?;
        }
        let wanted = |name: &str| {
            let of_cluster = (name == "kind" && purpose != For::StandingCluster) || (purpose == For::OwnNode && IN_NODE.contains(&name));
            of_cluster || needed.programs.contains(name) || images.iter().any(|i| i.binaries.iter().any(|b| b == name))
        };
        let binaries = parts.binaries.iter().filter(|b| wanted(&b.name)).collect();
        Ok(Wanted { images, binaries, purpose, needed: needed.clone() })
    }

    /// True when something is made from the Debian base image.
    pub fn on_debian(&self) -> bool {
        self.purpose == For::OwnNode || self.images.iter().any(|image| image.base.as_deref() == Some(super::base_image::NAME))
    }

    /// True when the image, or one that it is made from, holds programs or jars: it waits for them.
    pub fn holds_programs(&self, image: &Image) -> bool {
        let base = image.base.as_deref().and_then(|base| self.images.iter().find(|i| i.full_name() == base));
        !image.binaries.is_empty() || image.jars.is_some() || base.is_some_and(|base| self.holds_programs(base))
    }

    /// True when an image holds this program.
    pub fn in_images(&self, program: &str) -> bool {
        self.images.iter().any(|image| image.binaries.iter().any(|name| name == program))
    }

    /// The images that are loaded into the nodes: those that pods name, and add-ons, unless the node image holds them.
    pub fn loaded(&self) -> Vec<String> {
        let named = |image: &Image| image.role == Role::Addon || self.needed.images.contains(&image.full_name());
        let inside = |image: &Image| self.purpose == For::OwnNode && image.baked;
        let loaded = self.images.iter().filter(|image| named(image) && !inside(image)).map(|image| image.full_name());
        loaded.chain(self.needed.services.keys().map(|platform| services::image(platform))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gauntlet_fixtures::manifest::read_typed;

    const PARTS: &str = r#"
binaries:
- {name: kind, module: kind, package: k}
- {name: kubeadm, module: kubernetes, package: k}
- {name: apiserver, module: kubernetes, package: k}
- {name: agent, module: agent, package: a}
- {name: minio, module: minio, package: m}
- {name: helm, module: helm, package: h}
wheels: []
jars: []
images:
- {name: gauntlet/apiserver, tag: v1, dockerfile: x, binaries: [apiserver], baked: true, role: control-plane}
- {name: gauntlet/agent, tag: v1, dockerfile: x, binaries: [agent], baked: true, role: addon}
- {name: gauntlet/packager, tag: "12", dockerfile: x, baked: false, role: base}
- {name: gauntlet/redis, tag: "7", dockerfile: x, base: "gauntlet/packager:12", baked: false, role: store}
- {name: gauntlet/minio, tag: dev, dockerfile: x, binaries: [minio], base: "gauntlet/packager:12", baked: false, role: store}
- {name: gauntlet/simulator, tag: dev, dockerfile: x, binaries: [simulator], hostLibraries: true, baked: false, role: service}
"#;

    fn parts() -> Parts {
        let folder = tempfile::tempdir().expect("temp dir");
        std::fs::write(folder.path().join("parts.yaml"), PARTS).expect("write");
        read_typed(&folder.path().join("parts.yaml")).expect("reads")
    }

    fn needed(images: &[&str]) -> Needed {
        Needed { images: images.iter().map(|&i| i.to_owned()).collect(), ..Needed::default() }
    }

    fn names(wanted: &Wanted<'_>) -> (Vec<String>, Vec<String>) {
        (wanted.images.iter().map(|i| i.full_name()).collect(), wanted.binaries.iter().map(|b| b.name.clone()).collect())
    }

    #[test]
    fn a_cluster_alone_needs_no_store() {
        let parts = parts();
        let wanted = Wanted::new(&parts, &Needed::default(), For::OwnNode).expect("known");
        let (images, binaries) = names(&wanted);
        assert_eq!(images, ["gauntlet/apiserver:v1", "gauntlet/agent:v1"]);
        assert_eq!(binaries, ["kind", "kubeadm", "apiserver", "agent"]);
        assert!(wanted.loaded().is_empty());
    }

    #[test]
    fn a_store_brings_its_base_which_is_not_loaded() {
        let parts = parts();
        let wanted = Wanted::new(&parts, &needed(&["gauntlet/redis:7", "example.com/other:1"]), For::OwnNode).expect("known");
        let (images, binaries) = names(&wanted);
        assert_eq!(images, ["gauntlet/apiserver:v1", "gauntlet/agent:v1", "gauntlet/packager:12", "gauntlet/redis:7"]);
        assert!(!binaries.contains(&"minio".to_owned()));
        assert_eq!(wanted.loaded(), ["gauntlet/redis:7"]);
        assert_eq!(wanted.images.iter().map(|i| wanted.holds_programs(i)).collect::<Vec<_>>(), [true, true, false, false]);
    }

    #[test]
    fn played_services_bring_the_simulator() {
        let parts = parts();
        let services = [("shop".to_owned(), std::path::PathBuf::from("services"))].into();
        let wanted = Wanted::new(&parts, &Needed { services, ..needed(&["gauntlet/simulator-shop:dev"]) }, For::OwnNode).expect("known");
        assert!(wanted.images.iter().any(|i| i.full_name() == services::SIMULATOR));
        assert_eq!(wanted.loaded(), ["gauntlet/simulator-shop:dev"]);
    }

    #[test]
    fn an_official_node_image_gets_the_add_ons_loaded() {
        let parts = parts();
        let wanted = Wanted::new(&parts, &Needed::default(), For::OfficialNode).expect("known");
        assert_eq!(names(&wanted).1, ["kind", "agent"]);
        assert_eq!(wanted.loaded(), ["gauntlet/agent:v1"]);
    }

    #[test]
    fn a_cluster_that_stands_gets_what_platforms_name() {
        let parts = parts();
        let wanted = Wanted::new(&parts, &needed(&["gauntlet/minio:dev"]), For::StandingCluster).expect("known");
        assert_eq!(names(&wanted), (vec!["gauntlet/packager:12".to_owned(), "gauntlet/minio:dev".to_owned()], vec!["minio".to_owned()]));
        assert_eq!(wanted.loaded(), ["gauntlet/minio:dev"]);
    }

    #[test]
    fn what_nobody_makes_is_an_error() {
        let parts = parts();
        let error = Wanted::new(&parts, &needed(&["gauntlet/mysql:8"]), For::OwnNode).expect_err("unknown").to_string();
        assert!(error.contains("gauntlet/mysql:8"), "{error}");
        assert!(Wanted::new(&parts, &Needed { programs: ["kustomize".to_owned()].into(), ..Needed::default() }, For::OwnNode).is_err());
        let helm = Needed { programs: ["helm".to_owned()].into(), ..Needed::default() };
        assert!(Wanted::new(&parts, &helm, For::OwnNode).expect("known").binaries.iter().any(|b| b.name == "helm"));
    }
}
