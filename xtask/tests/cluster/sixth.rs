//! A platform that the suite has never seen, in a folder of its own: data only, no Rust.

use super::suite::{outcome, run_of, turn, xtask};
use gauntlet_reports::run::StageName;
use gauntlet_reports::verdict::Verdict;
use std::path::Path;

#[test]
#[ignore = "needs the cluster: cargo xtask test"]
fn a_strangers_platform_is_verified_from_its_folder() {
    let _turn = turn();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bookshop");
    let out = tempfile::tempdir().expect("temp dir");
    let mut command = xtask(&["verify", "--yes", "--seed", "7", "--platform"]);
    let (code, text) = outcome(&command.arg(folder).arg("--out").arg(out.path()).output().expect("xtask starts"));
    assert_eq!(code, Some(0), "{text}");
    let run = run_of(out.path());
    let verdict = |name: StageName| run.platforms[0].stages.iter().find(|s| s.name == name).expect("the stage is there").verdict;
    assert_eq!((verdict(StageName::Load), verdict(StageName::Chaos)), (Verdict::Pass, Verdict::Pass));
    assert_eq!((verdict(StageName::Soak), verdict(StageName::Drill)), (Verdict::NotApplicable, Verdict::NotApplicable));
}
