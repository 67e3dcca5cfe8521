//! `--fix` and `--diff`: what the rules can mend by themselves, in the files or as a patch.

use anyhow::{Context as _, Result};
use gauntlet_fixtures::manifest::read_bytes;
use gauntlet_policies::mend::mend;
use gauntlet_reports::finding::Finding;
use similar::TextDiff;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// One file, before and after.
#[derive(Debug)]
struct File {
    old: Vec<u8>,
    new: Vec<u8>,
}

/// What can be mended now.
#[derive(Debug, Default)]
pub struct Plan {
    files: BTreeMap<String, File>,
    /// The findings that go with it.
    pub fixed: Vec<Finding>,
    /// Why others cannot be mended.
    pub refused: BTreeSet<String>,
}

impl Plan {
    /// Looks at the files that the findings name. Only files under `paths` are changed: a base elsewhere belongs to others too.
    /// `texts` are those that stand in no file.
    pub fn of(findings: &[Finding], paths: &[PathBuf], texts: &BTreeMap<String, Vec<u8>>) -> Self {
        let mut plan = Self::default();
        let edits = findings.iter().filter(|finding| finding.stands()).flat_map(|finding| finding.automatic.iter().flat_map(|fix| &fix.edits));
        let names: BTreeSet<&str> = edits.map(|edit| edit.location.file.as_str()).collect();
        for name in names {
            let old = match texts.get(name) {
                Some(text) => text.clone(),
                None if !paths.iter().any(|path| is_below(Path::new(name), path)) => {
                    plan.refused.insert(format!("{name}: outside of the paths that were named: name it too to have it mended"));
                    continue;
                }
                None => match read_bytes(Path::new(name)) {
                    Ok(bytes) => bytes,
                    Err(error) => {
                        plan.refused.insert(error.to_string());
                        continue;
                    }
                },
            };
            let mended = mend(&old, name, findings);
            plan.refused.extend(mended.refused.iter().map(|(at, error)| format!("{error} ({})", findings[*at].rule)));
            if mended.text != old {
                plan.fixed.extend(mended.fixed.iter().map(|at| findings[*at].clone()));
                plan.files.insert(name.to_owned(), File { old, new: mended.text });
            }
        }
        plan
    }

    /// True: nothing can be mended.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// A unified diff, for a person or for `patch -p0`.
    pub fn diff(&self) -> String {
        let one = |(name, file): (&String, &File)| {
            let (old, new) = (String::from_utf8_lossy(&file.old), String::from_utf8_lossy(&file.new));
            TextDiff::from_lines(old.as_ref(), new.as_ref()).unified_diff().header(name, name).to_string()
        };
        self.files.iter().map(one).collect()
    }

    /// Writes the files.
    ///
    /// # Errors
    /// When one cannot be written; those before it are.
    pub fn write(&self) -> Result<()> {
        self.files.iter().try_for_each(|(name, file)| replace(Path::new(name), &file.new))
    }

    /// Writes the files as they were.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn take_back(&self) -> Result<()> {
        self.files.iter().try_for_each(|(name, file)| replace(Path::new(name), &file.old))
    }
}

/// One line for each finding that is gone.
pub fn report(fixed: &[Finding], refused: &BTreeSet<String>) -> String {
    let mut text = String::new();
    for finding in fixed {
        let why = finding.automatic.as_ref().map(|fix| fix.why_safe.as_str()).unwrap_or_default();
        text.push_str(&format!("fixed {} {} {}: {} {why}\n", finding.location, finding.rule, finding.name, finding.field));
    }
    for refusal in refused {
        text.push_str(&format!("not fixed {refusal}\n"));
    }
    text
}

fn is_below(file: &Path, path: &Path) -> bool {
    // A kustomization's file stands for its folder.
    let is_kustomization = gauntlet_fixtures::manifest::kustomize::is_kustomization_file(path);
    let path = if is_kustomization { path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")) } else { path };
    matches!((file.canonicalize(), path.canonicalize()), (Ok(file), Ok(path)) if file.starts_with(path))
}

/// Puts a new text into the place of a file at once: no reader sees half of it. Links and permissions stay.
fn replace(path: &Path, text: &[u8]) -> Result<()> {
    let write = || -> Result<()> {
        let real = path.canonicalize()?;
        let folder = real.parent().context("a file has a folder")?;
        let mut half = tempfile::NamedTempFile::new_in(folder)?;
        half.write_all(text)?;
        half.as_file().set_permissions(real.metadata()?.permissions())?;
        half.as_file().sync_all()?;
        half.persist(&real)?;
        Ok(())
    };
    write().with_context(|| format!("failed to write {}", path.display()))
}
