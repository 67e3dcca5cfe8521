//! The metrics that an expression of Prometheus names.

/// Words of the language that are no metrics.
const WORDS: [&str; 17] = [
    "and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "offset", "bool", "inf", "nan", "start", "end", "atan2", "limitk",
];

/// Words before a list of labels.
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// The names of metrics in an expression: words that are no function, no label, no keyword and no text.
pub fn metrics(expression: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = expression;
    let mut labels_follow = false;
    while let Some(first) = rest.chars().next() {
        match first {
            '"' | '\'' | '`' => rest = after_text(rest, first),
            '#' => rest = rest.split_once('\n').map_or("", |(_, rest)| rest),
            '{' => rest = after(rest, '}'),
            '[' => rest = after(rest, ']'),
            '(' if labels_follow => {
                labels_follow = false;
                rest = after(rest, ')');
            }
            '0'..='9' | '.' => rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.'),
            'a'..='z' | 'A'..='Z' | '_' | ':' => {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
                let (word, then) = rest.split_at(end);
                rest = then;
                let lower = word.to_ascii_lowercase();
                labels_follow = BEFORE_LABELS.contains(&lower.as_str());
                if !WORDS.contains(&lower.as_str()) && !rest.trim_start().starts_with('(') && !is_aggregation_with_labels(rest) {
                    found.push(word);
                }
            }
            _ => rest = &rest[first.len_utf8()..],
        }
    }
    found
}

/// `sum by (app) (…)`: the labels stand between the function and its argument.
fn is_aggregation_with_labels(rest: &str) -> bool {
    let rest = rest.trim_start();
    ["by", "without"].iter().any(|word| rest.strip_prefix(word).is_some_and(|rest| rest.trim_start().starts_with('(')))
}

fn after(rest: &str, end: char) -> &str {
    let mut rest = &rest[1..];
    while let Some(first) = rest.chars().next() {
        if matches!(first, '"' | '\'' | '`') {
            rest = after_text(rest, first);
        } else {
            rest = &rest[first.len_utf8()..];
            if first == end {
                break;
            }
        }
    }
    rest
}

fn after_text(rest: &str, quote: char) -> &str {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            c if c == quote => return &rest[at + c.len_utf8()..],
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::metrics;

    #[test]
    fn metrics_are_told_from_functions_labels_and_words() {
        let cases = [
            (r#"sum by (app, le) (rate(http_seconds_bucket{namespace="a}b", x=~"y"}[5m])) > 0.1"#, vec!["http_seconds_bucket"]),
            ("job:errors:ratio5m / on (job) group_left (team) job:requests:rate5m", vec!["job:errors:ratio5m", "job:requests:rate5m"]),
            ("absent(up{job='x'} == 1) or vector(0)", vec!["up"]),
            ("sum(rate(a_total[5m])) by (pod) unless max without (pod) (b offset 5m)", vec!["a_total", "b"]),
            ("histogram_quantile(0.95, c_bucket[1h:5m] @ end()) > 1e3 # d", vec!["c_bucket"]),
            ("count(é)", vec![]),
            ("\"", vec![]),
        ];
        for (expression, expected) in cases {
            assert_eq!(metrics(expression), expected, "{expression}");
        }
    }
}
