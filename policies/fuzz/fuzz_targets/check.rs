//! Any bytes: read, judged by every rule, and mended. Nothing may panic or go on without end.
#![no_main]

use gauntlet_fixtures::manifest::load_text;
use gauntlet_policies::mend::mend;
use gauntlet_policies::registry::RULES;
use gauntlet_policies::{PolicySet, check};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static EVERYTHING: LazyLock<PolicySet> = LazyLock::new(|| {
    let rules: String = RULES.iter().map(|rule| format!("  {}: {{severity: error}}\n", rule.name)).collect();
    PolicySet::parse(&format!("name: everything\nrules:\n{rules}"), "everything.yaml").expect("a good set")
});

fuzz_target!(|text: &[u8]| {
    let loaded = load_text(text, "fuzz.yaml");
    assert!(!loaded.sets.is_empty() || !loaded.errors.is_empty());
    for set in &loaded.sets {
        let findings = check(&set.objects, &EVERYTHING, &[], "2026-01-01");
        let _ = mend(text, "fuzz.yaml", &findings);
    }
});
