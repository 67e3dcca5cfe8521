//! What a field holds, as the table writes it.

/// The type of a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    /// `*`: anything.
    Any,
    /// `b`
    Boolean,
    /// `i`: a whole number of 32 bits.
    Int32,
    /// `l`: a whole number of 64 bits.
    Int64,
    /// `n`
    Number,
    /// `s`, or `s{A,B}` when only these values are taken.
    Text(Vec<&'static str>),
    /// `y`: bytes in base64.
    Bytes,
    /// `q`: `500m`, `1Gi`, also as a number.
    Quantity,
    /// `t`: a point in time, RFC 3339.
    Time,
    /// `x`: a whole number or text.
    IntOrText,
    /// `m` and the type of the values.
    Map(Box<Type>),
    /// `a` and the type of the items.
    List(Box<Type>),
    /// `@` and a type of the table.
    Of(&'static str),
}

impl Type {
    /// Reads a word of the table. What it does not know can be anything.
    pub fn read(word: &'static str) -> Self {
        let Some(first) = word.chars().next() else { return Self::Any };
        let rest = &word[first.len_utf8()..];
        match first {
            'b' => Self::Boolean,
            'i' => Self::Int32,
            'l' => Self::Int64,
            'n' => Self::Number,
            's' => {
                let values = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
                Self::Text(values.map(|values| values.split(',').collect()).unwrap_or_default())
            }
            'y' => Self::Bytes,
            'q' => Self::Quantity,
            't' => Self::Time,
            'x' => Self::IntOrText,
            'm' => Self::Map(Box::new(Self::read(rest))),
            'a' => Self::List(Box::new(Self::read(rest))),
            '@' => Self::Of(rest),
            _ => Self::Any,
        }
    }

    /// The values that are taken, of a list or a map those of its items; none: any.
    pub fn values(&self) -> &[&'static str] {
        match self {
            Self::Text(values) => values,
            Self::Map(inner) | Self::List(inner) => inner.values(),
            _ => &[],
        }
    }

    /// What is expected, for messages.
    pub fn expected(&self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Boolean => "true or false",
            Self::Int32 | Self::Int64 => "a whole number",
            Self::Number => "a number",
            Self::Text(_) => "text",
            Self::Bytes => "text in base64",
            Self::Quantity => "a quantity such as 500m or 1Gi",
            Self::Time => "a time such as 2026-01-31T12:00:00Z",
            Self::IntOrText => "a whole number or text",
            Self::Map(_) | Self::Of(_) => "a mapping",
            Self::List(_) => "a list",
        }
    }
}

/// One field of a type.
#[derive(Debug)]
pub(crate) struct FieldType {
    pub name: &'static str,
    pub required: bool,
    pub of: Type,
}

/// A type of one release: its fields, sorted by name.
#[derive(Debug)]
pub(crate) struct Definition {
    fields: Vec<FieldType>,
}

impl Definition {
    /// Takes names and words. A `!` before a word: the field must be there.
    pub fn new(fields: impl Iterator<Item = (&'static str, &'static str)>) -> Self {
        let mut fields: Vec<FieldType> = fields
            .map(|(name, word)| {
                let of = word.strip_prefix('!');
                FieldType { name, required: of.is_some(), of: Type::read(of.unwrap_or(word)) }
            })
            .collect();
        fields.sort_by_key(|field| field.name);
        Self { fields }
    }

    /// A field by its name, which has one spelling: the API server does not take `Replicas` for `replicas`.
    pub fn field(&self, name: &str) -> Option<&FieldType> {
        let at = self.fields.binary_search_by(|field| field.name.cmp(name)).ok()?;
        self.fields.get(at)
    }

    /// Every field.
    pub fn fields(&self) -> &[FieldType] {
        &self.fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read() {
        assert_eq!(Type::read("am@core.v1.Pod"), Type::List(Box::new(Type::Map(Box::new(Type::Of("core.v1.Pod"))))));
        assert_eq!(Type::read("s{A,B}"), Type::Text(vec!["A", "B"]));
        assert_eq!(Type::read("as{A,B}").values(), ["A", "B"]);
        assert_eq!(Type::read("s"), Type::Text(Vec::new()));
        assert_eq!((Type::read(""), Type::read("?")), (Type::Any, Type::Any));
    }

    #[test]
    fn fields_are_found_by_their_exact_name() {
        let definition = Definition::new([("replicas", "i"), ("name", "!s")].into_iter());
        assert!(definition.field("name").is_some_and(|field| field.required));
        assert!(definition.field("replicas").is_some_and(|field| !field.required));
        assert!(definition.field("Replicas").is_none());
    }
}
