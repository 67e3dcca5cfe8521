//! What every provisioning step is given.

use super::cache::Cache;
use gauntlet_reports::event::EventKind;
use gauntlet_reports::recorder::Recorder;
use std::path::{Path, PathBuf};

/// The tools of a step: the cache, the repository, the run's recorder.
#[derive(Clone)]
pub struct Context {
    /// The project's cache folder.
    pub cache: Cache,
    /// The repository's root.
    pub repo: PathBuf,
    /// Where progress goes.
    pub recorder: Recorder,
    /// Install nothing; say what to do instead.
    pub no_provision: bool,
}

impl Context {
    /// Begins a step with a log file of its own.
    pub fn step(&self, name: &str) -> Step {
        Step { name: name.to_owned(), log: self.cache.log(name), recorder: self.recorder.clone() }
    }

    /// The folder of the fixtures.
    pub fn fixtures(&self) -> PathBuf {
        self.repo.join("fixtures")
    }
}

/// A step that is going on.
#[derive(Clone)]
pub struct Step {
    name: String,
    log: PathBuf,
    recorder: Recorder,
}

impl Step {
    /// Its log file.
    pub fn log(&self) -> &Path {
        &self.log
    }

    fn emit(&self, message: String, done: bool) {
        let log = Some(self.log.display().to_string()).filter(|_| self.log.exists());
        self.recorder.emit(EventKind::Step { step: self.name.clone(), message, done, log });
    }

    /// Says what it is doing.
    pub fn says(&self, message: impl Into<String>) {
        self.emit(message.into(), false);
    }

    /// It is finished.
    pub fn done(&self, message: impl Into<String>) {
        self.emit(message.into(), true);
    }
}
