//! Programs of the Java world: jars from Maven Central by a list that names each with its SHA-256.
//!
//! A list has one jar a line, `group:artifact:version sha256` or `group:artifact:version:classifier sha256`; `#` begins a
//! comment. It is complete: nothing is resolved here, and a byte that differs is an error.

use super::context::Context;
use super::parts::Jars;
use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where jars come from, unless `$GAUNTLET_MAVEN` names a mirror.
const CENTRAL: &str = "https://repo1.maven.org/maven2";
/// How many are fetched at once.
const AT_ONCE: usize = 8;
/// How often one is tried before the last error counts.
const TRIES: u32 = 3;
/// The largest has 7 MB.
const LIMIT: Duration = Duration::from_secs(120);

/// One jar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jar {
    /// Path below the repository's address.
    pub path: String,
    /// SHA-256 of its content, 64 hex digits.
    pub sha256: String,
}

impl Jar {
    /// The file's name, `artifact-version.jar`.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Where it stands once it is fetched: the name holds the content's key.
    pub fn stored(&self, ctx: &Context) -> PathBuf {
        ctx.cache.root().join("jars").join(format!("{}-{}", &self.sha256[..16], self.file_name()))
    }
}

/// Reads the list of a set.
///
/// # Errors
/// When it cannot be read, or a line is not of the form: with its number.
pub fn read(fixtures: &Path, jars: &Jars) -> Result<Vec<Jar>> {
    let file = fixtures.join(&jars.list);
    let text = std::fs::read_to_string(&file).with_context(|| format!("failed to read {}", file.display()))?;
    parse(&text).with_context(|| format!("failed to read {}", file.display()))
}

fn parse(text: &str) -> Result<Vec<Jar>> {
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.split('#').next().unwrap_or_default().trim()));
    lines.filter(|(_, line)| !line.is_empty()).map(|(number, line)| parse_line(line).with_context(|| format!("line {number}"))).collect()
}

fn parse_line(line: &str) -> Result<Jar> {
    let (name, sha256) = line.split_once(' ').context("a jar and its SHA-256 stand on one line")?;
    let sha256 = sha256.trim().to_ascii_lowercase();
    if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
        bail!("{sha256:?} is no SHA-256");
    }
    let parts: Vec<&str> = name.split(':').collect();
    let (group, artifact, version, classifier) = match parts.as_slice() {
        [group, artifact, version] => (group, artifact, version, String::new()),
        [group, artifact, version, classifier] => (group, artifact, version, format!("-{classifier}")),
        _ => bail!("{name:?} is not group:artifact:version"),
    };
    // The parts become a path below the cache: nothing in them may lead out of it.
    if parts.iter().any(|part| part.is_empty() || part.starts_with('.') || !part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))) {
        bail!("{name:?} is not group:artifact:version");
    }
    let path = format!("{}/{artifact}/{version}/{artifact}-{version}{classifier}.jar", group.replace('.', "/"));
    Ok(Jar { path, sha256 })
}

/// Fetches what is missing of a set, and gives every jar. What a killed run fetched stays.
///
/// # Errors
/// When one cannot be had, or is not the one that the list means.
pub async fn fetch(ctx: &Context, jars: &Jars) -> Result<Vec<Jar>> {
    let all = read(&ctx.fixtures(), jars)?;
    let missing: Vec<(Jar, PathBuf)> = all.iter().map(|jar| (jar.clone(), jar.stored(ctx))).filter(|(_, stored)| !stored.exists()).collect();
    if missing.is_empty() {
        return Ok(all);
    }
    if ctx.no_provision {
        bail!("{} jars of {} are missing, and --no-provision forbids fetching them", missing.len(), jars.name);
    }
    let base = std::env::var("GAUNTLET_MAVEN").ok().filter(|v| !v.is_empty()).unwrap_or_else(|| CENTRAL.to_owned());
    let step = ctx.step(&format!("fetch {}", jars.name));
    step.says(format!("downloading {} of {} jars", missing.len(), all.len()));
    std::fs::create_dir_all(ctx.cache.root().join("jars")).context("failed to make the folder of the jars")?;
    let client = reqwest::Client::builder().timeout(LIMIT).build().context("failed to make an HTTP client")?;
    let fetches = missing.into_iter().map(|(jar, target)| download(client.clone(), format!("{}/{}", base.trim_end_matches('/'), jar.path), jar.sha256, target));
    futures::stream::iter(fetches).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    step.done(format!("{} jars", all.len()));
    Ok(all)
}

