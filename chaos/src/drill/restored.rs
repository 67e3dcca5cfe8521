//! What a restore brought back, compared with what was backed up. The drill and `cargo xtask restore` both judge it here.

use super::backup::{Backup, unix_ms};
use super::content::{self, Content, Differences};
use super::extras::{self, Extra, Rule};
use super::judge;
use crate::error::ChaosError;
use crate::store::{DataStore, Engine};
use gauntlet_reports::run::Assertion;
use std::collections::BTreeSet;
use std::time::Duration;

/// Records that expire within this time of a comparison may be gone or not.
const EXPIRY_SLACK: Duration = Duration::from_secs(5);

/// Whether somebody else writes to the restored store while it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meanwhile {
    /// Nobody: it must be what was backed up, and nothing else.
    Still,
    /// Its clients: what is new or changed may be theirs, what is missing is not.
    Written,
}

/// A restored store's content.
pub struct Restored {
    /// What it holds.
    pub content: Content,
    completed: Result<(), ChaosError>,
}

impl Restored {
    /// Makes what the restore command left out, and reads everything.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn read(store: &dyn DataStore, backup: &Backup) -> Result<Self, ChaosError> {
        let completed = store.complete(&backup.archive).await;
        Ok(Restored { content: store.content().await?, completed })
    }

    /// How it differs from what was backed up.
    pub fn differences(&self, backup: &Backup) -> Differences {
        compared(&backup.before, &backup.after, &self.content)
    }

    /// `drill.all_collections`, `drill.content`, and one assertion for each kind of extra.
    ///
    /// # Errors
    /// When what the backup says of itself cannot be read.
    pub async fn assertions(&self, backup: &Backup, engine: &dyn Engine, store: &dyn DataStore, meanwhile: Meanwhile) -> Result<Vec<Assertion>, ChaosError> {
        let words = engine.words();
        let dumped = engine.in_backup(&backup.archive)?;
        let collections: BTreeSet<_> = self.content.collections.keys().cloned().collect();
        let differences = match meanwhile {
            Meanwhile::Still => self.differences(backup),
            Meanwhile::Written => compared(&backup.before, &backup.after, &content::as_backed_up(&backup.before, &backup.after, &self.content)),
        };
        let mut assertions = vec![judge::all_collections(words, &backup.collections(), dumped.as_ref(), &collections), judge::content(words, &differences)];
        assertions.extend(compare_extras(&backup.extras, &self.completed, &store.extras().await, meanwhile));
        Ok(assertions)
    }
}

/// The comparison, without what expires on its own.
pub fn compared(before: &Content, after: &Content, restored: &Content) -> Differences {
    let now = unix_ms() + EXPIRY_SLACK.as_millis() as u64;
    let [before, after, restored] = content::without_expired([before, after, restored], now);
    content::compare(&before, &after, &restored)
}

/// One assertion for each kind of extra. Clients move sequences and expiries: those are compared only where nobody writes.
fn compare_extras(
    extras: &[Vec<Extra>; 2],
    completed: &Result<(), ChaosError>,
    restored: &Result<Vec<Extra>, ChaosError>,
    meanwhile: Meanwhile,
) -> Vec<Assertion> {
    let [before, after] = extras;
    let pairs = before.iter().filter_map(|b| Some((b, after.iter().find(|a| a.kind == b.kind)?)));
    pairs
        .filter(|(before, _)| meanwhile == Meanwhile::Still || before.rule == Rule::Equal)
        .map(|(before, after)| {
            let (id, expected) = (format!("drill.{}", before.kind), before.expected.as_ref());
            match (completed, restored) {
                (Err(error), _) => Assertion::fail(id, expected, "not made", format!("the restored store refused what the backup describes: failed to {error}")),
                (_, Err(error)) => Assertion::inconclusive(id, expected, format!("failed to {error}")),
                (Ok(()), Ok(restored)) => extras::judge(before, after, restored.iter().find(|r| r.kind == before.kind)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gauntlet_reports::verdict::Verdict::{Fail, Pass};

    fn extra(kind: &'static str, rule: Rule, value: &str) -> Extra {
        Extra { kind: kind.into(), expected: "it returns".into(), rule, items: [("a".to_owned(), value.to_owned())].into() }
    }

    #[test]
    fn clients_move_sequences_and_no_indexes() {
        let of = |sequence: &str, index: &str| vec![extra("sequences", Rule::Between, sequence), extra("indexes", Rule::Equal, index)];
        let was = [of("1", "i"), of("1", "i")];
        let judge = |now: Vec<Extra>, meanwhile| {
            let judged = compare_extras(&was, &Ok(()), &Ok(now), meanwhile);
            judged.into_iter().map(|a| (a.id, a.verdict)).collect::<Vec<_>>()
        };
        let (sequences, indexes) = ("drill.sequences".to_owned(), "drill.indexes".to_owned());
        assert_eq!(judge(of("9", "i"), Meanwhile::Still), [(sequences, Fail), (indexes.clone(), Pass)]);
        assert_eq!(judge(of("9", "i"), Meanwhile::Written), [(indexes.clone(), Pass)]);
        assert_eq!(judge(of("9", "j"), Meanwhile::Written), [(indexes, Fail)]);
    }
}
