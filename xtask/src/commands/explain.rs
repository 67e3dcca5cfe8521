//! `cargo xtask explain`: the manual pages of the rules.

use anyhow::{Context as _, Result, bail};
use gauntlet_policies::PolicySet;
use gauntlet_policies::custom::Custom;
use gauntlet_policies::registry::{RULES, find};
use gauntlet_policies::rule::Rule;
use gauntlet_reports::finding::Severity;
use std::path::PathBuf;

/// Prints a rule's manual page, or the list of all rules.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask explain SEC001\n  cargo xtask explain missing-pdb\n  cargo xtask explain --list\n  \
    cargo xtask explain SHOP001 --set my-set.yaml")]
pub struct ExplainArgs {
    /// A rule's id or name.
    #[arg(required_unless_present_any = ["list", "write"])]
    pub rule: Option<String>,
    /// The policy set whose own rules are explained too: the name of one that ships, or a file.
    #[arg(long, value_name = "NAME|FILE", requires = "rule")]
    pub set: Option<PathBuf>,
    /// Every rule in one line.
    #[arg(long, conflicts_with = "rule")]
    pub list: bool,
    /// Write every manual page to docs/rules.md.
    #[arg(long, conflicts_with_all = ["rule", "list"])]
    pub write: bool,
}

/// Prints.
///
/// # Errors
/// When there is no such rule.
pub fn run(args: ExplainArgs) -> Result<u8> {
    match args.rule {
        Some(name) => {
            let set = args.set.as_deref().map(super::policies::set).transpose()?;
            match set.as_ref().and_then(|set| set.find_custom(&name)) {
                Some(custom) => print!("{}", custom_page(custom)),
                None => print!("{}", page(&name)?),
            }
        }
        None if args.write => {
            let path = book_path();
            std::fs::write(&path, book()).with_context(|| format!("failed to write {}", path.display()))?;
            println!("{}", path.display());
        }
        None => print!("{}", list()),
    }
    Ok(0)
}

fn book_path() -> PathBuf {
    crate::pipeline::repo().join("docs/rules.md")
}

/// Every manual page, after a table of all rules.
fn book() -> String {
    let mut text = "# The rules\n\nMade by `cargo xtask explain --write` of the rules themselves; a test says when it is old. The severity is that of the set \
        `production`.\n\n| rule | name | severity | what holds when it is kept |\n| --- | --- | --- | --- |\n"
        .to_owned();
    for rule in RULES {
        text.push_str(&format!("| {} | {} | {} | {} |\n", rule.id, rule.name, severity(rule), rule.summary().replace('|', "\\|")));
    }
    for rule in RULES {
        // The rule's own headings stand below its name.
        let manual = rule.manual().replace("\n## ", "\n### ");
        text.push_str(&format!("\n## {} {}\n\n{manual}\n", rule.id, rule.name));
        for (name, default) in rule.parameters {
            text.push_str(&format!("\nParameter `{name}`, default `{default}`.\n"));
        }
    }
    text
}

fn page(name: &str) -> Result<String> {
    let Some(rule) = find(name).or_else(|| find(&name.to_uppercase())).or_else(|| find(&name.to_lowercase())) else {
        bail!("there is no rule {name}{}; `cargo xtask explain --list` shows all", nearest(name));
    };
    let parameters: Vec<String> =
        rule.parameters.iter().map(|(name, default)| format!("- `{name}`, default {default}\n")).collect();
    let parameters =
        if parameters.is_empty() { String::new() } else { format!("\n## Parameters\n{}", parameters.concat()) };
    Ok(format!("# {} {} ({})\n{}\n{parameters}", rule.id, rule.name, severity(rule), rule.manual()))
}

/// The page of a rule that a set writes itself.
fn custom_page(custom: &Custom) -> String {
    let name = if custom.name == custom.id { String::new() } else { format!(" {}", custom.name) };
    format!("# {}{name} ({})\n{}", custom.id, word(Some(custom.severity)), custom.manual())
}

fn list() -> String {
    let width = RULES.iter().map(|rule| rule.name.len()).max().unwrap_or_default();
    RULES.iter().map(|rule| format!("{}  {:width$}  {:7}  {}\n", rule.id, rule.name, severity(rule), rule.summary())).collect()
}

fn severity(rule: &Rule) -> &'static str {
    word(PolicySet::production().severity(rule))
}

fn word(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(Severity::Error) => "error",
        Some(Severity::Warning) => "warning",
        Some(Severity::Info) => "info",
        None => "off",
    }
}

/// A rule whose name holds a part of what was asked for.
fn nearest(name: &str) -> String {
    let parts: Vec<String> = name.to_lowercase().split(['-', '_']).filter(|part| part.len() > 2).map(str::to_owned).collect();
    let hits = |rule: &&&Rule| parts.iter().filter(|part| rule.name.contains(part.as_str())).count();
    match RULES.iter().max_by_key(hits).filter(|rule| hits(rule) > 0) {
        Some(rule) => format!("; did you mean {} {}?", rule.id, rule.name),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_found_by_id_and_name_and_shows_everything() {
        let text = page("AVL001").expect("there");
        assert_eq!(text, page("min-replicas").expect("there"));
        assert_eq!(text, page("avl001").expect("there"));
        insta::assert_snapshot!(text, @r"
        # AVL001 min-replicas (error)
        Every Deployment runs more than one pod.

        ## What it does
        Reports Deployments with fewer replicas than `minimum` (2). Where an HPA scales one, the HPA's `minReplicas`
        counts, whatever the Deployment says. Zero is a choice and is left out; stores in StatefulSets are left out too.

        ## Why it matters
        With one pod every rollout, drain and crash is an outage.

        ## How to mend it
        Raise `replicas`, or the HPA's `minReplicas`.

        ## Example
        ```yaml
        kind: Deployment
        spec: {replicas: 1} # reported
        ```

        ## Parameters
        - `minimum`, default 2
        ");
    }

    #[test]
    fn a_rule_of_a_set_has_a_page_too() {
        let set = PolicySet::named("football").expect("ships");
        let text = custom_page(set.find_custom("promised-liveness").expect("there"));
        assert!(text.starts_with("# PRM005 promised-liveness (error)\nContainers are asked whether they live at the promised path\n"), "{text}");
        assert!(text.contains("policies/sets/promises.yaml:") && text.contains("\"monte-carlo-service\":\"/health\""), "{text}");
    }

    #[test]
    fn an_unknown_rule_is_refused_with_a_suggestion() {
        let error = page("no-latest").expect_err("refused").to_string();
        assert_eq!(error, "there is no rule no-latest; did you mean IMG001 latest-tag?; `cargo xtask explain --list` shows all");
    }

    #[test]
    fn the_list_has_one_line_for_every_rule() {
        assert_eq!(list().lines().count(), RULES.len());
        assert!(list().contains("SEC001  privileged"));
    }

    #[test]
    fn the_book_of_rules_is_of_today() {
        let written = std::fs::read_to_string(book_path()).unwrap_or_default();
        assert!(written == book(), "docs/rules.md is old: `cargo xtask explain --write` makes it anew");
    }
}
