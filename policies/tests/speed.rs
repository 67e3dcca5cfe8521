//! Where the time goes: the parts of a check, and the rules that take most of it. Asked for by hand:
//! `cargo test -p gauntlet-policies --test speed -- --ignored --nocapture`.

use gauntlet_fixtures::manifest::{Dialect, Object, parse};
use gauntlet_policies::index::Index;
use gauntlet_policies::registry::RULES;
use gauntlet_policies::{PolicySet, check, corpus};
use std::time::{Duration, Instant};

/// Least time on a processor of three runs: what else the machine does is left out.
fn best<T>(mut run: impl FnMut() -> T) -> Duration {
    let times = (0..3).map(|_| {
        let (wall, before) = (Instant::now(), on_processor());
        std::hint::black_box(run());
        on_processor().zip(before).map_or_else(|| wall.elapsed(), |(after, before)| after.saturating_sub(before))
    });
    times.min().unwrap_or_default()
}

/// As Linux counts it for this thread.
fn on_processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
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
        if documents != 5000 {
            continue;
        }
        let nothing = PolicySet::parse("name: nothing\nrules: {}\n", "nothing.yaml").expect("good");
        let bare = best(|| check(&objects, &nothing, &[], "2026-01-01"));
        let time = |rule| best(|| check(&objects, &PolicySet::only(rule), &[], "2026-01-01")).saturating_sub(bare);
        let mut slow: Vec<_> = RULES.iter().map(|rule| (time(rule), rule.name)).collect();
        slow.sort();
        println!("  {bare:>12?} without a rule; the rules together {:?}", slow.iter().map(|(time, _)| *time).sum::<Duration>());
        for (time, name) in slow.iter().rev().take(25) {
            println!("  {time:>12?} {name}");
        }
    }
}
