//! Which Kubernetes manifests are judged for.

use std::fmt;
use std::str::FromStr;

/// A minor version of Kubernetes 1, such as 1.34.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kubernetes {
    minor: u32,
}

/// A version that is none, or none that the rules know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read the Kubernetes version {text:?}: expected one from {} to {}", Kubernetes::OLDEST, Kubernetes::NEWEST)]
pub struct KubernetesError {
    text: String,
}

impl Kubernetes {
    /// The oldest version that the rules know.
    pub const OLDEST: Self = Self { minor: 20 };
    /// The newest version that the rules know, and the default.
    pub const NEWEST: Self = Self { minor: 36 };

    /// `N` of 1.N.
    pub fn minor(self) -> u32 {
        self.minor
    }

    /// True: 1.`minor` or newer.
    pub fn is_at_least(self, minor: u32) -> bool {
        self.minor >= minor
    }

    /// Every version that the rules know, oldest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (Self::OLDEST.minor..=Self::NEWEST.minor).map(|minor| Self { minor })
    }
}

impl Default for Kubernetes {
    fn default() -> Self {
        Self::NEWEST
    }
}

impl fmt::Display for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.minor)
    }
}

impl FromStr for Kubernetes {
    type Err = KubernetesError;

    /// Reads `1.34`, `v1.34` or `1.34.2`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || KubernetesError { text: text.to_owned() };
        let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
        let (major, minor, patch) = (parts.next(), parts.next(), parts.next());
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if major != Some("1") || parts.next().is_some() || !patch.is_none_or(is_number) {
            return Err(unknown());
        }
        Self::all().find(|version| minor == Some(version.minor.to_string().as_str())).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_people_write_them() {
        for text in ["1.34", "v1.34", "1.34.0", "v1.34.12"] {
            assert_eq!(text.parse::<Kubernetes>().expect("a version").to_string(), "1.34");
        }
        for text in ["", "1", "1.", "1.19", "1.37", "2.34", "34", "1.x", "1.34.x", "1.34.1.1", "1.+34", "1.34-rc.1"] {
            assert!(text.parse::<Kubernetes>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_wrong_version_is_told_with_what_is_known() {
        let error = "1.19".parse::<Kubernetes>().expect_err("too old").to_string();
        assert_eq!(error, "read the Kubernetes version \"1.19\": expected one from 1.20 to 1.36");
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let version: Kubernetes = "1.30".parse().expect("a version");
        assert!(version.is_at_least(29) && version.is_at_least(30) && !version.is_at_least(31));
        assert!(version < Kubernetes::NEWEST && Kubernetes::default() == Kubernetes::NEWEST);
    }
}
