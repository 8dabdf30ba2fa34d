//! Asking over HTTP: who we are, what is tried again, and what an answer is (`spec/api.md` 5.3, 5.4).

use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;

use super::endpoints::masked;
use super::environment::Environment;
use super::flags::Arguments;

/// Pauses between tries, of which there is one more.
pub const PAUSES: [Duration; 7] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_millis(2500),
    Duration::from_secs(5),
];

/// An address takes a connection within this time.
const CONNECTED_WITHIN: Duration = Duration::from_secs(5);
/// A leader says so within this time.
const CHECKED_WITHIN: Duration = Duration::from_secs(1);
/// A read is answered within this time. A change takes what it takes: a recovery waits for its hooks.
const READ_WITHIN: Duration = Duration::from_mins(10);
/// So much of an answer that is no JSON is shown, in characters.
const EXCERPT: usize = 120;

/// How we make ourselves known.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    basic: Option<(String, String)>,
    bearer: Option<String>,
    header: Option<(HeaderName, HeaderValue)>,
}

/// Credentials that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// No name and value.
    #[error("{0} is no header: expected is Name:value")]
    Header(&'static str),
    /// Two ways at once.
    #[error("ORCHESTRATOR_AUTH_TOKEN and ORCHESTRATOR_AUTH_USER or ORCHESTRATOR_AUTH_PASSWORD are both set; unset one")]
    Both,
}

impl Credentials {
    /// What the flags say, else what the environment says.
    ///
    /// # Errors
    /// [`CredentialsError`]; it does not show secrets.
    pub fn of(arguments: &Arguments, environment: &Environment) -> Result<Self, CredentialsError> {
        let mut credentials = Self::default();
        if arguments.auth.is_empty() {
            let by_environment = (environment.user.clone(), environment.password.clone());
            let is_given = !by_environment.0.is_empty() || !by_environment.1.is_empty();
            credentials.basic = is_given.then_some(by_environment);
            credentials.bearer = Some(environment.token.clone()).filter(|token| !token.is_empty());
            if credentials.basic.is_some() && credentials.bearer.is_some() {
                return Err(CredentialsError::Both);
            }
        } else {
            let (user, password) = arguments.auth.split_once(':').unwrap_or((&arguments.auth, ""));
            credentials.basic = Some((user.to_owned(), password.to_owned()));
        }
        let (header, from) = if arguments.header.is_empty() {
            (&environment.header, "ORCHESTRATOR_AUTH_USER_HEADER")
        } else {
            (&arguments.header, "-e")
        };
        if !header.is_empty() {
            credentials.header = Some(parsed_header(header).ok_or(CredentialsError::Header(from))?);
        }
        Ok(credentials)
    }

    fn put_on(&self, mut request: RequestBuilder) -> RequestBuilder {
        if let Some((user, password)) = &self.basic {
            request = request.basic_auth(user, Some(password));
        }
        if let Some(token) = &self.bearer {
            request = request.bearer_auth(token);
        }
        if let Some((name, value)) = &self.header {
            request = request.header(name, value);
        }
        request
    }
}

fn parsed_header(text: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':')?;
    let mut value = HeaderValue::from_str(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((HeaderName::from_bytes(name.trim().as_bytes()).ok()?, value))
}

/// An answer that is JSON, whatever its status.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// As it came.
    pub text: String,
    /// As read.
    pub json: Value,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// There is no HTTP client.
    #[error("no HTTP client: {0}; for https, SSL_CERT_FILE names a file with certificates of authorities")]
    Client(String),
    /// Not let in.
    #[error("access denied (401 Unauthorized) by {0}; see -b and ORCHESTRATOR_AUTH_USER, ORCHESTRATOR_AUTH_PASSWORD")]
    Denied(String),
    /// Nothing was asked: there is no connection.
    #[error("cannot reach {address}: {why}")]
    Unreachable {
        /// Whom.
        address: String,
        /// Why.
        why: String,
    },
    /// It was asked, and no answer came.
    #[error("no answer from {address}: {why}{}", unknown(*.is_change))]
    Lost {
        /// From whom.
        address: String,
        /// Why.
        why: String,
        /// It took too long: the next try would, too.
        is_timeout: bool,
        /// What was asked for changes something.
        is_change: bool,
    },
    /// Something else than this service's API answered, or it knows no such path.
    #[error("{address} answered {status} with something that is no JSON: {excerpt}{}", unknown(*.is_unsure))]
    NotJson {
        /// What was asked for.
        address: String,
        /// Its status.
        status: StatusCode,
        /// The beginning.
        excerpt: String,
        /// The change that was asked for may have been made all the same.
        is_unsure: bool,
    },
}

/// What a caller has to know whose change may or may not have been made.
fn unknown(is_unsure: bool) -> &'static str {
    if is_unsure { "; it may have been done all the same, look before you repeat it" } else { "" }
}

impl HttpError {
    /// Whether another try may bring an answer and does no harm. A change is asked for again only if it certainly reached
    /// nobody: done twice, a takeover goes back, and a skipped event is followed by another. (The original repeats
    /// changes, too.)
    fn is_worth_another_try(&self, is_change: bool) -> bool {
        match self {
            Self::Client(_) | Self::Denied(_) => false,
            Self::Unreachable { .. } => true,
            Self::Lost { is_timeout, .. } => !is_change && !is_timeout,
            // From proxies. There are some that answer 503, too, when the service was asked and fell silent.
            Self::NotJson { status, .. } => !is_change && matches!(status.as_u16(), 502..=504),
        }
    }
}

/// The connection to the service.
pub struct Http {
    client: reqwest::Client,
    credentials: Credentials,
    pauses: Vec<Duration>,
}

