//! From flags to an address: the path patterns of the commands, filled in (`spec/api.md` 5.4).
//!
//! A pattern is a path with `{name}` for what a flag gives, then perhaps `[/{name}]` for a part that is left out when its
//! flag is not given, then perhaps `?key={name}`.

use app::InstanceKey;
use reqwest::Url;

use super::flags::Arguments;

/// What is asked for, below the base address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// Parts of the path, not encoded.
    pub parts: Vec<String>,
    /// Key and value of the query, not encoded.
    pub query: Option<(String, String)>,
}

/// Why a command cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A flag that the command needs is not there.
    #[error("{name} must be provided ({flag})")]
    Missing {
        /// What.
        name: &'static str,
        /// By which flag.
        flag: &'static str,
    },
    /// An instance is not one.
    #[error("{flag}: {reason}")]
    Instance {
        /// Which flag.
        flag: &'static str,
        /// Why.
        reason: String,
    },
    /// A value that the API has no way to take.
    #[error("{flag}: {value:?} goes into a path of the API, so it must not be . or .. or hold any of / ? #")]
    Unfit {
        /// Which flag.
        flag: &'static str,
        /// As given.
        value: String,
    },
    /// The base address and the path make no address.
    #[error("{0:?} makes no address")]
    Address(String),
    /// The table of commands is at fault.
    #[error("the pattern {0:?} cannot be filled in")]
    Pattern(&'static str),
}

impl Request {
    /// A pattern with the values of the flags.
    ///
    /// # Errors
    /// [`RequestError`]: the first flag of the pattern that is not there or not fit.
    pub fn of(pattern: &'static str, arguments: &Arguments) -> Result<Self, RequestError> {
        let (path, query) = pattern.split_once('?').unwrap_or((pattern, ""));
        let (fixed, optional) = path.split_once("[/").unwrap_or((path, ""));
        let mut request = Self::default();
        for part in fixed.split('/') {
            request.push(pattern, part, arguments)?;
        }
        let optional = optional.trim_end_matches(']');
        if !optional.is_empty() && !value(pattern, optional, arguments)?.text.trim().is_empty() {
            request.push(pattern, optional, arguments)?;
        }
        if let Some((key, name)) = query.split_once('=') {
            request.query = Some((key.to_owned(), value(pattern, name, arguments)?.given()?.to_owned()));
        }
        Ok(request)
    }

    fn push(&mut self, pattern: &'static str, part: &str, arguments: &Arguments) -> Result<(), RequestError> {
        if !part.starts_with('{') {
            self.parts.push(part.to_owned());
            return Ok(());
        }
        let value = value(pattern, part, arguments)?;
        let text = value.given()?;
        if matches!(part, "{i}" | "{d}") {
            let key = InstanceKey::parse(text.trim(), arguments.default_port)
                .map_err(|error| RequestError::Instance { flag: value.flag, reason: error.to_string() })?;
            self.parts.extend([value.fit(key.hostname)?, key.port.to_string()]);
        } else {
            self.parts.push(value.fit(text.to_owned())?);
        }
        Ok(())
    }

    /// The address below this base.
    ///
    /// # Errors
    /// [`RequestError::Address`].
    pub fn address(&self, base: &str) -> Result<Url, RequestError> {
        let failed = || RequestError::Address(super::endpoints::masked(base));
        let mut url = Url::parse(base).map_err(|_| failed())?;
        url.path_segments_mut().map_err(|()| failed())?.pop_if_empty().extend(&self.parts);
        if let Some((key, value)) = &self.query {
            url.query_pairs_mut().append_pair(key, value);
        }
        Ok(url)
    }
}

/// The address of a path as a user typed it.
///
/// # Errors
/// [`RequestError`]: no path, or one that makes no address.
pub fn verbatim(base: &str, path: &str) -> Result<Url, RequestError> {
    let path = Value { name: "path", flag: "-P", text: path.trim() }.given()?.trim_start_matches('/');
    Url::parse(&format!("{base}/{path}")).map_err(|_| RequestError::Address(super::endpoints::masked(base)))
}

/// What a flag gives.
struct Value<'a> {
    name: &'static str,
    flag: &'static str,
    text: &'a str,
}

impl<'a> Value<'a> {
    fn given(&self) -> Result<&'a str, RequestError> {
        if self.text.trim().is_empty() {
            return Err(RequestError::Missing { name: self.name, flag: self.flag });
        }
        Ok(self.text)
    }

    fn fit(&self, part: String) -> Result<String, RequestError> {
        if part.is_empty() || part == "." || part == ".." || part.contains(['/', '?', '#']) {
            return Err(RequestError::Unfit { flag: self.flag, value: part });
        }
        Ok(part)
    }
}

