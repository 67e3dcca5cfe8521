//! Any bytes give findings or one clear error: the rules' data, torn and put together from a seed that is printed.
//! `GAUNTLET_FUZZ_SEED` and `GAUNTLET_FUZZ_ROUNDS` choose another run; `policies/fuzz` goes on without end.

use gauntlet_fixtures::manifest::load_text;
use gauntlet_policies::mend::mend;
use gauntlet_policies::registry::RULES;
use gauntlet_policies::{PolicySet, check};
use rand::{Rng, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use std::time::{Duration, Instant};

/// Signs with a meaning for YAML, for Kubernetes, or for nobody.
const PIECES: [&[u8]; 24] = [
    b"- ", b": ", b"{", b"}", b"[", b"]", b"&a ", b"*a", b"<<: *a\n", b"|\n", b">-\n", b"\"", b"'", b"#", b"\n---\n", b"\r\n", b"\t", b"\0",
    b"\xff\xfe", b"\xef\xbb\xbf", b"9223372036854775808", b"-1%", b"null", b"kind: List\nitems:\n",
];

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")];
    while let Some(folder) = folders.pop() {
        let mut paths: Vec<_> = std::fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
            } else {
                seeds.push(std::fs::read(&path).expect("reads"));
            }
        }
    }
    seeds
}

fn torn(seeds: &[Vec<u8>], random: &mut impl Rng) -> Vec<u8> {
    let mut text = seeds[random.random_range(0..seeds.len())].clone();
    for _ in 0..random.random_range(1..12) {
        let at = random.random_range(0..=text.len());
        let end = random.random_range(at..=text.len().min(at + 64));
        match random.random_range(0..6) {
            0 => drop(text.drain(at..end)),
            1 => {
                let piece = text[at..end].to_vec();
                let to = random.random_range(0..=text.len());
                drop(text.splice(to..to, piece));
            }
            2 => drop(text.splice(at..at, PIECES[random.random_range(0..PIECES.len())].iter().copied())),
            3 => text.iter_mut().skip(at).take(1).for_each(|byte| *byte = random.random()),
            4 => {
                let other = &seeds[random.random_range(0..seeds.len())];
                let from = random.random_range(0..=other.len());
                drop(text.splice(at..end, other[from..].iter().copied()));
            }
            _ => text.truncate(at.max(text.len() / 2)),
        }
        text.truncate(1 << 16);
    }
    text
}

#[test]
fn torn_manifests_give_findings_or_an_error_and_in_time() {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (seed, rounds) = (number("GAUNTLET_FUZZ_SEED", 20_260), number("GAUNTLET_FUZZ_ROUNDS", 1000));
    println!("GAUNTLET_FUZZ_SEED={seed} GAUNTLET_FUZZ_ROUNDS={rounds}");
    let rules: String = RULES.iter().map(|rule| format!("  {}: {{severity: error}}\n", rule.name)).collect();
    let everything = PolicySet::parse(&format!("name: everything\nrules:\n{rules}"), "everything.yaml").expect("good");
    let seeds = seeds();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut read, mut refused, mut mended) = (0, 0, 0);
    for round in 0..rounds {
        let text = torn(&seeds, &mut random);
        let started = Instant::now();
        let loaded = load_text(&text, "torn.yaml");
        assert!(!loaded.sets.is_empty() || !loaded.errors.is_empty(), "round {round}: neither objects nor an error");
        refused += usize::from(!loaded.errors.is_empty());
        for set in &loaded.sets {
            let findings = check(&set.objects, &everything, &[], "2026-01-01");
            read += 1;
            // What comes out of a fix is read again in there.
            mended += usize::from(!mend(&text, "torn.yaml", &findings).fixed.is_empty());
        }
        assert!(started.elapsed() < Duration::from_secs(20), "round {round} took {:?}", started.elapsed());
    }
    assert!(rounds < 1000 || (read > 50 && refused > 50 && mended > 10), "the run proves little: {read} read, {refused} refused, {mended} mended");
}
