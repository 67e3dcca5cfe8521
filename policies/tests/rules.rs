//! Every rule is registered, documented, part of the production set, and proven by manifests that keep and break it.

use gauntlet_fixtures::manifest::load;
use gauntlet_policies::registry::RULES;
use gauntlet_policies::rule::{Rule, SECTIONS};
use gauntlet_policies::{PolicySet, check};
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    files
}

/// Lines on which a rule reports something.
fn reported(rule: &'static Rule, file: &Path) -> BTreeSet<u32> {
    let loaded = load(file);
    assert_eq!(loaded.errors, vec![], "{}", file.display());
    let findings = check(&loaded.sets[0].objects, &PolicySet::only(rule), &[], "2026-01-01");
    findings.into_iter().map(|finding| finding.location.line).collect()
}

/// Lines that say that the rule must report here: `# <- SEC001`.
fn expected(rule: &Rule, file: &Path) -> BTreeSet<u32> {
    let text = std::fs::read_to_string(file).expect("reads");
    let mark = format!("# <- {}", rule.id);
    (1..).zip(text.lines()).filter(|(_, line)| line.trim_end().ends_with(&mark)).map(|(number, _)| number).collect()
}

#[test]
fn every_rule_file_is_registered() {
    let registered: HashSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    for family in files(&here("src/rules")).iter().filter(|path| path.is_dir()) {
        for file in files(family).iter().filter(|path| path.file_name().is_some_and(|name| name != "mod.rs")) {
            // A family's tables and readers stand beside its rules.
            if !std::fs::read_to_string(file).expect("reads").contains("pub const RULE") {
                continue;
            }
            let name = file.file_stem().expect("stem").to_string_lossy().replace('_', "-");
            assert!(registered.contains(name.as_str()), "{} is not in RULES: add it to policies/src/registry.rs", file.display());
        }
    }
}

#[test]
fn ids_and_names_are_unique_and_sorted() {
    let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(ids, sorted, "RULES must be sorted by id, and no id may stand there twice");
    let names: HashSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), RULES.len(), "two rules have the same name");
}

#[test]
fn every_rule_has_its_manual_page() {
    for rule in RULES {
        assert!(!rule.summary().is_empty(), "{} {}: the first line of its doc comment is empty", rule.id, rule.name);
        for title in SECTIONS {
            let text = rule.section(title);
            assert!(text.len() > 10, "{} {}: its doc comment lacks the section `## {title}`", rule.id, rule.name);
        }
        let file = format!("{}.rs", rule.name.replace('-', "_"));
        assert!(rule.source.contains(&format!("include_str!(\"{file}\")")), "{}: the source of another rule's file", rule.id);
    }
}

#[test]
fn every_rule_is_in_the_production_set_or_says_why_it_is_not() {
    let set = PolicySet::production();
    for rule in RULES {
        let (inside, reason) = (set.severity(rule).is_some(), !rule.section("Off by default").is_empty());
        assert!(inside || reason, "{} {} is not in policies/sets/production.yaml, and has no section `## Off by default`", rule.id, rule.name);
        assert!(!inside || !reason, "{} {} is in policies/sets/production.yaml, but says why it is off by default", rule.id, rule.name);
    }
}

#[test]
fn every_set_that_ships_can_be_read() {
    for name in PolicySet::names() {
        let set = PolicySet::named(name).expect("ships");
        assert_eq!(set.name, name);
        let text = std::fs::read_to_string(here(&format!("sets/{name}.yaml"))).expect("reads");
        assert_eq!(set, PolicySet::parse(&text, &format!("policies/sets/{name}.yaml")).expect("reads"));
    }
    assert_eq!(files(&here("sets")).len(), PolicySet::names().count(), "a set in policies/sets is not part of the program");
}

#[test]
fn data_belongs_to_a_rule() {
    for folder in files(&here("tests/data")) {
        let name = folder.file_name().expect("name").to_string_lossy().into_owned();
        assert!(RULES.iter().any(|rule| rule.name == name), "{}: there is no rule {name}", folder.display());
    }
}

#[test]
fn what_keeps_a_rule_is_not_reported() {
    for rule in RULES {
        let files = files(&here(&format!("tests/data/{}/pass", rule.name)));
        assert!(!files.is_empty(), "{} {} has no data in policies/tests/data/{}/pass", rule.id, rule.name, rule.name);
        for file in files {
            assert_eq!(reported(rule, &file), BTreeSet::new(), "{} reports lines of {}", rule.id, file.display());
        }
    }
}

#[test]
fn what_breaks_a_rule_is_reported_on_its_line() {
    for rule in RULES {
        let files = files(&here(&format!("tests/data/{}/fail", rule.name)));
        assert!(!files.is_empty(), "{} {} has no data in policies/tests/data/{}/fail", rule.id, rule.name, rule.name);
        for file in files {
            let expected = expected(rule, &file);
            assert!(!expected.is_empty(), "{}: no line is marked with `# <- {}`", file.display(), rule.id);
            assert_eq!(reported(rule, &file), expected, "{}: {} reports other lines than the marked ones", file.display(), rule.id);
        }
    }
}
