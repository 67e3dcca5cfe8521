//! Files as they are when their findings are mended. Pure: who calls it reads and writes.

use gauntlet_fixtures::manifest::{ManifestError, edit};
use gauntlet_reports::finding::{Edit, Finding};

/// What becomes of one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Mended {
    /// The new text; the old one when nothing can be mended.
    pub text: Vec<u8>,
    /// Positions of the findings that are mended by it.
    pub fixed: Vec<usize>,
    /// Positions of those that are not, and why.
    pub refused: Vec<(usize, ManifestError)>,
}

/// The fixes of the findings that name a file. Waived findings stay: somebody wants it so.
///
/// One that cannot be made is refused, and the others are made without it. When they do not go together, the whole file
/// stays as it is.
pub fn mend(text: &[u8], file: &str, findings: &[Finding]) -> Mended {
    let mut mended = Mended { text: text.to_vec(), fixed: Vec::new(), refused: Vec::new() };
    let mut fixes: Vec<(usize, &[Edit])> = Vec::new();
    for (at, finding) in findings.iter().enumerate().filter(|(_, finding)| finding.stands()) {
        let Some(fix) = &finding.automatic else { continue };
        match fix.edits.iter().filter(|edit| edit.location.file == file).count() {
            0 => {}
            count if count == fix.edits.len() => fixes.push((at, &fix.edits)),
            _ => {
                let message = "its changes stand in several files: make them by hand";
                mended.refused.push((at, ManifestError::path(file, message)));
            }
        }
    }
    let apply = |fixes: &[(usize, &[Edit])]| {
        let edits: Vec<Edit> = fixes.iter().flat_map(|(_, edits)| edits.iter().cloned()).collect();
        edit::apply(text, file, &edits)
    };
    if fixes.is_empty() {
        return mended;
    }
    let mut outcome = apply(&fixes);
    if outcome.is_err() {
        // One by one: which of them cannot be made?
        fixes.retain(|fix| match apply(std::slice::from_ref(fix)) {
            Ok(_) => true,
            Err(error) => {
                mended.refused.push((fix.0, error));
                false
            }
        });
        outcome = apply(&fixes);
    }
    match outcome {
        Ok(text) => {
            mended.text = text;
            mended.fixed = fixes.iter().map(|(at, _)| *at).collect();
        }
        Err(error) => mended.refused.extend(fixes.iter().map(|(at, _)| (*at, error.clone()))),
    }
    mended
}