impl Http {
    /// For these base addresses. TLS is set up only when one of them asks for it, so that a machine without certificates
    /// of authorities can speak plain HTTP.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(bases: &[String], credentials: Credentials, pauses: Vec<Duration>) -> Result<Self, HttpError> {
        // reqwest brings no provider of cryptography. It fails only when one is installed already, which is as good.
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("orchestrator-client/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(CONNECTED_WITHIN)
            .tcp_keepalive(Duration::from_secs(30));
        if bases.iter().all(|base| base.starts_with("http://")) {
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| HttpError::Client(told(&error)))?;
        Ok(Self { client, credentials, pauses })
    }

    /// The status of an address; one try, one second.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn check(&self, address: &str) -> Result<StatusCode, String> {
        let request = self.request(address).timeout(CHECKED_WITHIN);
        request.send().await.map(|response| response.status()).map_err(|error| told(&error))
    }

    /// Asks until there is an answer or no hope.
    ///
    /// # Errors
    /// [`HttpError`] of the last try.
    pub async fn get(&self, url: &Url, is_change: bool) -> Result<Answer, HttpError> {
        let mut pauses = self.pauses.iter();
        loop {
            let error = match self.once(url, is_change).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match pauses.next() {
                Some(pause) if error.is_worth_another_try(is_change) => tokio::time::sleep(*pause).await,
                _ => return Err(error),
            }
        }
    }

    async fn once(&self, url: &Url, is_change: bool) -> Result<Answer, HttpError> {
        let address = masked(url.as_str());
        let failed = |error: reqwest::Error| {
            let (address, why) = (address.clone(), told(&error));
            if error.is_connect() {
                return HttpError::Unreachable { address, why };
            }
            HttpError::Lost { address, why, is_timeout: error.is_timeout(), is_change }
        };
        let mut request = self.request(url.as_str());
        if !is_change {
            request = request.timeout(READ_WITHIN);
        }
        let response = request.send().await.map_err(failed)?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Err(HttpError::Denied(address));
        }
        let moved = moved_to(&response);
        let status = response.status();
        let text = response.text().await.map_err(failed)?;
        match serde_json::from_str(&text) {
            Ok(json) => Ok(Answer { status, text, json }),
            Err(_) => {
                let excerpt = moved.unwrap_or_else(|| excerpt(&text));
                let is_unsure = is_change && status.is_server_error();
                Err(HttpError::NotJson { address, status, excerpt, is_unsure })
            }
        }
    }

    fn request(&self, address: &str) -> RequestBuilder {
        // An address may hold user and password; what is given apart from it counts more.
        let url = match Url::parse(address) {
            Ok(mut url) if self.credentials.basic.is_some() || self.credentials.bearer.is_some() => {
                // Fails for addresses that cannot have any, which is as good.
                let _has_none = url.set_username("").and_then(|()| url.set_password(None));
                url.to_string()
            }
            _ => address.to_owned(),
        };
        self.credentials.put_on(self.client.get(url).header("accept", "application/json"))
    }
}

fn moved_to(response: &Response) -> Option<String> {
    let location = response.headers().get("location")?.to_str().ok()?;
    Some(format!("it is at {}", masked(location)))
}

/// The beginning of a text, on one line.
pub fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        return "nothing".to_owned();
    }
    if line.chars().count() <= EXCERPT { line } else { line.chars().take(EXCERPT).chain(['…']).collect() }
}

/// An error with its causes, without the address, which may hold a password.
fn told(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { String::new() };
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.ends_with(&said) {
            text = if text.is_empty() { said } else { format!("{text}: {said}") };
        }
        cause = inner.source();
    }
    if text.is_empty() { "the request failed".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn environment(user: &str, password: &str, token: &str, header: &str) -> Environment {
        Environment {
            user: user.to_owned(),
            password: password.to_owned(),
            token: token.to_owned(),
            header: header.to_owned(),
            ..Environment::default()
        }
    }

    #[test]
    fn flags_count_more_than_the_environment() {
        let arguments = Arguments { auth: "eve:pa:ss".to_owned(), header: "X-A: b".to_owned(), ..Arguments::default() };
        let given = Credentials::of(&arguments, &environment("dba", "secret", "token", "X-C:d")).expect("usable");
        assert_eq!(given.basic, Some(("eve".to_owned(), "pa:ss".to_owned())));
        assert_eq!(given.bearer, None);
        assert_eq!(given.header.map(|(name, value)| (name.to_string(), value)).expect("a header").0, "x-a");
        let given = Credentials::of(&Arguments::default(), &environment("", "secret", "", "")).expect("usable");
        assert_eq!(given.basic, Some((String::new(), "secret".to_owned())));
        let given = Credentials::of(&Arguments::default(), &environment("", "", "t", "")).expect("usable");
        assert_eq!((given.basic, given.bearer.as_deref()), (None, Some("t")));
    }

    #[rstest]
    #[case(environment("dba", "", "t", ""), CredentialsError::Both)]
    #[case(environment("", "", "", "X-User"), CredentialsError::Header("ORCHESTRATOR_AUTH_USER_HEADER"))]
    #[case(environment("", "", "", "X User:dba"), CredentialsError::Header("ORCHESTRATOR_AUTH_USER_HEADER"))]
    fn unusable_credentials_are_named(#[case] environment: Environment, #[case] expected: CredentialsError) {
        assert_eq!(Credentials::of(&Arguments::default(), &environment).err(), Some(expected));
    }

    #[test]
    fn an_excerpt_is_one_short_line() {
        assert_eq!(excerpt(" 404 page\n not  found\n"), "404 page not found");
        assert_eq!(excerpt("\n"), "nothing");
        assert_eq!(excerpt(&"x".repeat(500)).chars().count(), EXCERPT + 1);
    }
}
