//! Other checkers, where there are any: named by a flag, on the PATH, or built into the project's cache.

use super::child::Program;
use crate::provision::context::Context;
use crate::provision::go_toolchain;
use crate::provision::process::run_logged;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// A checker that is measured beside ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its name, which is its program's too.
    pub name: &'static str,
    /// Its Go package with the version.
    pub package: &'static str,
}

/// The checkers.
pub const PEERS: [Peer; 3] = [
    Peer { name: "kube-score", package: "github.com/zegl/kube-score/cmd/kube-score@v1.20.0" },
    Peer { name: "kubeconform", package: "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0" },
    Peer { name: "kube-linter", package: "golang.stackrox.io/kube-linter/cmd/kube-linter@v0.8.3" },
];

impl Peer {
    /// Its program: where a flag says, else on the PATH, else in the cache.
    ///
    /// # Errors
    /// Why there is none, and what helps.
    pub fn find(&self, flag: Option<&Path>, cache: &Path) -> Result<PathBuf> {
        if let Some(path) = flag {
            return if path.is_file() { Ok(path.to_owned()) } else { bail!("{}: there is no such program", path.display()) };
        }
        let folders = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
        let places = folders.into_iter().map(|folder| folder.join(self.name)).chain([self.built(cache)]);
        let found = places.into_iter().find(|place| place.is_file());
        found.with_context(|| format!("not on the PATH: --fetch-peers builds it, --{} FILE names it", self.name))
    }

    /// How it judges a corpus.
    ///
    /// # Errors
    /// When it lacks something that it cannot do without.
    pub fn program(&self, path: PathBuf, corpus: &Path, schemas: Option<&str>) -> Result<Program> {
        let folder = corpus.display().to_string();
        let word = |text: &str| text.to_owned();
        let arguments = match self.name {
            "kube-score" => {
                let mut files: Vec<String> = std::fs::read_dir(corpus)?.map(|entry| Ok(entry?.path().display().to_string())).collect::<Result<_>>()?;
                files.sort();
                [vec![word("score"), word("--output-format"), word("ci")], files].concat()
            }
            "kubeconform" => {
                let schemas = schemas.context("it fetches schemas from the network: --schemas LOCATION names a copy of them")?;
                vec![word("-strict"), word("-summary"), word("-schema-location"), schemas.to_owned(), folder]
            }
            _ => vec![word("lint"), folder],
        };
        Ok(Program { name: self.name.to_owned(), path, arguments })
    }

    /// Builds it from its Go module, unless it is there.
    ///
    /// # Errors
    /// When there is no Go, or the build fails.
    pub async fn build(&self, ctx: &Context) -> Result<PathBuf> {
        let path = self.built(ctx.cache.root());
        if path.is_file() {
            return Ok(path);
        }
        let go = go_toolchain::ensure(ctx).await?;
        let step = ctx.step(&format!("build {}", self.name));
        step.says(format!("compiling {} (Go)", self.package));
        let folder = path.parent().context("a program has a folder")?;
        std::fs::create_dir_all(folder)?;
        let mut command = Command::new(&go);
        command
            .args(["install", "-trimpath", self.package])
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "")
            .env("GOWORK", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOBIN", folder)
            .env("GOMODCACHE", ctx.cache.go().join("mod"))
            .env("GOCACHE", ctx.cache.go().join("build"));
        run_logged(&mut command, step.log()).await.with_context(|| format!("failed to build {}", self.name))?;
        step.done("built");
        Ok(path)
    }

    fn built(&self, cache: &Path) -> PathBuf {
        let version = self.package.rsplit('@').next().unwrap_or_default();
        cache.join("peers").join(version).join(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_the_way_to_get_it() {
        let folder = tempfile::tempdir().expect("folder");
        let peer = Peer { name: "no-such-checker", package: "example.org/no-such-checker@v1.0.0" };
        let missing = peer.find(None, folder.path()).expect_err("missing").to_string();
        assert_eq!(missing, "not on the PATH: --fetch-peers builds it, --no-such-checker FILE names it");
        let wrong = peer.find(Some(Path::new("/no/such")), folder.path()).expect_err("missing").to_string();
        assert!(wrong.contains("/no/such"), "{wrong}");
        let built = folder.path().join("peers/v1.0.0");
        std::fs::create_dir_all(&built).expect("folder");
        std::fs::write(built.join(peer.name), "").expect("writes");
        assert!(peer.find(None, folder.path()).is_ok());
    }

    #[test]
    fn every_peer_is_given_the_corpus() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("app.yaml"), "").expect("writes");
        for peer in PEERS {
            let program = peer.program(peer.name.into(), folder.path(), Some("schemas")).expect("arguments");
            assert!(program.arguments.last().is_some_and(|last| last.contains(&*folder.path().to_string_lossy())), "{program:?}");
        }
        assert!(PEERS[1].program("x".into(), folder.path(), None).is_err());
    }
}