fn value<'a>(pattern: &'static str, name: &str, a: &'a Arguments) -> Result<Value<'a>, RequestError> {
    let (name, flag, text): (_, _, &str) = match name {
        "{i}" => ("instance", "-i", &a.instance),
        "{d}" => ("destination", "-d", &a.destination),
        "{hint}" if a.alias.trim().is_empty() => ("alias or instance", "-a or -i", &a.instance),
        "{hint}" => ("alias or instance", "-a", &a.alias),
        "{alias}" => ("alias", "-a", &a.alias),
        "{text}" => ("search text", "-i", &a.instance),
        "{members}" => ("instances", "-i", &a.instance),
        "{owner}" => ("owner", "-o", &a.owner),
        "{reason}" => ("reason", "-r", &a.reason),
        "{duration}" => ("duration", "-u", &a.duration),
        "{rule}" => ("promotion rule", "-R", &a.promotion_rule),
        "{tag}" => ("tag", "-t", &a.tag),
        "{pool}" => ("pool", "-l", &a.pool),
        "{hostname}" => ("hostname", "-H", &a.hostname),
        "{binlog}" => ("binlog", "-n", &a.binlog),
        "{seconds}" => ("seconds", "-S", &a.seconds),
        "{statement}" => ("query", "-q", &a.query),
        _ => return Err(RequestError::Pattern(pattern)),
    };
    Ok(Value { name, flag, text })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn arguments() -> Arguments {
        Arguments {
            instance: "db1".to_owned(),
            destination: "db2:3307".to_owned(),
            alias: "orders & more".to_owned(),
            reason: "new disk, 50% é".to_owned(),
            tag: "a=b+c".to_owned(),
            default_port: 3306,
            ..Arguments::default()
        }
    }

    fn path(pattern: &'static str, arguments: &Arguments) -> Result<String, String> {
        let request = Request::of(pattern, arguments).map_err(|error| error.to_string())?;
        let url = request.address("http://orc:3000/prefix/api").map_err(|error| error.to_string())?;
        Ok(url.as_str().strip_prefix("http://orc:3000/prefix/api").expect("below the base").to_owned())
    }

    #[rstest]
    #[case("clusters-info", "/clusters-info")]
    #[case("relocate/{i}/{d}", "/relocate/db1/3306/db2/3307")]
    #[case("topology/{hint}", "/topology/orders%20&%20more")]
    #[case("recover/{i}[/{d}]", "/recover/db1/3306/db2/3307")]
    #[case("heuristic-cluster-pool-instances/{hint}[/{pool}]", "/heuristic-cluster-pool-instances/orders%20&%20more")]
    #[case("x/{reason}", "/x/new%20disk,%2050%25%20%C3%A9")]
    #[case("tag/{i}?tag={tag}", "/tag/db1/3306?tag=a%3Db%2Bc")]
    fn patterns_are_filled_in_and_encoded(#[case] pattern: &'static str, #[case] expected: &str) {
        assert_eq!(path(pattern, &arguments()).as_deref(), Ok(expected));
    }

    #[rstest]
    #[case("db1:3309", Ok("/x/db1/3309"))]
    #[case("[::1]:3309", Ok("/x/::1/3309"))]
    #[case("::1", Ok("/x/::1/3306"))]
    #[case("", Err("instance must be provided (-i)"))]
    #[case("db1:x", Err("-i: "))]
    #[case("orc:3306:1", Err("-i: "))]
    #[case("..:3306", Err("-i: \"..\" goes into a path of the API"))]
    #[case("a/b", Err("-i: \"a/b\" goes into a path of the API"))]
    fn an_instance_is_host_and_port(#[case] instance: &str, #[case] expected: Result<&str, &str>) {
        let arguments = Arguments { instance: instance.to_owned(), ..arguments() };
        match (path("x/{i}", &arguments), expected) {
            (Ok(path), Ok(expected)) => assert_eq!(path, expected),
            (Err(error), Err(expected)) => assert!(error.starts_with(expected), "{error}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn without_an_alias_the_instance_is_the_hint_unchanged() {
        let arguments = Arguments { alias: String::new(), instance: "db1:3309".to_owned(), ..arguments() };
        assert_eq!(path("topology/{hint}", &arguments).as_deref(), Ok("/topology/db1:3309"));
        let nothing = Arguments { instance: String::new(), ..arguments };
        assert_eq!(path("topology/{hint}", &nothing), Err("alias or instance must be provided (-a or -i)".to_owned()));
        assert_eq!(path("downtimed[/{hint}]", &nothing).as_deref(), Ok("/downtimed"));
    }

    #[test]
    fn a_path_is_taken_as_typed() {
        let url = |path| verbatim("http://orc/api", path).map(|url| url.to_string());
        assert_eq!(url("/search?s=a%20b").as_deref(), Ok("http://orc/api/search?s=a%20b"));
        assert_eq!(url("audit/1").as_deref(), Ok("http://orc/api/audit/1"));
        assert_eq!(url(" ").map_err(|e| e.to_string()), Err("path must be provided (-P)".to_owned()));
    }
}
