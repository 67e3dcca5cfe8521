//! A CEL expression of a set file: read once, checked before it is asked, and metered.

use super::budget;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, SourceInfo};
use cel::parser::Parser;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Longest expression, in bytes.
const MAX_BYTES: usize = 8192;
/// Most brackets inside each other, and deepest tree: the interpreter calls itself.
const MAX_DEPTH: usize = 64;

/// What an expression may speak of: the object, its field at the rule's path, the rule's parameters, and what belongs to a
/// workload.
pub(super) const VARIABLES: [&str; 7] = ["object", "self", "params", "scaler", "budgets", "networkPolicies", "services"];

/// The names of types, for `type(x) == string`.
const TYPES: [&str; 10] = ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];

/// The functions that an expression may call. None of them makes more than it is given.
const FUNCTIONS: [&str; 22] = [
    "bool", "bytes", "charAt", "contains", "double", "dyn", "endsWith", "indexOf", "int", "lastIndexOf", "lowerAscii", "matches", "quantity",
    "size", "split", "startsWith", "string", "substring", "trim", "type", "uint", "upperAscii",
];

/// An expression that can be asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expression {
    /// Its tree, metered.
    pub tree: IdedExpr,
    /// The fields of `object` that it names; an empty path: the whole object.
    pub paths: Vec<Vec<String>>,
    /// True: it names `self`.
    pub names_self: bool,
}

/// What is wrong with an expression, and at which character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub at: usize,
    pub message: String,
}

/// Reads an expression.
pub(super) fn compile(text: &str) -> Result<Expression, Fault> {
    if text.len() > MAX_BYTES {
        return Err(Fault { at: 0, message: format!("longer than {MAX_BYTES} bytes") });
    }
    too_nested(text)?;
    // The parser is another's code: should it give up in a way that it does not promise, that is one more bad expression.
    let parsed = catch_unwind(AssertUnwindSafe(|| Parser::new().parse_with_source_info(text)));
    let parsed = parsed.map_err(|_| Fault { at: 0, message: "not valid CEL".to_owned() })?;
    let (tree, info) = parsed.map_err(|errors| {
        let first = errors.errors.first();
        let (line, column) = first.map_or((1, 1), |error| error.pos);
        let why = first.map(|error| error.msg.trim_start_matches("Syntax error: ").to_owned()).unwrap_or_default();
        Fault { at: character(text, line, column), message: format!("not valid CEL: {why}") }
    })?;
    let mut check = Check { text, info: &info, scope: Vec::new(), paths: Vec::new(), names_self: false };
    check.expression(&tree, 0)?;
    let (paths, names_self) = (check.paths, check.names_self);
    Ok(Expression { tree: budget::metered(tree, false), paths, names_self })
}

/// The character that a line and a column, both from 1, mean.
fn character(text: &str, line: isize, column: isize) -> usize {
    let before = text.split_inclusive('\n').take(usize::try_from(line - 1).unwrap_or_default()).map(|line| line.chars().count());
    before.sum::<usize>() + usize::try_from(column - 1).unwrap_or_default()
}

/// What makes the parser call itself is counted before it starts. What stands in texts counts too, which nobody minds.
fn too_nested(text: &str) -> Result<(), Fault> {
    let (mut brackets, mut signs, mut choices) = (0usize, 0usize, 0usize);
    for (at, c) in text.chars().enumerate() {
        match c {
            '(' | '[' | '{' => brackets += 1,
            ')' | ']' | '}' => brackets = brackets.saturating_sub(1),
            '?' => choices += 1,
            _ => {}
        }
        signs = match c {
            '!' | '-' => signs + 1,
            _ if c.is_whitespace() => signs,
            _ => 0,
        };
        if brackets.max(signs).max(choices) > MAX_DEPTH {
            return Err(Fault { at, message: format!("nested deeper than {MAX_DEPTH} levels") });
        }
    }
    Ok(())
}

/// A walk over a tree that knows which names are there.
struct Check<'t> {
    text: &'t str,
    info: &'t SourceInfo,
    /// Variables of the comprehensions around.
    scope: Vec<&'t str>,
    paths: Vec<Vec<String>>,
    names_self: bool,
}

impl<'t> Check<'t> {
    fn fault<T>(&self, expr: &IdedExpr, message: String) -> Result<T, Fault> {
        // The parser counts bytes.
        let start = self.info.offset_for(expr.id).map_or(0, |(start, _)| start as usize);
        let at = self.text.char_indices().take_while(|(at, _)| *at < start).count();
        Err(Fault { at, message })
    }

