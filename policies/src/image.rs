//! The parts of an image's name, as the container runtime reads them.

/// Tags that mean another image tomorrow, as JSON: the default of the parameter `tags`.
pub(crate) const MOVING_TAGS: &str = r#"["latest", "main", "master", "dev", "edge", "nightly"]"#;

/// `registry/repository:tag@digest`.
#[derive(Debug, PartialEq)]
pub(crate) struct Image<'a> {
    /// The registry, when it is named.
    pub registry: Option<&'a str>,
    /// The repository as it is written, without registry, tag and digest.
    pub repository: &'a str,
    /// The tag, when there is one.
    pub tag: Option<&'a str>,
    /// The digest, when there is one.
    pub digest: Option<&'a str>,
}

impl<'a> Image<'a> {
    /// Takes a name apart. A colon before a slash is a port and no tag; a first part without dot or port is a folder
    /// of the default registry.
    pub fn parse(name: &'a str) -> Self {
        let (name, digest) = name.split_once('@').map_or((name, None), |(name, digest)| (name, Some(digest)));
        let (registry, rest) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
            _ => (None, name),
        };
        let last = rest.rfind('/').map_or(0, |at| at + 1);
        let (repository, tag) = match rest[last..].find(':') {
            Some(colon) => (&rest[..last + colon], Some(&rest[last + colon + 1..])),
            None => (rest, None),
        };
        Self { registry, repository, tag, digest }
    }

    /// Registry and repository in full: `nginx` is `docker.io/library/nginx`.
    pub fn full_repository(&self) -> String {
        match self.registry {
            None | Some("docker.io" | "index.docker.io" | "registry-1.docker.io") if self.repository.contains('/') => {
                format!("docker.io/{}", self.repository)
            }
            None | Some("docker.io" | "index.docker.io" | "registry-1.docker.io") => format!("docker.io/library/{}", self.repository),
            Some(registry) => format!("{registry}/{}", self.repository),
        }
    }

    /// True: from this registry, or from this folder of it.
    pub fn is_from(&self, place: &str) -> bool {
        let full = self.full_repository();
        full.strip_prefix(place.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("nginx", "docker.io/library/nginx", None, None)]
    #[case("nginx:1.27", "docker.io/library/nginx", Some("1.27"), None)]
    #[case("team/app", "docker.io/team/app", None, None)]
    #[case("registry:5000/app", "registry:5000/app", None, None)]
    #[case("registry:5000/team/app:2", "registry:5000/team/app", Some("2"), None)]
    #[case("localhost/app:2", "localhost/app", Some("2"), None)]
    #[case("ghcr.io/team/app:2@sha256:ab", "ghcr.io/team/app", Some("2"), Some("sha256:ab"))]
    #[case("docker.io/nginx@sha256:ab", "docker.io/library/nginx", None, Some("sha256:ab"))]
    fn names_are_taken_apart(#[case] name: &str, #[case] full: &str, #[case] tag: Option<&str>, #[case] digest: Option<&str>) {
        let image = Image::parse(name);
        assert_eq!((image.full_repository().as_str(), image.tag, image.digest), (full, tag, digest));
    }

    #[test]
    fn places_end_at_slashes() {
        assert!(Image::parse("ghcr.io/team/app:1").is_from("ghcr.io/team"));
        assert!(Image::parse("ghcr.io/team/app:1").is_from("ghcr.io/"));
        assert!(!Image::parse("ghcr.io/team-b/app:1").is_from("ghcr.io/team"));
        assert!(Image::parse("nginx").is_from("docker.io/library"));
    }
}
