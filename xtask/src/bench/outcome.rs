//! Many runs as one line of the table.

use super::child::Run;
use serde::Serialize;

/// What the runs of one program on one corpus came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The program.
    pub program: String,
    /// Documents in the corpus.
    pub documents: usize,
    /// Number of runs.
    pub runs: usize,
    /// Median of the wall times, in seconds.
    pub median_s: f64,
    /// The fastest, in seconds.
    pub least_s: f64,
    /// The slowest, in seconds.
    pub most_s: f64,
    /// Documents in a second, by the median.
    pub documents_per_s: f64,
    /// Greatest resident memory of all runs, in bytes.
    pub peak_bytes: Option<u64>,
}

impl Outcome {
    /// None without a run.
    pub fn of(program: &str, documents: usize, runs: &[Run]) -> Option<Self> {
        let mut times: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
        times.sort_by(f64::total_cmp);
        let (least, most) = (*times.first()?, *times.last()?);
        let median = (times[(times.len() - 1) / 2] + times[times.len() / 2]) / 2.0;
        #[allow(clippy::cast_precision_loss)]
        let rate = documents as f64 / median;
        let peak_bytes = runs.iter().filter_map(|run| run.peak_bytes).max();
        Some(Self { program: program.to_owned(), documents, runs: runs.len(), median_s: median, least_s: least, most_s: most, documents_per_s: rate, peak_bytes })
    }
}

/// The table, as Markdown. `base` is the program that the others are compared with.
pub fn table(outcomes: &[Outcome], base: &str) -> String {
    let mut text = "| program | documents | median | least to most | documents/s | peak memory | of the parse |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n".to_owned();
    for outcome in outcomes {
        let compared = outcomes.iter().find(|other| other.program == base && other.documents == outcome.documents);
        let factor = compared.map_or_else(String::new, |base| format!("{:.2} x", outcome.median_s / base.median_s));
        #[allow(clippy::cast_precision_loss)]
        let peak = outcome.peak_bytes.map_or_else(|| "unknown".to_owned(), |bytes| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20)));
        let (least, most) = (outcome.least_s * 1e3, outcome.most_s * 1e3);
        text.push_str(&format!(
            "| {} | {} | {:.0} ms | {least:.0} to {most:.0} ms | {:.0} | {peak} | {factor} |\n",
            outcome.program, outcome.documents, outcome.median_s * 1e3, outcome.documents_per_s
        ));
    }
    text
}

/// How a program's time for one document grows from its smallest corpus to its largest: 1 is linear.
pub fn growth(outcomes: &[Outcome], program: &str) -> Option<f64> {
    let own = || outcomes.iter().filter(|outcome| outcome.program == program);
    let smallest = own().min_by_key(|outcome| outcome.documents)?;
    let largest = own().max_by_key(|outcome| outcome.documents).filter(|largest| largest.documents > smallest.documents)?;
    Some(smallest.documents_per_s / largest.documents_per_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(program: &str, documents: usize, times: &[f64]) -> Outcome {
        let runs: Vec<Run> = times.iter().map(|seconds| Run { seconds: *seconds, peak_bytes: Some(64 << 20) }).collect();
        Outcome::of(program, documents, &runs).expect("runs")
    }

    #[test]
    fn the_table_has_medians_and_what_they_are_of_the_parse() {
        let all = [outcome("parse", 1000, &[0.3, 0.1, 0.2]), outcome("ours", 1000, &[0.2, 0.4]), outcome("ours", 4000, &[1.2])];
        assert_eq!(Outcome::of("none", 1, &[]), None);
        insta::assert_snapshot!(table(&all, "parse"), @r"
        | program | documents | median | least to most | documents/s | peak memory | of the parse |
        | --- | ---: | ---: | ---: | ---: | ---: | ---: |
        | parse | 1000 | 200 ms | 100 to 300 ms | 5000 | 64 MiB | 1.00 x |
        | ours | 1000 | 300 ms | 200 to 400 ms | 3333 | 64 MiB | 1.50 x |
        | ours | 4000 | 1200 ms | 1200 to 1200 ms | 3333 | 64 MiB |  |
        ");
        assert_eq!(growth(&all, "ours").map(|growth| (growth * 100.0).round()), Some(100.0));
        assert_eq!(growth(&all, "parse"), None);
    }
}
