//! Where the time goes: the parts of a check, and the rules that take most of it. Asked for by hand:
//! `cargo test -p gauntlet-policies --test speed -- --ignored --nocapture`.

use gauntlet_fixtures::manifest::{Dialect, Object, parse};
use gauntlet_policies::index::Index;
use gauntlet_policies::registry::RULES;
use gauntlet_policies::{PolicySet, check, corpus};
use std::time::{Duration, Instant};

fn best<T>(mut run: impl FnMut() -> T) -> Duration {
    let times = (0..3).map(|_| {
        let started = Instant::now();
        std::hint::black_box(run());
        started.elapsed()
    });
    times.min().unwrap_or_default()
}

#[test]
#[ignore = "a measurement"]
fn where_the_time_goes() {
    let rules: String = RULES.iter().map(|rule| format!("  {}: {{severity: error}}\n", rule.name)).collect();
    let everything = PolicySet::parse(&format!("name: everything\nrules:\n{rules}"), "everything.yaml").expect("good");
    for documents in [1000, 5000, 20_000] {
        let texts: Vec<_> = corpus::files(1, documents).collect();
        let read = || -> Vec<Object> {
            let of = |(name, text): &(String, String)| parse(text.as_bytes(), name, Dialect::Kubectl).expect("parses");
            texts.iter().flat_map(of).map(|root| Object::from_node(root).expect("object")).collect()
        };
        let objects = read();
        let (parsed, indexed, judged) = (best(read), best(|| Index::new(&objects)), best(|| check(&objects, &everything, &[], "2026-01-01")));
        let findings = check(&objects, &everything, &[], "2026-01-01").len();
        println!("{} documents: parse {parsed:?}, index {indexed:?}, check {judged:?} ({:.2} x parse), {findings} findings", objects.len(), (parsed + judged).as_secs_f64() / parsed.as_secs_f64());
        let mut slow: Vec<_> = RULES.iter().map(|rule| (best(|| check(&objects, &PolicySet::only(rule), &[], "2026-01-01")).saturating_sub(indexed), rule.name)).collect();
        slow.sort();
        for (time, name) in slow.iter().rev().take(12) {
            let count = check(&objects, &PolicySet::only(RULES.iter().find(|rule| rule.name == *name).expect("there")), &[], "2026-01-01").len();
            println!("  {time:>12?} {name} ({count})");
        }
    }
}
