//! Hosts and the patterns that cover them.

/// True: a host is covered by a name or by a pattern such as `*.example.org`, which stands for one label. Case has no
/// meaning in names.
pub fn covers(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(domain) => {
            pattern.eq_ignore_ascii_case(host) || host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain))
        }
        None => pattern.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_pattern_stands_for_one_label() {
        assert!(covers("*.example.org", "a.example.org") && covers("*.Example.org", "a.example.ORG") && covers("*.example.org", "*.example.org"));
        assert!(!covers("*.example.org", "example.org") && !covers("*.example.org", "a.b.example.org") && !covers("a.example.org", "b.example.org"));
    }
}
