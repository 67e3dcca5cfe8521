//! The surfaces of a run, one file each. All of them draw from the same [`Run`] and the same [`Event`]s.

pub mod findings_github;
pub mod findings_junit;
pub mod findings_markdown;
pub mod html;
pub mod junit;
pub mod live;
pub mod run_json;
pub mod sarif;
pub mod summary_md;
mod words;

use crate::event::Event;
use crate::run::Run;
use crate::verdict::Verdict;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What can go wrong when a run is written or read.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Some files could not be written. The others, and the older versions of these, stand.
    #[error("write {} to {}: {cause}{}", .missing.join(", "), .dir.display(), hint(.cause, .standing))]
    Write {
        /// The run's folder.
        dir: PathBuf,
        /// The files that were not written.
        missing: Vec<String>,
        /// The files that were written.
        standing: Vec<String>,
        /// The first cause.
        cause: io::Error,
    },
    /// The run could not be turned into a file's text.
    #[error("draw {file}: {cause}")]
    Draw {
        /// The file.
        file: &'static str,
        /// The cause.
        cause: String,
    },
    /// A run's folder could not be read.
    #[error("read {}: {cause}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: String,
    },
}

fn hint(cause: &io::Error, standing: &[String]) -> String {
    let full = matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let stands = if standing.is_empty() { String::new() } else { format!("; {} stands", standing.join(", ")) };
    let next = if full { "; free some space and render the run again from run.json and events.jsonl" } else { "" };
    format!("{stands}{next}")
}

/// Every file that [`write_all`] writes.
pub const FILES: [&str; 5] = ["run.json", "summary.md", "junit.xml", "findings.sarif", "report.html"];

/// Writes `run.json`, `summary.md`, `junit.xml`, `findings.sarif` and `report.html` into `dir`, which is made when it is missing. `events`
/// are all events of the run in order of time; `events.jsonl` itself is the recorder's.
///
/// Each file is replaced as a whole or not at all. One file that cannot be written does not keep the others away.
///
/// # Errors
/// [`RenderError::Write`] once, naming every file that is missing; [`RenderError::Draw`] for a bug in a renderer.
pub fn write_all(dir: &Path, run: &Run, events: &[Event]) -> Result<(), RenderError> {
    write_with(dir, run, events, replace)
}

/// The verdict in words, with the stages that made it: `Failed in globeco load`.
fn verdict_line(run: &Run) -> String {
    let stages = run.platforms.iter().flat_map(|p| p.stages.iter().map(move |s| (p.name.as_str(), s)));
    let names: Vec<_> = stages.filter(|(_, s)| s.verdict == run.verdict).map(|(p, s)| format!("{p} {}", s.name)).collect();
    let list = match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [init @ .., last] if names.len() <= 4 => format!("{} and {last}", init.join(", ")),
        many => format!("{} and {} more stages", many[..3].join(", "), many.len() - 3),
    };
    match run.verdict {
        Verdict::Pass => "Passed".to_owned(),
        Verdict::Fail if list.is_empty() => "Failed".to_owned(),
        Verdict::Fail => format!("Failed in {list}"),
        Verdict::Inconclusive if list.is_empty() => "Could not judge".to_owned(),
        Verdict::Inconclusive => format!("Could not judge {list}"),
        Verdict::NotApplicable => "Nothing was judged".to_owned(),
    }
}

fn write_with(
    dir: &Path,
    run: &Run,
    events: &[Event],
    mut write: impl FnMut(&Path, &[u8]) -> io::Result<()>,
) -> Result<(), RenderError> {
    // The verdict first: when the disk fills up, the smallest and most needed files already stand.
    let texts = [run_json::render(run), Ok(summary_md::render(run)), junit::render(run), sarif::render(events), html::render(run, events)];
    let (mut standing, mut missing, mut cause, mut bug) = (Vec::new(), Vec::new(), None, None);
    for (name, text) in FILES.into_iter().zip(texts) {
        match text.map(|text| write(&dir.join(name), text.as_bytes())) {
            Ok(Ok(())) => standing.push(name.to_owned()),
            Ok(Err(error)) => {
                missing.push(name.to_owned());
                cause.get_or_insert(error);
            }
            Err(error) => bug = bug.or(Some(error)),
        }
    }
    match cause {
        Some(cause) => Err(RenderError::Write { dir: dir.to_owned(), missing, standing, cause }),
        None => bug.map_or(Ok(()), Err),
    }
}

/// Replaces a file as a whole: a reader sees the old one or the new one, and a failure leaves the old one.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = dir.join(format!(".{name}.{}.part", std::process::id()));
    let written = std::fs::File::create(&part)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // The half file must not keep the space that the next one needs.
        let _ = std::fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Host;
    use crate::verdict::Verdict;

    fn run() -> Run {
        Run {
            run_id: "r1".into(),
            verdict: Verdict::Inconclusive,
            reason: "no container engine answers".into(),
            seed: 7,
            profile: "quick".into(),
            started_at: "2026-03-01T10:00:00Z".into(),
            duration_ms: 1200,
            host: Host::default(),
            cluster: None,
            platforms: Vec::new(),
        }
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(dir).expect("dir").map(|e| e.expect("entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_run_without_platforms_still_gives_every_file() {
        let dir = tempfile::tempdir().expect("temp dir");
        write_all(&dir.path().join("new"), &run(), &[]).expect("written");
        assert_eq!(names(&dir.path().join("new")), ["findings.sarif", "junit.xml", "report.html", "run.json", "summary.md"]);
    }

    #[test]
    fn a_full_disk_gives_one_error_and_keeps_what_stands() {
        let dir = tempfile::tempdir().expect("temp dir");
        std::fs::write(dir.path().join("report.html"), "older").expect("older");
        let error = write_with(dir.path(), &run(), &[], |path, content| match path.ends_with("report.html") {
            true => Err(io::Error::from(io::ErrorKind::StorageFull)),
            false => replace(path, content),
        })
        .expect_err("full");
        let text = error.to_string();
        assert!(text.starts_with("write report.html to "), "{text}");
        assert!(text.contains("run.json, summary.md, junit.xml, findings.sarif stands; free some space"), "{text}");
        assert_eq!(std::fs::read_to_string(dir.path().join("report.html")).expect("older"), "older");
    }

    #[test]
    fn a_file_that_cannot_be_replaced_leaves_no_half_file() {
        let dir = tempfile::tempdir().expect("temp dir");
        // A folder that is not empty stands where junit.xml goes: the rename must fail.
        std::fs::create_dir_all(dir.path().join("junit.xml/x")).expect("in the way");
        let error = write_all(dir.path(), &run(), &[]).expect_err("in the way");
        assert!(matches!(&error, RenderError::Write { missing, .. } if missing == &["junit.xml"]), "{error}");
        assert_eq!(names(dir.path()), ["findings.sarif", "junit.xml", "report.html", "run.json", "summary.md"]);
    }
}
