//! The addresses of the service, and which of several leads (`spec/api.md` 5.3).

use reqwest::{StatusCode, Url};

use super::http::Http;

/// Why there is nobody to ask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// No address at all.
    #[error("no address of the service: set ORCHESTRATOR_API or give -U")]
    None,
    /// Not an address.
    #[error("{given:?} is no address of the service: {reason}; expected is http://host:port or https://host:port")]
    Unusable {
        /// As given, without secrets.
        given: String,
        /// Why.
        reason: String,
    },
    /// None of several leads.
    #[error("none of the addresses given is the leader's or leads to it: {0}")]
    NoLeader(String),
    /// None of several leads, and some did not let us in.
    #[error("access denied (401 Unauthorized) by {0}; see -b and ORCHESTRATOR_AUTH_USER, ORCHESTRATOR_AUTH_PASSWORD")]
    Denied(String),
}

/// Base addresses of the API, each ending in `/api`, in the order given.
///
/// # Errors
/// [`EndpointError`], naming the address that is none.
pub fn bases(given: &str) -> Result<Vec<String>, EndpointError> {
    let bases: Vec<String> = given.split_whitespace().map(base).collect::<Result<_, _>>()?;
    if bases.is_empty() {
        return Err(EndpointError::None);
    }
    Ok(bases)
}

fn base(given: &str) -> Result<String, EndpointError> {
    let unusable = |reason: &str| EndpointError::Unusable { given: masked(given), reason: reason.to_owned() };
    let whole = if given.contains("://") { given.to_owned() } else { format!("http://{given}") };
    let url = Url::parse(&whole).map_err(|error| unusable(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unusable("its scheme is neither http nor https"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(unusable("it has a query"));
    }
    let trimmed = whole.strip_suffix('/').unwrap_or(&whole);
    Ok(if trimmed.ends_with("/api") { trimmed.to_owned() } else { format!("{trimmed}/api") })
}

/// The base to talk to: the only one as it is, or the first of several that leads, or else the first that leads to who
/// does.
///
/// # Errors
/// [`EndpointError::NoLeader`] or [`EndpointError::Denied`], with what each answered.
pub async fn choose(http: &Http, bases: Vec<String>) -> Result<String, EndpointError> {
    if let [only] = bases.as_slice() {
        return Ok(only.clone());
    }
    let mut told = Vec::new();
    let mut denied = Vec::new();
    for check in ["leader-check", "routed-leader-check"] {
        told.clear();
        denied.clear();
        for base in &bases {
            match http.check(&format!("{base}/{check}")).await {
                Ok(StatusCode::OK) => return Ok(base.clone()),
                Ok(StatusCode::UNAUTHORIZED) => denied.push(masked(base)),
                Ok(status) => told.push(format!("{} answered {status}", masked(base))),
                Err(why) => told.push(format!("{}: {why}", masked(base))),
            }
        }
    }
    if denied.is_empty() {
        return Err(EndpointError::NoLeader(told.join("; ")));
    }
    Err(EndpointError::Denied(denied.join(", ")))
}

/// An address without the user and password in it.
pub fn masked(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").map_or(("", address), |(scheme, rest)| (scheme, rest));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        Some((_, host)) => format!("***@{host}"),
        None => authority.to_owned(),
    };
    let separator = if address.contains("://") { "://" } else { "" };
    format!("{scheme}{separator}{authority}{path}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("http://a:3000", &["http://a:3000/api"])]
    #[case("http://a:3000/", &["http://a:3000/api"])]
    #[case("https://a/prefix/api/ b:3000", &["https://a/prefix/api", "http://b:3000/api"])]
    #[case("  http://u:p@a/api\n", &["http://u:p@a/api"])]
    fn each_address_ends_in_api(#[case] given: &str, #[case] expected: &[&str]) {
        assert_eq!(bases(given), Ok(expected.iter().map(|base| (*base).to_owned()).collect()));
    }

    #[rstest]
    #[case(" ", "no address of the service")]
    #[case("ftp://a", "\"ftp://a\" is no address")]
    #[case("http://", "\"http://\" is no address")]
    #[case("http://u:secret@a:99999", "\"http://***@a:99999\" is no address")]
    #[case("http://a/api?x=1", "\"http://a/api?x=1\" is no address")]
    fn what_is_no_address_is_named_without_secrets(#[case] given: &str, #[case] expected: &str) {
        let error = bases(given).expect_err(given).to_string();
        assert!(error.starts_with(expected) && !error.contains("secret"), "{error}");
    }

    #[rstest]
    #[case("http://a:3000/api", "http://a:3000/api")]
    #[case("http://u:p@a:3000/x@y", "http://***@a:3000/x@y")]
    #[case("u:p@a:3000", "***@a:3000")]
    fn secrets_are_masked(#[case] address: &str, #[case] expected: &str) {
        assert_eq!(masked(address), expected);
    }
}
