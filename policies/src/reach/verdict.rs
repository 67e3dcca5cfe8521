//! What policies say to a connection.

use gauntlet_fixtures::manifest::Object;
use std::fmt;

/// What the policies of one end say.
#[derive(Debug, Clone, PartialEq)]
pub enum Side<'a> {
    /// No policy holds this end in this direction.
    Open,
    /// These policies allow it.
    Allowed(Vec<&'a Object>),
    /// These policies hold this end, and none of them allows it.
    Denied(Vec<&'a Object>),
}

impl Side<'_> {
    /// True: not denied.
    pub fn is_allowed(&self) -> bool {
        !matches!(self, Side::Denied(_))
    }
}

impl fmt::Display for Side<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, policies) = match self {
            Side::Open => return f.write_str("open: no policy selects it"),
            Side::Allowed(policies) => ("allowed by", policies),
            Side::Denied(policies) => ("denied: no rule for it in", policies),
        };
        let names: Vec<String> = policies.iter().map(|policy| policy.display_name()).collect();
        write!(f, "{word} {}", names.join(", "))
    }
}

/// Whether a connection is possible, and what decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict<'a> {
    /// What lets it out of its source.
    pub egress: Side<'a>,
    /// What lets it into its destination.
    pub ingress: Side<'a>,
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_allowed() { "allowed" } else { "denied" };
        write!(f, "{word} (egress {}; ingress {})", self.egress, self.ingress)
    }
}

impl Verdict<'_> {
    /// True: both ends allow it.
    pub fn is_allowed(&self) -> bool {
        self.egress.is_allowed() && self.ingress.is_allowed()
    }
}
