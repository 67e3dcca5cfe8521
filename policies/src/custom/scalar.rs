//! Where a character of a YAML scalar stands in its file, whatever the scalar's style: plain, quoted, `|` or `>`.

use gauntlet_fixtures::manifest::Source;

/// The place of the character `at` (counted from 0) of the scalar `value`, whose first place in `text` is `start`.
///
/// Reads the file's text beside the value: they differ in escapes, folded lines and indentation only. Where they cannot
/// be brought together, such as behind an alias, the answer is the scalar's first place.
pub(super) fn place(text: &str, start: &Source, value: &str, at: usize) -> Source {
    walk(text, start, value, at).map_or_else(|| start.clone(), |(line, column)| Source { file: start.file.clone(), line, column })
}

fn walk(text: &str, start: &Source, value: &str, at: usize) -> Option<(u32, u32)> {
    let mut raw = Raw::at(text, start)?;
    raw.skip_properties();
    let quote = match raw.peek()? {
        '|' | '>' => {
            // The header; the text starts in the next line.
            while raw.next()? != '\n' {}
            None
        }
        quote @ ('\'' | '"') => {
            raw.next();
            Some(quote)
        }
        _ => None,
    };
    let mut place = (raw.line, raw.column);
    for (index, wanted) in value.chars().enumerate() {
        if wanted.is_whitespace() {
            // Folding turns line ends and indentation into other whitespace: only what follows counts.
            place = (raw.line, raw.column);
            if index == at {
                return Some(place);
            }
            if raw.peek() == Some(wanted) {
                raw.next();
            } else if raw.peek() == Some('\\') && quote == Some('"') {
                raw.unescape()?;
            }
            continue;
        }
        raw.skip_folds(quote);
        place = (raw.line, raw.column);
        if index == at {
            return Some(place);
        }
        let found = match (raw.peek()?, quote) {
            ('\\', Some('"')) => raw.unescape()?,
            ('\'', Some('\'')) => {
                raw.next();
                raw.next()?
            }
            _ => raw.next()?,
        };
        if found != wanted {
            return None;
        }
        place = (raw.line, raw.column);
    }
    // Behind the last character: the expression ends too early.
    Some(place)
}

/// The file's text from a place on.
struct Raw<'t> {
    chars: std::iter::Peekable<std::str::Chars<'t>>,
    line: u32,
    column: u32,
}

impl<'t> Raw<'t> {
    fn at(text: &'t str, start: &Source) -> Option<Self> {
        let skipped = usize::try_from(start.line).ok()?.checked_sub(1)?;
        let line_at = match skipped {
            0 => 0,
            lines => text.match_indices('\n').nth(lines - 1)?.0 + 1,
        };
        let rest = text.get(line_at..)?.trim_start_matches('\u{feff}');
        let mut raw = Raw { chars: rest.chars().peekable(), line: start.line, column: 1 };
        while raw.column < start.column {
            raw.next()?;
        }
        Some(raw)
    }

    fn peek(&mut self) -> Option<char> {
        self.chars.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.chars.next()?;
        if next == '\n' {
            (self.line, self.column) = (self.line + 1, 1);
        } else {
            self.column += 1;
        }
        Some(next)
    }

    fn skip_whitespace(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next();
        }
    }

    /// An anchor or a tag before the value.
    fn skip_properties(&mut self) {
        while matches!(self.peek(), Some('&' | '!')) {
            while self.peek().is_some_and(|next| !next.is_whitespace()) {
                self.next();
            }
            self.skip_whitespace();
        }
    }

    /// Whitespace that folding removed; in double quotes also escaped line ends.
    fn skip_folds(&mut self, quote: Option<char>) {
        loop {
            self.skip_whitespace();
            let escaped_end = quote == Some('"') && self.peek() == Some('\\') && {
                let mut ahead = self.chars.clone();
                ahead.next();
                matches!(ahead.next(), Some('\n' | '\r'))
            };
            if !escaped_end {
                return;
            }
            self.next();
        }
    }

    /// The character that an escape in double quotes means.
    fn unescape(&mut self) -> Option<char> {
        self.next();
        let digits = match self.next()? {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            '0' => return Some('\0'),
            'a' => return Some('\u{7}'),
            'b' => return Some('\u{8}'),
            't' | '\t' => return Some('\t'),
            'n' => return Some('\n'),
            'v' => return Some('\u{b}'),
            'f' => return Some('\u{c}'),
            'r' => return Some('\r'),
            'e' => return Some('\u{1b}'),
            'N' => return Some('\u{85}'),
            '_' => return Some('\u{a0}'),
            'L' => return Some('\u{2028}'),
            'P' => return Some('\u{2029}'),
            other => return Some(other),
        };
        let mut code = 0;
        for _ in 0..digits {
            code = code * 16 + self.next()?.to_digit(16)?;
        }
        char::from_u32(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gauntlet_fixtures::manifest::{Dialect, parse};

    /// Finds the `@` of the value in the file.
    #[rstest::rstest]
    #[case("e: a @ b\n", (1, 6))]
    #[case("e: ü @\n", (1, 6))]
    #[case("e: 'it''s @'\n", (1, 11))]
    #[case("e: \"\\u00fc \\\" @\"\n", (1, 15))]
    #[case("e: \"a \\\n  @\"\n", (2, 3))]
    #[case("e: a\n   b\n   @\n", (3, 4))]
    #[case("e: |\n  a\n    b @\n", (3, 7))]
    #[case("e: |-\n\n  a\n  @\n", (4, 3))]
    #[case("e: |2 # header\n   a\n  @\n", (3, 3))]
    #[case("e: >\n  a\n  b\n\n  c @\n", (5, 5))]
    #[case("e: !!str &x |\n  a\n  @\n", (3, 3))]
    #[case("e:\r\n  'a\r\n  @'\r\n", (3, 3))]
    #[case("# first\n- e\n- [x, {e: \"@\"}]\n", (3, 12))]
    fn a_character_is_found_in_every_style(#[case] text: &str, #[case] expected: (u32, u32)) {
        let root = parse(text.as_bytes(), "s.yaml", Dialect::Kustomize).expect("parses").remove(0);
        let node = root.get("e").or_else(|| root.items().get(1)?.items().get(1)?.get("e")).expect("a scalar");
        let value = node.as_str().expect("text");
        let at = value.chars().position(|c| c == '@').expect("marked");
        let found = place(text, &node.source, value, at);
        assert_eq!((found.line, found.column), expected, "{value:?} from {}", node.source);
    }

    #[test]
    fn behind_an_alias_the_value_itself_is_named() {
        let text = "a: &x 'b @'\ne: *x\n";
        let root = parse(text.as_bytes(), "s.yaml", Dialect::Kustomize).expect("parses").remove(0);
        let node = root.get("e").expect("there");
        assert_eq!(place(text, &node.source, "b @", 2).to_string(), "s.yaml:1:10");
    }
}
