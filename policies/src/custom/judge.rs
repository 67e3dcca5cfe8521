//! Asks custom rules about objects.

use super::budget::{self, Purse};
use super::expression::Expression;
use super::path::Place;
use super::variables::Variables;
use super::{Custom, value};
use crate::amount::Amount;
use crate::index::Index;
use crate::rule::Hit;
use cel::common::types::{CelBool, CelDouble, CelInt, CelString, DOUBLE_TYPE, INT_TYPE, STRING_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{Context, Env, ExecutionError, Value, extensions};
use gauntlet_fixtures::manifest::{Field, Object};
use std::sync::Arc;

/// Most that a message tells of what the interpreter says.
const MAX_MESSAGE: usize = 300;

/// What every custom rule of a run needs.
pub(crate) struct Judge {
    env: Arc<Env>,
}

impl Judge {
    /// With CEL's own functions, and those of the suite.
    pub fn new() -> Self {
        let mut env = Env::stdlib();
        let declared = env.add_extension(extensions::strings).and_then(|()| budget::declare(&mut env)).and_then(|()| {
            env.add_overload("quantity", "quantity_string", vec![STRING_TYPE], quantity)?;
            env.add_overload("quantity", "quantity_int", vec![INT_TYPE], quantity)?;
            env.add_overload("quantity", "quantity_double", vec![DOUBLE_TYPE], quantity)
        });
        // Whatever the input, these names are the same: a clash shows in the first test.
        declared.unwrap_or_else(|error| unreachable!("{error}"));
        Self { env: Arc::new(env) }
    }

    /// Every breach of a rule, and every object that it cannot be asked of.
    pub fn hits<'a>(&self, custom: &Custom, index: &Index<'a>) -> Vec<Hit<'a>> {
        let mut hits = Vec::new();
        let mut purse = Purse::new(index.objects().len());
        let paths = custom.paths();
        let mut of_rule = Context::with_env(self.env.clone());
        of_rule.add_variable_as_val("params", value::of_map(&custom.parameters));
        let of_kinds = custom.kinds.iter().flat_map(|kind| index.of_kind(kind)).copied();
        let every = index.objects().iter().filter(|_| custom.kinds.is_empty());
        for object in of_kinds.chain(every).filter(|object| custom.asks_version(&object.api_version)) {
            let places = custom.field.places(&Field::root(&object.root));
            if places.is_empty() {
                continue;
            }
            let variables = Variables::new(object, &paths, index);
            let mut context = of_rule.new_inner_scope();
            context.set_variable_resolver(&variables);
            for place in places {
                let own = place.there && custom.names_self();
                context.add_variable_as_val("self", if own { value::of_node(place.nearest.node) } else { value::null() });
                let answer = purse.spend(|| ask(&custom.expression, &context));
                if purse.is_empty() {
                    let message = format!("the expression at {} goes through too much: it is asked no further", custom.source);
                    hits.push(hit(object, place, message));
                    return hits;
                }
                let message = match answer {
                    Ok(true) => continue,
                    Ok(false) => custom.told(&context, &mut purse),
                    Err(why) => format!("the expression at {} has no answer: {why}", custom.source),
                };
                hits.push(hit(object, place, message));
            }
        }
        hits
    }
}

impl Custom {
    fn asks_version(&self, version: &str) -> bool {
        self.api_versions.is_empty() || self.api_versions.iter().any(|known| known == version)
    }

    /// The fields of an object that its expressions name.
    fn paths(&self) -> Vec<&[String]> {
        let of_message = self.message_expression.iter().flat_map(|message| &message.paths);
        self.expression.paths.iter().chain(of_message).map(Vec::as_slice).collect()
    }

    fn names_self(&self) -> bool {
        self.expression.names_self || self.message_expression.as_ref().is_some_and(|message| message.names_self)
    }

    /// What its finding says: the message's own expression first, which may fail without harm.
    fn told(&self, context: &Context<'_, '_>, purse: &mut Purse) -> String {
        let made = self.message_expression.as_ref().and_then(|message| purse.spend(|| text(message, context)));
        made.filter(|text| !text.trim().is_empty()).or_else(|| self.message.clone()).unwrap_or_else(|| self.title.clone())
    }
}

fn hit<'a>(object: &'a Object, place: Place<'a>, message: String) -> Hit<'a> {
    let Place { nearest, path, .. } = place;
    if path.is_empty() {
        let name = nearest.at("metadata.name").unwrap_or(nearest);
        return Hit { object, field: name.path(), source: name.source().clone(), message, automatic: None };
    }
    Hit { object, field: path, source: nearest.source().clone(), message, automatic: None }
}

/// The answer of an expression that must be true or false.
fn ask(expression: &Expression, context: &Context<'_, '_>) -> Result<bool, String> {
    let answer = Value::resolve_val(&expression.tree, context).map_err(|error| in_words(&error))?;
    let truth = answer.downcast_ref::<CelBool>().map(|truth| *truth.inner());
    truth.ok_or_else(|| format!("it must be true or false, and is of type {}", answer.get_type().name()))
}

fn text(expression: &Expression, context: &Context<'_, '_>) -> Option<String> {
    let answer = Value::resolve_val(&expression.tree, context).ok()?;
    answer.downcast_ref::<CelString>().map(|text| text.inner().to_owned())
}

fn in_words(error: &ExecutionError) -> String {
    let said = match error {
        ExecutionError::NoSuchKey(key) => return format!("there is no `{key}`; has() asks whether there is"),
        ExecutionError::FunctionError { message, .. } => message.clone(),
        other => other.to_string(),
    };
    match said.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}...", &said[..end]),
        None => said,
    }
}

/// `quantity('500m')` is 0.5, `quantity('1Ki')` 1024.0: a quantity of Kubernetes as a number that compares.
fn quantity<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let argument: Option<&(dyn Val + 'v)> = arguments.first().map(|argument| &**argument);
    let said = argument.map(|argument| {
        let text = argument.downcast_ref::<CelString>().map(|text| text.inner().to_owned());
        let whole = || argument.downcast_ref::<CelInt>().map(|number| number.inner().to_string());
        let number = || argument.downcast_ref::<CelDouble>().map(|number| number.inner().to_string());
        text.or_else(whole).or_else(number).unwrap_or_default()
    });
    let said = said.unwrap_or_default();
    let amount = Amount::parse(&said).and_then(|amount| amount.ratio_to(Amount::whole(1)));
    match amount {
        Some(amount) => Ok(CowVal::owned(CelDouble::from(amount))),
        None => Err(ExecutionError::function_error("quantity", format!("`{said}` is no quantity"))),
    }
}
