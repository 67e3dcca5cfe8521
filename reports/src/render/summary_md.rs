//! `summary.md`: what a reviewer reads under a pull request. Verdict first, then the causes.

use super::words::{count, duration, one_line, sign, spoken, stamp};
use crate::run::{Assertion, ClusterInfo, Run, StageReport};
use crate::verdict::Verdict;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The run as short Markdown (GitHub flavour, without HTML).
pub fn render(run: &Run) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = head(&mut out, run).and_then(|()| stages(&mut out, run)).and_then(|()| causes(&mut out, run));
    if let Some(cluster) = &run.cluster {
        let _ = conditions(&mut out, cluster);
    }
    out
}

fn head(out: &mut String, run: &Run) -> std::fmt::Result {
    writeln!(out, "## {} Gauntlet: {}\n", sign(run.verdict), super::verdict_line(run))?;
    if !run.reason.is_empty() {
        writeln!(out, "{}\n", escaped(&run.reason))?;
    }
    writeln!(
        out,
        "Run {}, seed {}, profile {}, {}.\n",
        code(&run.run_id),
        code(&run.seed.to_string()),
        code(&run.profile),
        duration(run.duration_ms)
    )
}

fn stages(out: &mut String, run: &Run) -> std::fmt::Result {
    if run.platforms.is_empty() {
        return Ok(());
    }
    writeln!(out, "| Platform | Stage | Verdict | Time | Why |\n| --- | --- | --- | ---: | --- |")?;
    for platform in &run.platforms {
        for stage in &platform.stages {
            let time = duration(stage.ended_ms.saturating_sub(stage.started_ms));
            let time = if stage.verdict == Verdict::NotApplicable { String::new() } else { time };
            let verdict = format!("{} {}", sign(stage.verdict), spoken(stage.verdict));
            writeln!(out, "| {} | {} | {verdict} | {time} | {} |", escaped(&platform.name), stage.name, escaped(&stage.reason))?;
        }
    }
    writeln!(out)
}

fn causes(out: &mut String, run: &Run) -> std::fmt::Result {
    for verdict in [Verdict::Fail, Verdict::Inconclusive] {
        let found: Vec<(&str, &StageReport, &Assertion)> = run
            .platforms
            .iter()
            .flat_map(|p| p.stages.iter().map(move |s| (p.name.as_str(), s)))
            .flat_map(|(p, s)| s.assertions.iter().map(move |a| (p, s, a)))
            .filter(|(_, _, a)| a.verdict == verdict)
            .collect();
        if found.is_empty() {
            continue;
        }
        let title = if verdict == Verdict::Fail { "What failed" } else { "What could not be judged" };
        writeln!(out, "### {title}: {}\n", count(found.len(), "assertion"))?;
        for (platform, stage, assertion) in found {
            writeln!(out, "- **{} {} {}** (stage ended at {})", escaped(platform), stage.name, code(&assertion.id), stamp(stage.ended_ms))?;
            writeln!(out, "  - expected: {}", escaped(&assertion.expected))?;
            let measured = if assertion.measured.is_empty() { "nothing".into() } else { escaped(&assertion.measured) };
            writeln!(out, "  - measured: {measured}")?;
            writeln!(out, "  - reason: {}", escaped(&assertion.reason))?;
            if !assertion.evidence.is_empty() {
                let evidence: Vec<_> = assertion.evidence.iter().map(|e| code(e)).collect();
                writeln!(out, "  - evidence: {}", evidence.join(", "))?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn conditions(out: &mut String, cluster: &ClusterInfo) -> std::fmt::Result {
    let nodes = count(cluster.nodes.len(), "node");
    writeln!(out, "### Where it ran\n\n{} {}, Kubernetes {}, {nodes}.\n", escaped(&cluster.provider), code(&cluster.name), escaped(&cluster.kubernetes))?;
    table(out, "Tuned setting", "Value", &cluster.tuned)?;
    table(out, "Part", "Stands in for it", &cluster.substitutions)
}

fn table(out: &mut String, key: &str, value: &str, rows: &BTreeMap<String, String>) -> std::fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "| {key} | {value} |\n| --- | --- |")?;
    for (k, v) in rows {
        writeln!(out, "| {} | {} |", escaped(k), escaped(v))?;
    }
    writeln!(out)
}

/// Text of others, so that it stays text: no table cell, link, emphasis, tag or mention is made of it.
/// Text of others that stays text, in a cell too.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' => {
                out.push('\\');
                out.push(c);
            }
            other => out.push(other),
        }
    }
    out
}

fn code(text: &str) -> String {
    format!("`{}`", one_line(text).replace('`', "'").replace('|', "¦"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_stays_text() {
        assert_eq!(escaped("a|b <script>\n@team [x](y)"), "a\\|b &lt;script&gt; &#64;team \\[x\\](y)");
        assert_eq!(code("a`|b"), "`a'¦b`");
    }
}
