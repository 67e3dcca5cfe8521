//! What the chosen platforms need of provisioning: read from the manifests that run, before anything is made.

use super::services;
use anyhow::{Context as _, Result, bail};
use gauntlet_fixtures::platform::LoadedPlatform;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The set for some platforms. Empty: a cluster with its add-ons and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needed {
    /// Images that pods name, `name:tag`: ours and others'.
    pub images: BTreeSet<String>,
    /// Programs of `fixtures/parts.yaml` that are wanted on the host, beside kind.
    pub programs: BTreeSet<String>,
    /// Played services: a platform's name to its folder `services`.
    pub services: BTreeMap<String, PathBuf>,
}

impl Needed {
    /// The set for these platforms. `fixtures` is the folder of the suite's own.
    ///
    /// # Errors
    /// When manifests cannot be read, or two platforms of one name bring different services.
    pub fn of(fixtures: &Path, platforms: &[LoadedPlatform]) -> Result<Self> {
        let mut needed = Needed::default();
        for one in platforms {
            let name = &one.platform.name;
            let objects = one.kind_objects().with_context(|| format!("failed to read the manifests of {name}"))?;
            let mut images = BTreeSet::new();
            objects.iter().for_each(|object| collect_images(&object.to_json(), &mut images));
            let own = Some(name.clone()).filter(|_| one.folder.join("services").is_dir());
            let played: BTreeSet<String> = images.iter().filter_map(|image| services::platform_of(image)).map(str::to_owned).chain(own).collect();
            for played in played {
                let folder = services_folder(fixtures, one, &played)?;
                if needed.services.insert(played.clone(), folder.clone()).is_some_and(|before| before != folder) {
                    bail!("two of the chosen platforms bring services of the name {played:?}: verify them one after the other, or rename one");
                }
            }
            needed.images.extend(images);
            if has_chart(&one.folder) {
                needed.programs.insert("helm".to_owned());
            }
        }
        Ok(needed)
    }
}

/// The service files behind an image of played services: the platform's own, or those of the suite's platform of that
/// name (a platform elsewhere may use its manifests).
fn services_folder(fixtures: &Path, one: &LoadedPlatform, played: &str) -> Result<PathBuf> {
    let own = one.folder.join("services");
    let suite = fixtures.join("platforms").join(played).join("services");
    let folder = match (played == one.platform.name && own.is_dir(), suite.is_dir()) {
        (true, _) => &own,
        (false, true) => &suite,
        _ => bail!("the manifests of {} name the image {}, and {} holds no service files for it", one.platform.name, services::image(played), own.display()),
    };
    // It may be a link, and only a folder can be copied.
    folder.canonicalize().with_context(|| format!("failed to find {}", folder.display()))
}

/// The image of every container and init container, wherever a pod or a pod template stands in the object.
fn collect_images(value: &Value, images: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for key in ["containers", "initContainers"] {
                let containers = fields.get(key).and_then(Value::as_array).into_iter().flatten();
                images.extend(containers.filter_map(|c| c["image"].as_str()).map(str::to_owned));
            }
            fields.values().for_each(|field| collect_images(field, images));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_images(item, images)),
        _ => {}
    }
}

