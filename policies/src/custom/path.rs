//! The field that a custom rule speaks of: `spec.template.spec.containers[*].image`. `[*]` is every item.

use gauntlet_fixtures::manifest::{Field, below};

/// A path; empty: the object itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    Every,
}

/// A field of one object: there, or missing below what is there.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    /// The field, or its nearest parent that is there.
    pub nearest: Field<'a>,
    /// The whole path.
    pub path: String,
    /// True: the field is there.
    pub there: bool,
}

impl Path {
    /// Reads a path: keys with dots between them, `['a.b/c']` for a key with dots, `[0]` for an item, `[*]` for every one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("the field path `{text}`: {why}"));
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let found = match inner.strip_prefix('\'') {
                    Some(quoted) => quoted.split_once("']").map(|(key, after)| (Some(Step::Key(key.to_owned())), after)),
                    None => inner.split_once(']').map(|(inside, after)| {
                        (if inside == "*" { Some(Step::Every) } else { inside.parse().ok().map(Step::Index) }, after)
                    }),
                };
                match found {
                    Some((Some(step), after)) => {
                        steps.push(step);
                        rest = after;
                    }
                    Some((None, _)) => return wrong("in brackets stand a number, `*` or a key in single quotes"),
                    None => return wrong("a bracket is not closed"),
                }
            } else {
                let key = if steps.is_empty() { rest } else { rest.strip_prefix('.').unwrap_or_default() };
                let end = key.find(['.', '[']).unwrap_or(key.len());
                if end == 0 {
                    return wrong("a key is empty");
                }
                steps.push(Step::Key(key[..end].to_owned()));
                rest = &key[end..];
            }
        }
        Ok(Self(steps))
    }

    /// The fields of an object that it means. A list before `[*]` that is missing or empty has none.
    pub fn places<'a>(&self, root: &Field<'a>) -> Vec<Place<'a>> {
        let start = vec![Place { nearest: root.clone(), path: String::new(), there: true }];
        self.0.iter().fold(start, |places, step| places.into_iter().flat_map(|place| place.step(step)).collect())
    }
}

impl<'a> Place<'a> {
    fn step(self, step: &Step) -> Vec<Place<'a>> {
        let here = self.nearest.clone();
        match step {
            Step::Every if self.there => here.items().into_iter().map(Place::of).collect(),
            Step::Every => Vec::new(),
            Step::Key(key) => match here.get(key).filter(|_| self.there) {
                Some(field) => vec![Place::of(field)],
                None => vec![Place { path: below(self.path, key), nearest: here, there: false }],
            },
            Step::Index(index) => match here.items().into_iter().nth(*index).filter(|_| self.there) {
                Some(field) => vec![Place::of(field)],
                None => vec![Place { path: format!("{}[{index}]", self.path), nearest: here, there: false }],
            },
        }
    }

    fn of(field: Field<'a>) -> Self {
        Place { path: field.path(), nearest: field, there: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gauntlet_fixtures::manifest::{Dialect, parse};

    fn found(path: &str) -> Vec<String> {
        let text = "metadata: {annotations: {a.b/c: x}}\nspec: {containers: [{name: a, image: i}, {name: b}], none: []}\n";
        let root = parse(text.as_bytes(), "x", Dialect::Kustomize).expect("parses").remove(0);
        let places = Path::parse(path).expect("a path").places(&Field::root(&root));
        places.iter().map(|place| format!("{} {} {}", place.path, place.there, place.nearest.path())).collect()
    }

    #[test]
    fn fields_are_found_or_named_below_their_nearest_parent() {
        assert_eq!(found(""), [" true "]);
        assert_eq!(found("metadata.annotations['a.b/c']"), ["metadata.annotations['a.b/c'] true metadata.annotations['a.b/c']"]);
        assert_eq!(
            found("spec.containers[*].image"),
            ["spec.containers[0].image true spec.containers[0].image", "spec.containers[1].image false spec.containers[1]"]
        );
        assert_eq!(found("spec.strategy.type"), ["spec.strategy.type false spec"]);
        assert_eq!(found("spec.containers[7].name"), ["spec.containers[7].name false spec.containers"]);
        assert_eq!(found("spec.none[*].name"), Vec::<String>::new());
        assert_eq!(found("spec.gone[*].name"), Vec::<String>::new());
    }

    #[rstest::rstest]
    #[case("a..b", "a key is empty")]
    #[case("a.", "a key is empty")]
    #[case("a[0", "a bracket is not closed")]
    #[case("a[x]", "in brackets stand a number, `*` or a key in single quotes")]
    #[case("a[0]b", "a key is empty")]
    fn a_bad_path_is_refused(#[case] path: &str, #[case] expected: &str) {
        assert!(Path::parse(path).expect_err("refused").contains(expected));
    }
}
