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
    matches!((file.canonicalize(), path.canonicalize()), (Ok(file), Ok(path)) if file.starts_with(&path))
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

#[cfg(test)]
mod tests {
    use super::super::tests::folder;
    use super::super::{Outcome, PoliciesArgs, judge, mend};
    use super::*;
    use clap::Parser;
    use gauntlet_policies::PolicySet;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: PoliciesArgs,
    }

    const NUMBER: &str = "# a\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: {version: 1.10} # it\n";

    fn judged(path: &Path) -> Outcome {
        let args = Cli::parse_from(["policies", &path.to_string_lossy()]).args;
        judge(&args, None, &PolicySet::production(), "2026-06-15")
    }

    fn fixed(path: &Path) -> (Outcome, String) {
        let mut outcome = judged(path);
        let report = mend(&mut outcome, &[path.to_owned()], || judged(path)).expect("mends");
        (outcome, report)
    }

    #[test]
    fn files_are_mended_once_and_what_they_are_stays() {
        let folder = folder(&[("real/a.yaml", NUMBER)]);
        let real = folder.path().join("real/a.yaml");
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("sets");
        symlink("real/a.yaml", folder.path().join("a.yaml")).expect("link");
        let (outcome, report) = fixed(&folder.path().join("a.yaml"));
        assert!(outcome.findings.is_empty(), "{:?}", outcome.findings);
        assert_eq!(fs::read_to_string(&real).expect("reads"), NUMBER.replace("1.10", "\"1.10\""));
        assert_eq!(real.metadata().expect("there").permissions().mode() & 0o777, 0o640);
        assert!(folder.path().join("a.yaml").is_symlink());
        assert_eq!(fs::read_dir(folder.path().join("real")).expect("lists").count(), 1, "nothing is left beside it");
        assert!(report.contains("a.yaml:6:21 SCH007 label-values: metadata.labels.version"), "{report}");
        assert_eq!(fixed(&real).1, "", "a second run finds nothing to mend");
    }

    #[test]
    fn the_diff_shows_what_would_be_written() {
        let folder = folder(&[("a.yaml", NUMBER)]);
        let path = folder.path().join("a.yaml");
        let plan = Plan::of(&judged(&path).findings, std::slice::from_ref(&path), &BTreeMap::new());
        let text = plan.diff().replace(&format!("{}/", folder.path().display()), "");
        insta::assert_snapshot!(text, @r#"
        --- a.yaml
        +++ a.yaml
        @@ -3,4 +3,4 @@
         kind: ConfigMap
         metadata:
           name: a
        -  labels: {version: 1.10} # it
        +  labels: {version: "1.10"} # it
        "#);
        assert_eq!(fs::read_to_string(path).expect("reads"), NUMBER);
    }

    #[test]
    fn a_base_is_mended_only_where_it_was_named() {
        let folder = folder(&[("base/a.yaml", NUMBER), ("base/kustomization.yaml", "resources: [a.yaml]\n"), ("over/kustomization.yaml", "resources: [../base]\n")]);
        let (outcome, report) = fixed(&folder.path().join("over"));
        assert_eq!(outcome.findings.len(), 1);
        assert!(report.contains("outside of the paths that were named"), "{report}");
        let (outcome, _) = fixed(folder.path());
        assert_eq!(outcome.findings, vec![]);
    }

    #[test]
    fn a_value_that_a_kustomization_puts_together_is_for_a_person() {
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: 'a:1'}]}\n";
        let kustomization = "resources: [a.yaml]\nimages: [{name: a, newName: k8s.gcr.io/pause, newTag: '3.9'}]\n";
        let folder = folder(&[("a.yaml", pod), ("kustomization.yaml", kustomization)]);
        let (outcome, report) = fixed(folder.path());
        assert!(outcome.findings.iter().any(|finding| finding.name == "deprecated-registry"));
        assert!(report.contains("put together from several"), "{report}");
        assert_eq!(fs::read_to_string(folder.path().join("kustomization.yaml")).expect("reads"), kustomization);
    }

    #[test]
    fn what_makes_a_kustomization_unreadable_is_taken_back() {
        let job = "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: a}\nspec: {schedule: '@daily'}\n";
        let folder = folder(&[("a.yaml", job), ("p.yaml", job), ("kustomization.yaml", "resources: [a.yaml]\npatches: [{path: p.yaml}]\n")]);
        let (outcome, report) = fixed(folder.path());
        let removed = outcome.findings.iter().filter(|finding| finding.name == "removed-api").count();
        let text = fs::read_to_string(folder.path().join("a.yaml")).expect("reads");
        // Either the patch's own version was changed with it, or nothing was.
        assert!(removed == 0 || (text == job && report.contains("taken back")), "{report}\n{text}");
        assert!(outcome.errors.is_empty());
    }
}
