//! The templates of journeys: `{{seq}}`, `{{rand:A:B}}` and `{{name}}`. Pure: the caller brings the randomness.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::collections::BTreeMap;

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A `{{` has no `}}`.
    #[error("read the template {text:?}: a {{{{ has no }}}}")]
    Open {
        /// The whole text.
        text: String,
    },
    /// What stands between the braces is none of the three forms.
    #[error("read the template {text:?}: {inner:?} is neither seq, rand:A:B with A <= B, nor a name")]
    Unknown {
        /// The whole text.
        text: String,
        /// What stands between the braces.
        inner: String,
    },
    /// No earlier step captured the name.
    #[error("fill in {name:?}: no earlier step captured it")]
    Missing {
        /// The name.
        name: String,
    },
}

/// What templates are filled from.
pub struct Scope<'a> {
    /// The number for `{{seq}}`, the same in all of one request.
    pub seq: u64,
    /// Draws `{{rand:A:B}}`.
    pub rng: &'a mut ChaCha8Rng,
    /// What earlier steps of the journey captured.
    pub captured: &'a BTreeMap<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Seq,
    Rand(i64, i64),
    Name(String),
}

/// A text with placeholders, read once and filled often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// [`TemplateError::Open`] and [`TemplateError::Unknown`].
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, tail)) = rest.split_once("{{") {
            let (inner, after) = tail.split_once("}}").ok_or_else(|| TemplateError::Open { text: text.to_owned() })?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let unknown = || TemplateError::Unknown { text: text.to_owned(), inner: inner.to_owned() };
            parts.push(placeholder(inner.trim()).ok_or_else(unknown)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Template { parts })
    }

    /// The names that earlier steps must have captured.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|p| if let Part::Name(name) = p { Some(name.as_str()) } else { None })
    }

    /// The text, filled in.
    ///
    /// # Errors
    /// [`TemplateError::Missing`].
    pub fn text(&self, scope: &mut Scope<'_>) -> Result<String, TemplateError> {
        let mut text = String::new();
        for part in &self.parts {
            match value(part, scope)? {
                Value::String(s) => text.push_str(&s),
                other => text.push_str(&other.to_string()),
            }
        }
        Ok(text)
    }

    /// The JSON value, filled in. A text that is nothing but one placeholder keeps the placeholder's type: `{{seq}}` and
    /// `{{rand:A:B}}` become numbers, a captured value stays what it was. Everything else is a string.
    ///
    /// # Errors
    /// [`TemplateError::Missing`].
    pub fn json(&self, scope: &mut Scope<'_>) -> Result<Value, TemplateError> {
        match self.parts.as_slice() {
            [part] => value(part, scope),
            _ => self.text(scope).map(Value::String),
        }
    }
}

fn placeholder(inner: &str) -> Option<Part> {
    if inner == "seq" {
        return Some(Part::Seq);
    }
    if let Some(range) = inner.strip_prefix("rand:") {
        let (low, high) = range.split_once(':')?;
        let (low, high) = (low.parse().ok()?, high.parse().ok()?);
        return (low <= high).then_some(Part::Rand(low, high));
    }
    let is_name = !inner.is_empty() && inner.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    is_name.then(|| Part::Name(inner.to_owned()))
}

fn value(part: &Part, scope: &mut Scope<'_>) -> Result<Value, TemplateError> {
    Ok(match part {
        Part::Text(text) => Value::String(text.clone()),
        Part::Seq => scope.seq.into(),
        Part::Rand(low, high) => scope.rng.random_range(*low..=*high).into(),
        Part::Name(name) => {
            scope.captured.get(name).cloned().ok_or_else(|| TemplateError::Missing { name: name.clone() })?
        }
    })
}

/// A JSON body whose strings are templates. Keys are taken as they stand.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A number, a boolean, null.
    Plain(Value),
    /// A string.
    Text(Template),
    /// An array.
    List(Vec<Body>),
    /// An object, in the order of the description.
    Object(Vec<(String, Body)>),
}

impl Body {
    /// Reads a body.
    ///
    /// # Errors
    /// Those of [`Template::parse`].
    pub fn parse(value: &Value) -> Result<Self, TemplateError> {
        Ok(match value {
            Value::String(text) => Body::Text(Template::parse(text)?),
            Value::Array(items) => Body::List(items.iter().map(Body::parse).collect::<Result<_, _>>()?),
            Value::Object(fields) => {
                let field = |(key, value): (&String, &Value)| Ok((key.clone(), Body::parse(value)?));
                Body::Object(fields.iter().map(field).collect::<Result<_, _>>()?)
            }
            plain => Body::Plain(plain.clone()),
        })
    }

    /// The names that earlier steps must have captured.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Body::Plain(_) => Vec::new(),
            Body::Text(template) => template.names().collect(),
            Body::List(items) => items.iter().flat_map(Body::names).collect(),
            Body::Object(fields) => fields.iter().flat_map(|(_, body)| body.names()).collect(),
        }
    }

    /// The body, filled in.
    ///
    /// # Errors
    /// [`TemplateError::Missing`].
    pub fn fill(&self, scope: &mut Scope<'_>) -> Result<Value, TemplateError> {
        Ok(match self {
            Body::Plain(value) => value.clone(),
            Body::Text(template) => template.json(scope)?,
            Body::List(items) => items.iter().map(|b| b.fill(scope)).collect::<Result<Vec<_>, _>>()?.into(),
            Body::Object(fields) => {
                let mut object = serde_json::Map::new();
                for (key, body) in fields {
                    object.insert(key.clone(), body.fill(scope)?);
                }
                object.into()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use serde_json::json;

    fn filled(body: Value, seed: u64, captured: &BTreeMap<String, Value>) -> Result<Value, TemplateError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Body::parse(&body)?.fill(&mut Scope { seq: 41, rng: &mut rng, captured })
    }

    #[test]
    fn placeholders_keep_their_type_when_alone() {
        let captured = BTreeMap::from([("id".to_owned(), json!({"a": 1}))]);
        let body = json!({"n": "{{seq}}", "s": "order-{{seq}}", "id": "{{id}}", "deep": [true, "{{ rand:5:5 }}"]});
        let got = filled(body, 1, &captured).expect("filled");
        assert_eq!(got, json!({"n": 41, "s": "order-41", "id": {"a": 1}, "deep": [true, 5]}));
    }

    #[test]
    fn the_same_seed_draws_the_same_numbers() {
        let body = || json!(["{{rand:1:1000000}}", "{{rand:-5:1000000}}"]);
        let draw = |seed| filled(body(), seed, &BTreeMap::new()).expect("filled");
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn drawn_numbers_stay_in_their_range() {
        for seed in 0..200 {
            let drawn = filled(json!("{{rand:3:5}}"), seed, &BTreeMap::new()).expect("filled");
            assert!((3..=5).contains(&drawn.as_i64().expect("number")), "{drawn}");
        }
    }

    #[test]
    fn what_cannot_be_filled_is_named() {
        let missing = filled(json!("{{orderId}}"), 1, &BTreeMap::new()).expect_err("missing");
        assert_eq!(missing, TemplateError::Missing { name: "orderId".into() });
        assert!(matches!(Template::parse("/a/{{seq"), Err(TemplateError::Open { .. })));
        for wrong in ["{{rand:9:1}}", "{{rand:a:b}}", "{{a b}}", "{{}}"] {
            assert!(matches!(Template::parse(wrong), Err(TemplateError::Unknown { .. })), "{wrong}");
        }
    }
}
