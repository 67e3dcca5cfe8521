//! Tokens for the upgrade: good ones, and those that must be refused.

use gauntlet_fixtures::platform::Token;
use jsonwebtoken::errors::Error;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

/// How long ago an expired token expired, in seconds: more than any server's leeway.
const EXPIRED_FOR: u64 = 3_600;

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

/// Makes tokens with a platform's own key.
pub struct Mint {
    key: Vec<u8>,
    issuer: Option<String>,
    audience: Option<String>,
}

impl Mint {
    /// A mint with the key of the platform's Secret.
    pub fn new(token: &Token, key: Vec<u8>) -> Self {
        Mint { key, issuer: token.issuer.clone(), audience: token.audience.clone() }
    }

    /// A token that holds for `ttl_s` seconds from `now_s` on, in seconds since 1970.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn good(&self, user: &str, now_s: u64, ttl_s: u64) -> Result<String, Error> {
        self.sign(&self.key, user, now_s, now_s + ttl_s)
    }

    /// The same, expired.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn expired(&self, user: &str, now_s: u64) -> Result<String, Error> {
        self.sign(&self.key, user, now_s.saturating_sub(2 * EXPIRED_FOR), now_s.saturating_sub(EXPIRED_FOR))
    }

    /// The same, signed with another key.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn wrongly_signed(&self, user: &str, now_s: u64) -> Result<String, Error> {
        let mut other = self.key.clone();
        other.extend_from_slice(b"-and-more");
        self.sign(&other, user, now_s, now_s + EXPIRED_FOR)
    }

    fn sign(&self, key: &[u8], user: &str, iat: u64, exp: u64) -> Result<String, Error> {
        let claims = Claims { sub: user, iat, exp, iss: self.issuer.as_deref(), aud: self.audience.as_deref() };
        encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{DecodingKey, Validation, decode};

    #[test]
    fn only_the_good_token_is_good() {
        let token = Token { secret: "s".into(), key: "k".into(), issuer: Some("us".into()), audience: Some("them".into()) };
        let mint = Mint::new(&token, b"key".to_vec());
        let now = jsonwebtoken::get_current_timestamp();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&["us"]);
        validation.set_audience(&["them"]);
        let accepted = |text: Result<String, Error>| {
            decode::<serde_json::Value>(text.expect("token"), &DecodingKey::from_secret(b"key"), &validation).is_ok()
        };
        assert!(accepted(mint.good("ada", now, 60)));
        assert!(!accepted(mint.expired("ada", now)));
        assert!(!accepted(mint.wrongly_signed("ada", now)));
    }
}
