//! Bounded work. CEL has no loops without an end, but loops in loops and texts that double themselves: expressions are
//! rewritten so that what they go through and what they build is paid before it is done.
//!
//! One unit is about one value that is looked at or copied, 20 to 100 ns.

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::common::types::{CelInt, CelList, CelMap, CelString, DYN_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError};
use std::cell::Cell;

/// Units for one question about one object.
const ONE: u64 = 2_000_000;
/// Units for a rule on all objects: so many, and so many more for each object.
const ALL: u64 = 10_000_000;
const EACH: u64 = 2_000;
/// Units that a regular expression costs: it is compiled each time.
const PATTERN: i64 = 500;

/// The functions that pay. Nobody can write these names.
const PAY: &str = "@pay";
const PAY_LOOP: &str = "@pay_loop";

// Functions of CEL get their arguments and nothing else: what is left stands with the thread that asks.
thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

/// What is left for one rule.
pub(super) struct Purse {
    left: u64,
}

impl Purse {
    /// For one rule on so many objects.
    pub fn new(objects: usize) -> Self {
        Self { left: ALL + EACH * objects as u64 }
    }

    /// True: nothing is left.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Asks, with at most what one question may cost.
    pub fn spend<T>(&mut self, ask: impl FnOnce() -> T) -> T {
        let given = self.left.min(ONE);
        LEFT.set(given);
        let answer = ask();
        let rest = LEFT.replace(0);
        // A question that only reads costs a little too.
        self.left -= (given - rest + 10).min(self.left);
        answer
    }
}

/// Declares the functions that pay.
///
/// # Errors
/// When they are declared already.
pub(super) fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_overload(PAY, "pay_dyn", vec![DYN_TYPE], pay)?;
    env.add_overload(PAY_LOOP, "pay_loop_dyn_dyn", vec![DYN_TYPE, DYN_TYPE], pay_loop)
}

fn pay<'b, 'v>(mut arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let value = arguments.swap_remove(0);
    take(size(&*value, LEFT.get()))?;
    Ok(value)
}

/// Pays for a loop before it starts: a copy of each item, and the body as often.
fn pay_loop<'b, 'v>(mut arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let body = arguments.pop().and_then(|weight| weight.downcast_ref::<CelInt>().map(|weight| *weight.inner())).unwrap_or(1);
    let range = arguments.swap_remove(0);
    let items = range.as_sizer().map_or(0, |sizer| *sizer.size().inner());
    take(size(&*range, LEFT.get()).saturating_add(items.saturating_mul(body).unsigned_abs()))?;
    Ok(range)
}

fn take(units: u64) -> Result<(), ExecutionError> {
    let rest = LEFT.get().checked_sub(units);
    LEFT.set(rest.unwrap_or_default());
    rest.map(|_| ()).ok_or_else(|| ExecutionError::function_error("evaluate", "it goes through too much"))
}

/// Values in a value, texts by their length; not counted much further than `enough`.
fn size(value: &(dyn Val + '_), enough: u64) -> u64 {
    if let Some(text) = value.downcast_ref::<CelString>() {
        return 1 + text.inner().len() as u64 / 32;
    }
    let mut units = 1;
    let add = |item: &(dyn Val + '_), units: &mut u64| {
        if *units <= enough {
            *units += size(item, enough - *units);
        }
    };
    if let Some(list) = value.downcast_ref::<CelList>() {
        list.inner().iter().for_each(|item| add(&**item, &mut units));
    } else if let Some(map) = value.downcast_ref::<CelMap>() {
        map.inner().values().for_each(|item| add(&**item, &mut units));
    }
    units
}

/// The same expression, paying. Inside of a loop every operand is paid, outside only what becomes part of something new.
pub(super) fn metered(expr: IdedExpr, in_loop: bool) -> IdedExpr {
    let IdedExpr { id, expr } = expr;
    let new = match expr {
        Expr::Comprehension(mut loops) => {
            let body = weight(&loops.loop_step);
            let range = metered(loops.iter_range, in_loop);
            let body = IdedExpr { id, expr: Expr::Literal(LiteralValue::Int(CelInt::from(body))) };
            loops.iter_range = call(PAY_LOOP, id, vec![range, body]);
            loops.loop_step = metered(loops.loop_step, true);
            Expr::Comprehension(loops)
        }
        Expr::Call(mut made) => {
            let name = made.func_name.as_str();
            let pays = name == operators::ADD || (in_loop && !is_cheap(name));
            let operand = |part: IdedExpr| {
                let part = metered(part, in_loop);
                // The interpreter knows the steps of map() and filter() by a list beside the result; its items are paid.
                if pays && !matches!(part.expr, Expr::List(_)) { paid(part) } else { part }
            };
            made.args = made.args.into_iter().map(operand).collect();
            made.target = made.target.map(|target| Box::new(operand(*target)));
            Expr::Call(made)
        }
        Expr::List(mut list) => {
            list.elements = list.elements.into_iter().map(|item| paid(metered(item, in_loop))).collect();
            Expr::List(list)
        }
        Expr::Map(mut map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    entry.value = paid(metered(std::mem::take(&mut entry.value), in_loop));
                    entry.key = metered(std::mem::take(&mut entry.key), in_loop);
                }
            }
            Expr::Map(map)
        }
        Expr::Select(mut select) => {
            select.operand = Box::new(metered(*select.operand, in_loop));
            Expr::Select(select)
        }
        other => other,
    };
    IdedExpr { id, expr: new }
}

/// Operators that look at no more than a truth value, or pass a value on.
fn is_cheap(name: &str) -> bool {
    use operators::{CONDITIONAL, INDEX, LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR, NOT_STRICTLY_FALSE};
    [CONDITIONAL, INDEX, LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR, NOT_STRICTLY_FALSE].contains(&name)
}

fn paid(part: IdedExpr) -> IdedExpr {
    match &part.expr {
        Expr::Literal(_) => part,
        // The result of a loop: its parts were paid when they came.
        Expr::Ident(name) if name.starts_with('@') => part,
        _ => call(PAY, part.id, vec![part]),
    }
}

fn call(name: &str, id: u64, args: Vec<IdedExpr>) -> IdedExpr {
    IdedExpr { id, expr: Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args }) }
}

/// What one turn of a loop costs beside its data. Loops inside pay for themselves.
fn weight(expr: &IdedExpr) -> i64 {
    1 + match &expr.expr {
        Expr::Call(call) => {
            let pattern = if call.func_name == "matches" { PATTERN } else { 0 };
            pattern + call.target.iter().map(|target| weight(target)).chain(call.args.iter().map(weight)).sum::<i64>()
        }
        Expr::List(list) => list.elements.iter().map(weight).sum(),
        Expr::Map(map) => map.entries.iter().map(|entry| if let EntryExpr::MapEntry(entry) = &entry.expr { weight(&entry.key) + weight(&entry.value) } else { 1 }).sum(),
        Expr::Select(select) => weight(&select.operand),
        _ => 0,
    }
}
