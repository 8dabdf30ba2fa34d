//! Routes, and how a path finds its own (`spec/api.md` 1.1).

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

use super::Answer;
use super::call::Call;
use crate::api::error::ApiError;
use crate::auth::{Admin, Operator, Viewer};

/// What a handler comes back with.
pub type Reply = BoxFuture<'static, Result<Answer, ApiError>>;

/// A handler, by the capability it takes: the type is the rule.
pub enum Handler {
    /// Public to all who got past authentication; says nothing about servers.
    Open(fn(Call) -> Reply),
    /// For those who may see.
    View(fn(Viewer, Call) -> Reply),
    /// For those who may change what is managed.
    Operate(fn(Operator, Call) -> Reply),
    /// For those who may change the service.
    Administer(fn(Admin, Call) -> Reply),
}

impl Handler {
    /// The right it takes, for tests and documentation.
    pub fn right(&self) -> &'static str {
        match self {
            Self::Open(_) => "open",
            Self::View(_) => "viewer",
            Self::Operate(_) => "operator",
            Self::Administer(_) => "admin",
        }
    }
}

/// One operation of the API, under one or more paths.
pub struct Route {
    /// Paths below `/api/`, the listed one first, then synonyms; `:name` is a parameter.
    pub paths: Vec<&'static str>,
    /// What answers.
    pub handler: Handler,
    /// It changes something: never for HEAD, never for another site's page, only on the leader.
    pub changes: bool,
}

/// Values of the path's parameters, by name.
pub type Params = BTreeMap<&'static str, String>;

/// Whether the path, decoded, is one of the pattern's; with the parameters.
pub fn matches(pattern: &'static str, path: &str) -> Option<Params> {
    let mut params = Params::new();
    let mut given = path.split('/');
    for expected in pattern.split('/') {
        let part = given.next()?;
        match expected.strip_prefix(':') {
            Some(_) if part.is_empty() || part.contains(['#', '?']) => return None,
            Some(name) => {
                params.insert(name, part.to_owned());
            }
            None if expected != part => return None,
            None => {}
        }
    }
    given.next().is_none().then_some(params)
}

/// A path without its percent signs and the one slash that may end it; `None` when it is no text.
pub fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let (high, low) = (rest.next()?, rest.next()?);
            let digit = |b: u8| char::from(b).to_digit(16);
            bytes.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let decoded = String::from_utf8(bytes).ok()?;
    Some(decoded.strip_suffix('/').map(str::to_owned).unwrap_or(decoded))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("instance/:host/:port", "instance/db1/3306", Some("db1 3306"))]
    #[case("instance/:host/:port", "instance/db%201/3306", Some("db 1 3306"))]
    #[case("instance/:host/:port", "instance/db1/3306/", Some("db1 3306"))]
    #[case("instance/:host/:port", "instance/db1/3306//", None)]
    #[case("instance/:host/:port", "instance/db1", None)]
    #[case("instance/:host/:port", "instance//3306", None)]
    #[case("instance/:host/:port", "instance/a%2Fb/3306", None)]
    #[case("instance/:host/:port", "instance/a%23b/3306", None)]
    #[case("instance/:host/:port", "instance/a%3Fb/3306", None)]
    #[case("instance/:host/:port", "Instance/db1/3306", None)]
    #[case("search/:searchString", "search/a+b%0A", Some("a+b\n"))]
    #[case("search/:searchString", "search/%C3%A9:1", Some("é:1"))]
    #[case("search/:searchString", "search/%zz", None)]
    #[case("search/:searchString", "search/%C3", None)]
    #[case("search/:searchString", "search/%4", None)]
    #[case("clusters", "%63lusters", Some(""))]
    fn paths_are_matched_decoded_and_whole(
        #[case] pattern: &'static str,
        #[case] path: &str,
        #[case] expected: Option<&str>,
    ) {
        let found = decode(path).and_then(|path| matches(pattern, &path));
        let values = found.map(|params| params.into_values().collect::<Vec<_>>().join(" "));
        assert_eq!(values.as_deref(), expected);
    }
}
