//! What looks like a credential, and what only looks so.

/// True: a variable or key of this name holds a credential, and not something about one.
pub(crate) fn names_a_credential(name: &str) -> bool {
    const WORDS: [&str; 14] = [
        "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY", "PRIVATEKEY", "ACCESS_KEY",
        "ENCRYPTION_KEY", "SIGNING_KEY", "CREDENTIAL", "CONNECTION_STRING",
    ];
    const ABOUT: [&str; 49] = [
        "_FILE", "_PATH", "_DIR", "_NAME", "_NAMESPACE", "_REF", "_TTL", "_URL", "_URI", "_ENDPOINT", "_EXPIRY", "_EXPIRATION",
        "_SECONDS", "_MINUTES", "_HOURS", "_LIFETIME", "_TIMEOUT", "_LENGTH", "_SIZE", "_LIMIT", "_COUNT", "_HEADER", "_ALGORITHM",
        "_ENCRYPTION", "_METHOD", "_PROVIDER", "_ROTATION", "_HOST", "_PORT", "_ADDR", "_ADDRESS", "_BACKEND", "_USER", "_USERNAME",
        "_VERSION", "_ARN", "_PREFIX", "_MOUNT", "_FORMAT", "_STORE",
        "_TYPE", "_MODE", "_POLICY", "_ISSUER", "_AUDIENCE", "_ENABLED", "_REQUIRED", "_KEY_ID", "_TOKENS",
    ];
    let name = in_capitals(name);
    WORDS.iter().any(|word| name.contains(word)) && !ABOUT.iter().any(|end| name.ends_with(end))
}

/// `db.password`, `db-password` and `dbPassword` as `DB_PASSWORD`.
fn in_capitals(name: &str) -> String {
    let mut capitals = String::with_capacity(name.len() + 4);
    let mut after_small = false;
    for letter in name.chars() {
        if after_small && letter.is_ascii_uppercase() {
            capitals.push('_');
        }
        after_small = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        capitals.push(if matches!(letter, '-' | '.') { '_' } else { letter.to_ascii_uppercase() });
    }
    capitals
}

/// True: nothing, a reference, a path, or a flag.
pub(crate) fn is_harmless(value: &str) -> bool {
    let value = value.trim();
    value.is_empty()
        || value.starts_with('/')
        || is_reference(value)
        || matches!(value.to_ascii_lowercase().as_str(), "true" | "false" | "yes" | "no" | "none" | "null")
}

/// True: something else is put in its place before it is used, or it is encrypted.
pub(crate) fn is_reference(value: &str) -> bool {
    const STARTS: [&str; 9] = ["$(", "${", "{{", "ref+", "vault:", "<path:", "ENC[", "secretKeyRef:", "file:"];
    STARTS.iter().any(|start| value.starts_with(start))
}

/// True: a key or a token that shows by its form what it is.
pub(crate) fn has_known_form(value: &str) -> bool {
    const STARTS: [(&str, usize); 11] = [
        ("AKIA", 16), ("ghp_", 36), ("gho_", 36), ("ghs_", 36), ("github_pat_", 22), ("glpat-", 20), ("xoxb-", 20), ("xoxp-", 20),
        ("sk_live_", 20), ("AIza", 35), ("npm_", 36),
    ];
    let is_private_key = value.contains("-----BEGIN ") && value.contains("PRIVATE KEY-----");
    let is_token = |word: &str| {
        let rest = |start: &str| word.strip_prefix(start).map(|rest| rest.bytes().take_while(|byte| is_token_byte(*byte)).count());
        STARTS.iter().any(|(start, length)| rest(start).is_some_and(|found| found >= *length))
    };
    is_private_key || value.split(|c: char| !c.is_ascii() || !is_token_byte(c as u8)).any(is_token)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// True: `scheme://user:password@host` with a password that is written out.
pub(crate) fn has_password_in_url(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '"', '\'', ' ', '\n']).next().unwrap_or_default();
        let Some((user, _)) = authority.rsplit_once('@') else { return false };
        user.split_once(':').is_some_and(|(_, password)| !password.is_empty() && !password.starts_with(['$', '{', '<', '*', '%']))
    })
}

/// True: a well-known word that stands in for a credential until somebody writes one.
pub(crate) fn is_placeholder(value: &str) -> bool {
    const WORDS: [&str; 16] = [
        "password", "passw0rd", "secret", "admin", "root", "changeme", "changeit", "example", "test", "dummy", "todo", "xxx",
        "123456", "12345678", "letmein", "default",
    ];
    const PARTS: [&str; 8] =
        ["changeme", "change-me", "change_me", "replace-me", "replaceme", "replace_me", "placeholder", "your-"];
    let value = value.trim();
    let lower = value.to_ascii_lowercase();
    !value.is_empty()
        && !is_reference(&lower)
        && (WORDS.contains(&lower.as_str())
            || PARTS.iter().any(|part| lower.contains(part))
            || (value.starts_with('<') && value.ends_with('>')))
}

/// True: a key of a Secret under which something stands that is not secret.
pub(crate) fn names_no_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["user", "host", "port", "database", "dbname", "url", "region"].iter().any(|word| key.contains(word)) && !key.contains("pass")
}

/// The standard alphabet with padding; line breaks are skipped, as the API server does.
pub(crate) fn is_base64(text: &str) -> bool {
    let bytes: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let padding = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    bytes.len().is_multiple_of(4) && padding <= 2 && bytes[..bytes.len() - padding].iter().all(is_letter)
}

/// Decodes base64 into text; none when it is neither.
pub(crate) fn base64(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let (mut buffer, mut bits) = (0u32, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        buffer = (buffer << 6 | u32::from(value)) & 0xff_ffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits & 0xff) as u8);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_credentials_and_names_about_them() {
        for name in ["DB_PASSWORD", "db.password", "jwt-secret", "API_KEY", "githubToken", "SECRET_KEY_BASE"] {
            assert!(names_a_credential(name), "{name}");
        }
        for name in ["MAX_TOKENS", "TOKEN_TTL", "PASSWORD_FILE", "password-min-length", "SECRET_NAME", "TOKEN_URL", "secretName", "TOKEN_SERVICE_HOST"] {
            assert!(!names_a_credential(name), "{name}");
        }
    }

    #[test]
    fn forms_of_keys_and_tokens() {
        let token = format!("ghp_{}", "a1".repeat(18));
        assert!(has_known_form(&token) && has_known_form(&format!("token: \"{token}\"")));
        assert!(has_known_form("-----BEGIN RSA PRIVATE KEY-----\nabc"));
        for harmless in ["ghp_short", "-----BEGIN PUBLIC KEY-----", "AKIA", "https://example.org/a-b_c"] {
            assert!(!has_known_form(harmless), "{harmless}");
        }
    }

    #[test]
    fn passwords_in_addresses() {
        assert!(has_password_in_url("postgres://app:s3cr3t@db:5432/shop") && has_password_in_url("a://b, c://d:e@f"));
        for harmless in ["postgres://app@db/shop", "postgres://app:$(PASSWORD)@db", "https://host:8080/a@b", "redis://:@cache", "x:y@z"] {
            assert!(!has_password_in_url(harmless), "{harmless}");
        }
    }
}