    fn expression(&mut self, expr: &'t IdedExpr, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH * 4 {
            return self.fault(expr, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        let below = depth + 1;
        match &expr.expr {
            Expr::Ident(name) => self.identifier(expr, name),
            Expr::Call(call) => {
                // Operators are calls too, of names that nobody can write.
                let named = call.func_name.starts_with(|c: char| c.is_ascii_alphabetic());
                if named && !FUNCTIONS.contains(&call.func_name.as_str()) {
                    return self.fault(expr, format!("there is no function `{}`; there are: {}", call.func_name, FUNCTIONS.join(", ")));
                }
                call.target.iter().map(|target| &**target).chain(&call.args).try_for_each(|part| self.expression(part, below))
            }
            Expr::Comprehension(loops) => {
                self.expression(&loops.iter_range, below)?;
                self.expression(&loops.accu_init, below)?;
                let outside = self.scope.len();
                self.scope.extend([loops.iter_var.as_str(), loops.accu_var.as_str()]);
                self.scope.extend(loops.iter_var2.as_deref());
                let inside = [&loops.loop_cond, &loops.loop_step, &loops.result];
                inside.into_iter().try_for_each(|part| self.expression(part, below))?;
                self.scope.truncate(outside);
                Ok(())
            }
            Expr::List(list) => list.elements.iter().try_for_each(|part| self.expression(part, below)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.expression(&entry.key, below)?;
                    self.expression(&entry.value, below)
                }
                EntryExpr::StructField(_) => self.fault(expr, "not valid CEL".to_owned()),
            }),
            Expr::Select(select) => match path(expr).filter(|(root, _)| *root == "object" && !self.scope.contains(root)) {
                Some((_, path)) => {
                    self.paths.push(path);
                    Ok(())
                }
                None => self.expression(&select.operand, below),
            },
            Expr::Struct(made) => self.fault(expr, format!("there is no message type `{}`", made.type_name)),
            Expr::Literal(_) => Ok(()),
            Expr::Unspecified => self.fault(expr, "not valid CEL".to_owned()),
        }
    }

    fn identifier(&mut self, expr: &IdedExpr, name: &str) -> Result<(), Fault> {
        if self.scope.contains(&name) || TYPES.contains(&name) {
            return Ok(());
        }
        if !VARIABLES.contains(&name) {
            return self.fault(expr, format!("there is no `{name}`; there are: {}", VARIABLES.join(", ")));
        }
        self.paths.extend((name == "object").then(Vec::new));
        self.names_self |= name == "self";
        Ok(())
    }
}

/// The variable and the fields of `a.b.c`.
fn path(mut expr: &IdedExpr) -> Option<(&str, Vec<String>)> {
    let mut fields = Vec::new();
    loop {
        match &expr.expr {
            Expr::Select(select) => {
                fields.push(select.field.clone());
                expr = &select.operand;
            }
            Expr::Ident(name) => {
                fields.reverse();
                return Some((name, fields));
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fault(text: &str) -> (usize, String) {
        let fault = compile(text).expect_err("refused");
        (fault.at, fault.message)
    }

    #[test]
    fn the_fields_that_are_used_are_known() {
        let paths = |text: &str| -> Vec<String> { compile(text).expect("good").paths.iter().map(|path| path.join(".")).collect() };
        assert_eq!(paths("has(object.a.b) && object.c['d'].e == 1 && self.x"), ["a.b", "c"]);
        assert_eq!(paths("object == self || object.a"), ["", "a"]);
        let names_self = |text: &str| compile(text).expect("good").names_self;
        assert!(names_self("self.x == 1") && !names_self("object.exists(self, self == 1)"));
        assert_eq!(paths("object.items.exists(object, object.name == 'x')"), ["items"]);
    }

    #[rstest::rstest]
    #[case("object.spec >", 13, "not valid CEL: mismatched input '<EOF>'")]
    #[case("'ü' == obj.x", 7, "there is no `obj`; there are: object, self")]
    #[case("'ü' == 1 1", 9, "not valid CEL: extraneous input '1'")]
    #[case("object.items.all(i, i > j)", 24, "there is no `j`")]
    #[case("object.spec.foo(1)", 15, "there is no function `foo`; there are: bool")]
    #[case("true &&\n  objet.x", 10, "there is no `objet`")]
    #[case("true &&\n  1 1", 12, "not valid CEL: extraneous input '1'")]
    #[case("a.b.C{x: 1}", 5, "there is no message type `a.b.C`")]
    #[case("", 0, "not valid CEL: mismatched input '<EOF>'")]
    #[case("has(object)", 4, "not valid CEL: invalid argument to has() macro")]
    #[case("object.?x", 6, "not valid CEL: unsupported syntax")]
    fn a_bad_expression_is_refused_at_its_character(#[case] text: &str, #[case] at: usize, #[case] message: &str) {
        let (found, said) = fault(text);
        assert!(said.starts_with(message), "{said}");
        assert_eq!(found, at, "{said}");
    }

    #[test]
    fn hostile_expressions_are_refused_and_not_followed() {
        for text in ["(".repeat(4000), "[".repeat(4000), "!".repeat(4000), "-".repeat(4000), "true?".repeat(1000), "1+".repeat(4000) + "1", "a.".repeat(3000) + "b", "x".repeat(9000)] {
            assert!(compile(&text).is_err(), "{}", &text[..8]);
        }
        assert!(compile(&("true && ".repeat(900) + "true")).is_ok(), "a long conjunction is no deep one");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn any_text_is_an_expression_or_a_fault_inside_it(text in r#"(object|self|\.|\(|\)|\[|\]|\{|\}|'|"|x|,|:|\?|!|-|&&|\|\||==|has|all|map|1|0x|ü|\\|\n| |@|`|r'|b"){0,24}"#) {
            if let Err(fault) = compile(&text) {
                prop_assert!(fault.at <= text.chars().count() + 1, "{fault:?}");
            }
        }
    }
}
