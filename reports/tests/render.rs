//! What people and machines read of a run, drawn from one example run.

mod example_run;

use example_run::example;
use gauntlet_reports::event::{Event, EventKind};
use gauntlet_reports::render::{html, junit, run_json, summary_md, write_all};
use gauntlet_reports::run::Run;
use std::path::{Path, PathBuf};

/// The run's folder stays behind in the target folder, to be looked at in a browser.
fn written() -> (PathBuf, Run, Vec<Event>) {
    let (run, events) = example();
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("example-run");
    write_all(&dir, &run, &events).expect("written");
    let lines: Vec<_> = events.iter().map(|e| serde_json::to_string(e).expect("line")).collect();
    std::fs::write(dir.join("events.jsonl"), lines.join("\n") + "\n{\"at_ms\": 12, \"ki").expect("events");
    (dir, run, events)
}

#[test]
fn a_run_is_read_back_as_it_was_written_even_with_half_a_line() {
    let (dir, run, events) = written();
    let (read, read_events, broken) = run_json::read(&dir).expect("read");
    assert_eq!((read, read_events.len(), broken), (run, events.len(), 1));
}

#[test]
fn a_missing_run_is_one_clear_error() {
    let error = run_json::read(Path::new("/nowhere/at/all")).expect_err("missing");
    assert!(error.to_string().starts_with("read /nowhere/at/all/run.json: "), "{error}");
}

#[test]
fn the_schema_is_fresh() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/run.schema.json");
    let fresh = serde_json::to_string_pretty(&run_json::schema()).expect("schema") + "\n";
    if std::env::var_os("GAUNTLET_BLESS").is_some() {
        std::fs::write(&file, &fresh).expect("blessed");
    }
    let stands = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(stands == fresh, "schema/run.schema.json is stale; run GAUNTLET_BLESS=1 cargo test -p gauntlet-reports --test render");
}

#[test]
fn the_schema_accepts_a_run_and_refuses_broken_ones() {
    let validator = jsonschema::validator_for(&run_json::schema()).expect("schema");
    let (run, _) = example();
    let good: serde_json::Value = serde_json::from_str(&run_json::render(&run).expect("json")).expect("parsed");
    assert!(validator.is_valid(&good));
    let broken = |change: fn(&mut serde_json::Value)| {
        let mut value = good.clone();
        change(&mut value);
        !validator.is_valid(&value)
    };
    assert!(broken(|v| v["verdict"] = "green".into()));
    assert!(broken(|v| v["platforms"][0]["stages"][0]["name"] = "smoke".into()));
    assert!(broken(|v| v["seed"] = "42".into()));
    assert!(broken(|v| {
        v.as_object_mut().and_then(|o| o.remove("host"));
    }));
}

#[test]
fn the_summary_reads_well() {
    insta::assert_snapshot!(summary_md::render(&example().0));
}

#[test]
fn junit_counts_each_assertion_once() {
    let (run, _) = example();
    let xml = junit::render(&run).expect("xml");
    let assertions: usize = run.platforms[0].stages.iter().map(|s| s.assertions.len()).sum();
    // The soak has no assertion and stands as one skipped case.
    assert_eq!(xml.matches("<testcase ").count(), assertions + 1);
    insta::assert_snapshot!(xml);
}

#[test]
fn the_report_is_one_file_that_asks_nobody() {
    let (run, events) = example();
    let page = html::render(&run, &events).expect("html");
    for request in ["http://", "https://", "src=", "@import", "<link", "url(//"] {
        assert!(!page.contains(request), "the report asks for {request}");
    }
    assert!(page.contains("default-src 'none'"), "the browser is told to refuse requests");
}

#[test]
fn text_of_others_stays_text() {
    let (mut run, mut events) = example();
    let evil = "</script><script>alert(1)</script>\"><img onerror=x>";
    run.reason = evil.into();
    run.platforms[0].name = evil.into();
    for event in &mut events {
        event.platform = event.platform.take().map(|_| evil.to_owned());
        if let EventKind::Fault { experiment, target, detail, .. } = &mut event.kind {
            (*experiment, *target, *detail) = (evil.into(), evil.into(), evil.into());
        }
        if let EventKind::Sample { labels, .. } = &mut event.kind {
            labels.insert("workload".into(), evil.into());
        }
    }
    let page = html::render(&run, &events).expect("html");
    assert!(!page.contains("<script>alert") && !page.contains("<img"), "markup came through");
    // One for the data of the timeline, one for the program.
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script").count(), 2);
}

#[test]
fn the_first_cause_of_each_stage_stands_before_everything_else() {
    let (run, events) = example();
    let page = html::render(&run, &events).expect("html");
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    let order = [
        place("<h1>Failed in globeco load</h1>"),
        place("refuses pod 9"),
        place("the node stayed Ready for 40 s"),
        place("class=\"strip\""),
        place("class=\"timeline card\""),
        place("What happened"),
    ];
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn faults_phases_and_series_share_the_drawing() {
    let (run, events) = example();
    let page = html::render(&run, &events).expect("html");
    for part in ["Latency", "Errors per second", "Requests per second", "Replicas", "drain-worker gauntlet-worker: steady after 1 min 11 s"] {
        assert!(page.contains(part), "{part} is missing");
    }
    assert!(page.contains("stop-node gauntlet-worker2: effect not proven"));
    assert!(page.contains(">scaling</text>"));
    assert!(page.contains("cargo xtask verify --platform globeco --seed 42 --profile quick"));
}

#[test]
fn a_run_of_two_hours_stays_a_small_file() {
    let (run, _) = example();
    let (_, short) = example();
    let mut events = short.clone();
    // Ten points per second and series for two hours, as four loads of the same platform would give.
    let (platform, stage) = (short[20].platform.clone(), short[20].stage);
    for tick in 0..72_000u64 {
        for series in ["requests_per_s", "errors_per_s", "latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "replicas_ready"] {
            let value = (tick * 7919 % 1013) as f64 / 3.0;
            let kind = EventKind::Sample { series: series.into(), labels: Default::default(), value };
            events.push(Event { at_ms: tick * 100, platform: platform.clone(), stage, kind });
        }
    }
    events.sort_by_key(|e| e.at_ms);
    let page = html::render(&run, &events).expect("html");
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
}

#[test]
fn a_run_of_policies_alone_has_no_timeline() {
    let (mut run, mut events) = example();
    run.platforms[0].stages.truncate(1);
    events.retain(|e| e.at_ms < 490);
    let page = html::render(&run, &events).expect("html");
    assert!(!page.contains("class=\"timeline") && page.contains("--only policies"), "policies take no time on the axis");
}
