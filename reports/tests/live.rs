//! What a person reads while a run goes on, without a terminal.

mod example_run;

use gauntlet_reports::render::live::{Detail, lines_to};
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("lock").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn seen(detail: Detail) -> String {
    let paper = Paper::default();
    let mut listener = lines_to(paper.clone(), detail);
    for event in example_run::example().1 {
        listener.on_event(&event);
    }
    let bytes = paper.0.lock().expect("lock").clone();
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn a_ci_log_reads_well() {
    insta::assert_snapshot!(seen(Detail::Normal));
}

#[test]
fn quiet_gives_verdicts_only() {
    insta::assert_snapshot!(seen(Detail::Quiet));
}

#[test]
fn verbose_adds_samples_and_what_kubernetes_said() {
    let text = seen(Detail::Verbose);
    assert!(text.contains("FailedCreate: exceeded quota"), "{text}");
    let samples: Vec<_> = text.lines().filter(|l| l.contains("requests_per_s")).collect();
    // One point per second for 292 s of load, 398 s of chaos, 132 s of drill; one line for ten of them.
    assert!((70..=85).contains(&samples.len()), "{}", samples.len());
    assert!(samples[0].contains("replicas_ready order-generation 3"), "{}", samples[0]);
}