/// True when the platform ships a Helm chart: its check needs helm.
fn has_chart(folder: &Path) -> bool {
    walkdir::WalkDir::new(folder).max_depth(4).into_iter().filter_map(Result::ok).any(|entry| entry.file_name() == "Chart.yaml")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLATFORM: &str = "name: shop\nnamespace: shop\nmanifests: {production: all.yaml, kind: all.yaml}\n";
    const MANIFESTS: &str = r#"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  template:
    spec:
      initContainers: [{name: first, image: "gauntlet/redis:7.0"}]
      containers: [{name: db, image: "gauntlet/postgres:15"}, {name: side, image: "example.com/side:1"}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: backup, namespace: shop}
spec:
  jobTemplate: {spec: {template: {spec: {containers: [{name: backup, image: "gauntlet/minio:dev"}]}}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other, namespace: shop}
data: {image: "gauntlet/kafka:3.9.1"}
"#;

    /// A platform in `folder`, with these manifests.
    fn platform(folder: &Path, manifests: &str) -> LoadedPlatform {
        std::fs::create_dir_all(folder).expect("folder");
        std::fs::write(folder.join("platform.yaml"), PLATFORM).expect("write");
        std::fs::write(folder.join("all.yaml"), manifests).expect("write");
        gauntlet_fixtures::platform::load_with_folder(folder).expect("it reads")
    }

    fn pod(image: &str) -> String {
        format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: shop}}\nspec: {{containers: [{{name: c, image: \"{image}\"}}]}}\n")
    }

    #[test]
    fn images_come_from_pods_and_pod_templates_of_every_kind() {
        let folder = tempfile::tempdir().expect("temp dir");
        let needed = Needed::of(folder.path(), &[platform(folder.path(), MANIFESTS)]).expect("reads");
        let images: Vec<_> = needed.images.iter().map(String::as_str).collect();
        assert_eq!(images, ["example.com/side:1", "gauntlet/minio:dev", "gauntlet/postgres:15", "gauntlet/redis:7.0"]);
        assert!(needed.services.is_empty() && needed.programs.is_empty());
    }

    #[test]
    fn service_files_are_the_platforms_own_or_the_suites() {
        let folder = tempfile::tempdir().expect("temp dir");
        let root = folder.path().canonicalize().expect("folder");
        let (fixtures, mine) = (root.join("fixtures"), root.join("mine"));
        let one = platform(&mine, &pod("gauntlet/simulator-shop:dev"));
        let error = Needed::of(&fixtures, std::slice::from_ref(&one)).expect_err("no service files").to_string();
        assert!(error.contains("gauntlet/simulator-shop:dev") && error.contains("services"), "{error}");
        std::fs::create_dir_all(fixtures.join("platforms/shop/services")).expect("folder");
        assert_eq!(Needed::of(&fixtures, std::slice::from_ref(&one)).expect("reads").services["shop"], fixtures.join("platforms/shop/services"));
        std::fs::create_dir_all(mine.join("services")).expect("folder");
        assert_eq!(Needed::of(&fixtures, &[one]).expect("reads").services["shop"], mine.join("services"));
    }

    #[test]
    fn a_linked_folder_of_services_is_the_folder_itself() {
        let folder = tempfile::tempdir().expect("temp dir");
        let one = platform(&folder.path().join("broken"), &pod("gauntlet/simulator-shop:dev"));
        std::fs::create_dir(folder.path().join("services")).expect("folder");
        std::os::unix::fs::symlink(folder.path().join("services"), folder.path().join("broken/services")).expect("link");
        let needed = Needed::of(folder.path(), &[one]).expect("reads");
        assert!(!needed.services["shop"].is_symlink() && needed.services["shop"].is_dir());
    }

    #[test]
    fn two_platforms_cannot_bring_services_of_one_name() {
        let folder = tempfile::tempdir().expect("temp dir");
        let both = ["one", "two"].map(|name| {
            std::fs::create_dir_all(folder.path().join(name).join("services")).expect("folder");
            platform(&folder.path().join(name), &pod("gauntlet/simulator-shop:dev"))
        });
        assert!(Needed::of(folder.path(), &both).is_err());
    }

    #[test]
    fn a_chart_needs_helm() {
        let folder = tempfile::tempdir().expect("temp dir");
        let one = platform(folder.path(), &pod("gauntlet/redis:7.0"));
        std::fs::create_dir_all(folder.path().join("helm/shop")).expect("folder");
        std::fs::write(folder.path().join("helm/shop/Chart.yaml"), "name: shop\n").expect("write");
        assert!(Needed::of(folder.path(), &[one]).expect("reads").programs.contains("helm"));
    }
}
