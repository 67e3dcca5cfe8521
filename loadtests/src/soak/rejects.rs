//! Upgrades that a server must refuse.

use super::dial::{DialError, Dialer, Papers};
use super::plan::SoakPlan;
use super::token::Mint;
use gauntlet_reports::run::Assertion;

/// An origin that no platform allows.
const ELSEWHERE: &str = "https://elsewhere.invalid";

/// Seconds that the token of the wrong-origin case holds.
const TTL: u64 = 600;

/// One upgrade that must be refused.
struct Case {
    name: &'static str,
    shows: &'static str,
    token: Option<String>,
    origin: Option<String>,
    status: u16,
}

fn cases(plan: &SoakPlan, mint: Option<&Mint>, now_s: u64) -> Result<Vec<Case>, jsonwebtoken::errors::Error> {
    let own = || plan.origin.clone();
    let mut cases = Vec::new();
    if let Some(mint) = mint {
        let case = |name, shows, token| Case { name, shows, token, origin: own(), status: 401 };
        cases.push(case("no_token", "no token", None));
        cases.push(case("expired_token", "a token that expired an hour ago", Some(mint.expired("gauntlet", now_s)?)));
        cases.push(case("wrong_signature", "a token signed with another key", Some(mint.wrongly_signed("gauntlet", now_s)?)));
    }
    if plan.origin.is_some() {
        let token = mint.map(|m| m.good("gauntlet", now_s, TTL)).transpose()?;
        let origin = Some(ELSEWHERE.to_owned());
        cases.push(Case { name: "wrong_origin", shows: "an origin that is not allowed", token, origin, status: 403 });
    }
    Ok(cases)
}

/// Tries every case that the platform's description allows.
///
/// # Errors
/// The tokens cannot be made.
pub(super) async fn all(plan: &SoakPlan, dialer: &Dialer, mint: Option<&Mint>, now_s: u64) -> Result<Vec<Assertion>, jsonwebtoken::errors::Error> {
    let mut assertions = Vec::new();
    for case in cases(plan, mint, now_s)? {
        let papers = Papers { token: case.token.as_deref(), origin: case.origin.as_deref() };
        let got = dialer.dial(papers).await.map(|_| ());
        assertions.push(judge(plan, &case, got));
    }
    Ok(assertions)
}

fn judge(plan: &SoakPlan, case: &Case, got: Result<(), DialError>) -> Assertion {
    let id = plan.id(&format!("rejects.{}", case.name));
    let expected = format!("an upgrade with {} is answered {}", case.shows, case.status);
    match got {
        Err(DialError::Status(status)) if status == case.status => Assertion::pass(id, expected, format!("status {status}")),
        Ok(()) => Assertion::fail(id, expected, "status 101", format!("the server let in a client with {}", case.shows)),
        // A gateway that reaches no server says nothing of the server.
        Err(DialError::Status(status @ 500..)) => Assertion::inconclusive(id, expected, format!("the entry point answered {status}")),
        Err(DialError::Status(status)) => {
            let reason = format!("the server refuses it, but as {status}: a client cannot tell why");
            Assertion::fail(id, expected, format!("status {status}"), reason)
        }
        Err(error) => Assertion::inconclusive(id, expected, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use super::*;
    use gauntlet_fixtures::platform::Token;
    use gauntlet_reports::verdict::Verdict::{self, *};
    use rstest::rstest;

    fn mint() -> Mint {
        Mint::new(&Token { secret: "s".into(), key: "k".into(), issuer: None, audience: None }, b"key".to_vec())
    }

    #[test]
    fn only_what_is_declared_can_be_refused() {
        let names = |plan: &SoakPlan, mint| cases(plan, mint, 9_000_000).expect("cases").iter().map(|c| c.name).collect::<Vec<_>>();
        let (mut plan, mint) = (plan(), mint());
        assert!(names(&plan, None).is_empty());
        assert_eq!(names(&plan, Some(&mint)), ["no_token", "expired_token", "wrong_signature"]);
        plan.origin = Some("https://shop.test".into());
        assert_eq!(names(&plan, None), ["wrong_origin"]);
        assert_eq!(names(&plan, Some(&mint)).len(), 4);
    }

    #[rstest]
    #[case::refused(Err(DialError::Status(401)), Pass)]
    #[case::let_in(Ok(()), Fail)]
    #[case::unclear(Err(DialError::Status(400)), Fail)]
    #[case::no_server(Err(DialError::Status(503)), Inconclusive)]
    #[case::no_answer(Err(DialError::Timeout), Inconclusive)]
    fn a_refusal_has_its_status(#[case] got: Result<(), DialError>, #[case] expected: Verdict) {
        let plan = plan();
        let case = &cases(&plan, Some(&mint()), 9_000_000).expect("cases")[1];
        let got = judge(&plan, case, got);
        assert_eq!((got.id.as_str(), got.verdict), ("soak.live.rejects.expired_token", expected), "{got:?}");
    }
}