async fn download(client: reqwest::Client, url: String, sha256: String, target: PathBuf) -> Result<()> {
    let mut tries = 1;
    let bytes = loop {
        let answer = async { client.get(&url).send().await?.error_for_status()?.bytes().await };
        match answer.await {
            Ok(bytes) => break bytes,
            Err(error) if tries < TRIES && error.status().is_none_or(|s| s.is_server_error()) => tries += 1,
            Err(error) => return Err(error).with_context(|| format!("failed to fetch {url}; where Maven Central is reached by a mirror, GAUNTLET_MAVEN names its address")),
        }
    };
    let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if found != sha256 {
        bail!("{url} has the SHA-256 {found}, and {sha256} is expected: it is not used");
    }
    let half = target.with_extension("half");
    std::fs::write(&half, &bytes).with_context(|| format!("failed to write {}", half.display()))?;
    std::fs::rename(&half, &target).with_context(|| format!("failed to keep {}", target.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::cache::Cache;
    use gauntlet_reports::{clock::Clock, recorder::Recorder};
    use wiremock::matchers::path;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    fn sha256(content: &[u8]) -> String {
        Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_line_names_a_path_and_a_hash() {
        let hash = "0A".repeat(32);
        let jars = parse(&format!("# two jars\norg.x.y:some-lib_2.13:1.0 {hash}\n\norg.x:native:2.1:linux {hash} # with a classifier\n")).expect("parses");
        assert_eq!(jars[0].path, "org/x/y/some-lib_2.13/1.0/some-lib_2.13-1.0.jar");
        assert_eq!((jars[1].file_name(), jars[1].sha256.as_str()), ("native-2.1-linux.jar", hash.to_lowercase().as_str()));
    }

    #[rstest::rstest]
    #[case("org.x:lib:1.0", "line 1")]
    #[case("org.x:lib:1.0 1234", "no SHA-256")]
    #[case("org.x:lib 0000000000000000000000000000000000000000000000000000000000000000", "group:artifact:version")]
    #[case("org.x:../../etc:1.0 0000000000000000000000000000000000000000000000000000000000000000", "group:artifact:version")]
    #[case("org.x:..:1.0 0000000000000000000000000000000000000000000000000000000000000000", "group:artifact:version")]
    fn a_broken_line_is_refused_with_its_number(#[case] line: &str, #[case] expected: &str) {
        let error = format!("{:#}", parse(line).expect_err("refused"));
        assert!(error.contains(expected) && error.contains("line 1"), "{error}");
    }

    /// A context in `folder`.
    fn context(folder: &Path) -> Context {
        Context { cache: Cache::at(folder.join("cache")).expect("cache"), repo: folder.to_owned(), recorder: Recorder::in_memory(Clock::start()), no_provision: false }
    }

    /// Downloads a jar of that content from the server. Gives where it would stand.
    async fn download_from(server: &MockServer, ctx: &Context, name: &str, content: &[u8]) -> (PathBuf, Result<()>) {
        let jar = parse_line(&format!("a:{name}:1 {}", sha256(content))).expect("parses");
        std::fs::create_dir_all(ctx.cache.root().join("jars")).expect("folder");
        let done = download(reqwest::Client::new(), format!("{}/{}", server.uri(), jar.path), jar.sha256.clone(), jar.stored(ctx)).await;
        (jar.stored(ctx), done)
    }

    #[tokio::test]
    async fn a_jar_is_kept_only_when_it_is_the_one_that_is_meant() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (server, folder) = (MockServer::start().await, tempfile::tempdir().expect("temp dir"));
        let ctx = context(folder.path());
        Mock::given(path("/a/good/1/good-1.jar")).respond_with(ResponseTemplate::new(200).set_body_bytes("good")).mount(&server).await;
        Mock::given(path("/a/bad/1/bad-1.jar")).respond_with(ResponseTemplate::new(200).set_body_bytes("not it")).mount(&server).await;
        let (stored, done) = download_from(&server, &ctx, "good", b"good").await;
        done.expect("fetched");
        assert_eq!(std::fs::read(stored).expect("kept"), b"good");
        let (stored, done) = download_from(&server, &ctx, "bad", b"it").await;
        let error = done.expect_err("another content").to_string();
        assert!(error.contains("SHA-256") && !stored.exists(), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_fails_once_is_asked_again_and_a_missing_jar_is_not() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (server, folder) = (MockServer::start().await, tempfile::tempdir().expect("temp dir"));
        let ctx = context(folder.path());
        Mock::given(path("/a/late/1/late-1.jar")).respond_with(ResponseTemplate::new(503)).up_to_n_times(1).mount(&server).await;
        Mock::given(path("/a/late/1/late-1.jar")).respond_with(ResponseTemplate::new(200).set_body_bytes("late")).mount(&server).await;
        Mock::given(path("/a/gone/1/gone-1.jar")).respond_with(ResponseTemplate::new(404)).expect(1).mount(&server).await;
        download_from(&server, &ctx, "late", b"late").await.1.expect("fetched");
        let error = format!("{:#}", download_from(&server, &ctx, "gone", b"gone").await.1.expect_err("404"));
        assert!(error.contains("gone-1.jar") && error.contains("GAUNTLET_MAVEN"), "{error}");
    }
}
