//! Telling callers apart.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use app::api::Role;
use axum::http::{HeaderMap, HeaderName, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;

use super::bearer::{self, NoToken, Presented};
use super::caller::Caller;
use super::groups::Groups;
use super::origin::{client_address, is_from_trusted_proxy};
use super::passwords::{Passwords, TooBusy};
use super::tokens::{NotHeld, Tokens};
use crate::accounts::{Accounts, Grant, Pass};
use crate::config::{AuthConfig, AuthMethod, Config, READ_ONLY_USER};
use crate::store::{SessionRecord, Store, TokenRecord};

/// What stands for the method with tokens made on the command line: whoever may run it may do everything.
pub const COMMAND_LINE: &str = "cli";

/// The name and password that a request carries.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

/// The request gets no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It carries no credentials, or wrong ones.
    #[error("Not Authorized")]
    Unauthenticated,
    /// Too many passwords are being checked; try again in a second.
    #[error("too many logins at once; try again in a second")]
    TooBusy,
    /// It carries an API token that is none, or none any more.
    #[error("this API token is unknown, revoked or ended, or its maker is gone")]
    BadToken,
    /// Users log in here, and nobody has.
    #[error("log in first")]
    SignedOut,
}

impl Refusal {
    /// The challenge that goes with [`Refusal::Unauthenticated`] (`spec/api.md` 1.5).
    pub const CHALLENGE: &'static str = "Basic realm=\"Authorization Required\"";

    /// The challenge where users log in and tokens count: no browser asks for a password by itself then.
    pub const BEARER: &'static str = "Bearer realm=\"orchestrator\"";

    /// The challenge for a token that is not good.
    pub const BAD_TOKEN: &'static str = "Bearer realm=\"orchestrator\", error=\"invalid_token\"";
}

impl From<TooBusy> for Refusal {
    fn from(_: TooBusy) -> Self {
        Self::TooBusy
    }
}

/// What a request tells about its caller.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// Headers of the request.
    pub headers: &'a HeaderMap,
    /// The other end of the connection; `None` where there is none (a test).
    pub peer: Option<SocketAddr>,
}

/// Who somebody is, and whether they may change anything, or else who could: the configuration's `ReadOnly` is not looked at yet.
struct Standing {
    user: String,
    may_change: Result<(), String>,
    /// What they may do at most; everything when `None`.
    grant: Option<Grant>,
    pass: Option<Pass>,
    token_name: String,
    session: Option<SessionRecord>,
    signed_out: bool,
}

impl Standing {
    /// Somebody who may do everything.
    fn may_change(user: String) -> Self {
        Self::new(user, Ok(()))
    }

    /// Somebody who may only look, and why.
    fn may_look(user: String, why: String) -> Self {
        Self::new(user, Err(why))
    }

    fn new(user: String, may_change: Result<(), String>) -> Self {
        let token_name = String::new();
        Self { user, may_change, grant: None, pass: None, token_name, session: None, signed_out: false }
    }
}

/// Identifies callers by the configuration in force. One for the whole service: it knows who proved what a moment ago.
pub struct Doorkeeper {
    passwords: Passwords,
    groups: Groups,
    tokens: Tokens,
    accounts: Arc<Accounts>,
}

impl Doorkeeper {
    /// A doorkeeper who finds access tokens in this backend, and users and API tokens here.
    pub fn new(store: Store, accounts: Arc<Accounts>) -> Self {
        Self { passwords: Passwords::new(), groups: Groups::new(), tokens: Tokens::new(store), accounts }
    }

    /// Who is calling, by the configuration in force. A session is the one that the request's cookie stands for.
    ///
    /// # Errors
    /// [`Refusal`] when the method asks for credentials and these are not the ones, or cannot be checked now.
    pub async fn identify(
        &self,
        config: &Config,
        request: Identity<'_>,
        session: Option<SessionRecord>,
    ) -> Result<Caller, Refusal> {
        let address = client_address(&config.extensions.trusted_proxies, request);
        let (standing, method) = match bearer::presented(request.headers) {
            Some(token) => (self.holder_of_api_token(config, token, &address).await?, "api-token".to_owned()),
            None => {
                let standing = self.by_method(config, request, session).await?;
                (standing, config.auth.authentication_method.to_ascii_lowercase())
            }
        };
        Ok(caller(config, standing, method, address))
    }

    /// Who is calling without an API token.
    async fn by_method(
        &self,
        config: &Config,
        request: Identity<'_>,
        session: Option<SessionRecord>,
    ) -> Result<Standing, Refusal> {
        Ok(match config.auth.method() {
            Ok(AuthMethod::Open) => Standing::may_change(String::new()),
            Ok(AuthMethod::Basic) => self.holder_of_password(&config.auth, request.headers, false).await?,
            Ok(AuthMethod::Multi) => self.holder_of_password(&config.auth, request.headers, true).await?,
            Ok(AuthMethod::Proxy) => self.named_by_proxy(config, request).await,
            Ok(AuthMethod::Token) => self.holder_of_token(&config.auth, request.headers).await,
            Ok(AuthMethod::Local) => self.holder_of_session(session),
            // A service does not start with it; should one run, nobody gets in.
            Err(_) => return Err(Refusal::Unauthenticated),
        })
    }

    /// `local`: somebody without a session gets the page to log in, and nothing else.
    fn holder_of_session(&self, session: Option<SessionRecord>) -> Standing {
        let known = session.and_then(|session| Some((self.accounts.user(&session.user)?, session)));
        let Some((user, session)) = known else {
            return Standing { signed_out: true, ..Standing::may_look(String::new(), "log in first".to_owned()) };
        };
        Standing {
            grant: Some(user.grant()),
            pass: Some(Pass::Session(session.id.clone())),
            session: Some(session),
            ..Standing::may_change(user.name)
        }
    }

    /// An API token counts with every method, and for no more than its maker may do now.
    async fn holder_of_api_token(
        &self,
        config: &Config,
        presented: Result<Presented, NoToken>,
        address: &str,
    ) -> Result<Standing, Refusal> {
        let now = Utc::now();
        let presented = presented.map_err(|NoToken| Refusal::BadToken)?;
        let token = self.accounts.token(&presented.id).filter(|token| presented.is(&token.secret_hash));
        let token = token.filter(|token| token.is_alive(now)).ok_or(Refusal::BadToken)?;
        let makers = self.grant_of_maker(config, &token).await.map_err(|_gone| Refusal::BadToken)?;
        self.accounts.use_token(&token.id, address, now);
        Ok(Standing {
            grant: Some(token.grant().and(&makers)),
            pass: Some(Pass::Token(token.id)),
            token_name: token.name,
            ..Standing::may_change(token.owner)
        })
    }

    /// What the maker of a token may do now.
    ///
    /// # Errors
    /// Why nothing any more, for people.
    pub async fn grant_of_maker(&self, config: &Config, token: &TokenRecord) -> Result<Grant, String> {
        let (maker, method) = (&token.owner, config.auth.authentication_method.to_ascii_lowercase());
        if token.owner_method == COMMAND_LINE {
            return Ok(Grant::everything());
        }
        if token.owner_method != method {
            let made = &token.owner_method;
            return Err(format!("it was made with AuthenticationMethod {made:?}, which is {method:?} now"));
        }
        let all_or_look = |all: bool| Ok(if all { Grant::everything() } else { Grant::looking() });
        match config.auth.method() {
            Ok(AuthMethod::Local) => {
                self.accounts.user(maker).map(|user| user.grant()).ok_or_else(|| format!("its maker {maker} is gone"))
            }
            Ok(AuthMethod::Open) => Ok(Grant::everything()),
            Ok(AuthMethod::Multi) if maker == READ_ONLY_USER => Ok(Grant::looking()),
            Ok(AuthMethod::Basic | AuthMethod::Multi) if *maker == config.auth.user => Ok(Grant::everything()),
            Ok(AuthMethod::Proxy) => all_or_look(self.has_power(&config.auth, maker).await),
            _ => Err(format!("its maker {maker} is gone")),
        }
    }

    /// `proxy`: the user is in one of the two lists.
    async fn has_power(&self, auth: &AuthConfig, user: &str) -> bool {
        let listed = auth.power_auth_users.iter().any(|power| power == "*" || power == user);
        listed || self.groups.has_member(&auth.power_auth_groups, user).await
    }

    /// `basic`, and `multi` with `anybody_may_look`.
    async fn holder_of_password(
        &self,
        auth: &AuthConfig,
        headers: &HeaderMap,
        anybody_may_look: bool,
    ) -> Result<Standing, Refusal> {
        let given = basic_credentials(headers).ok_or(Refusal::Unauthenticated)?;
        // Also when HTTPAuthUser has this very name: nobody gets more by it than everybody.
        if anybody_may_look && given.user == READ_ONLY_USER {
            let why =
                format!("user {READ_ONLY_USER} may only look; HTTPAuthUser of the configuration may change things");
            return Ok(Standing::may_look(given.user, why));
        }
        if !self.passwords.are_right(auth, &given).await? {
            return Err(Refusal::Unauthenticated);
        }
        Ok(Standing::may_change(given.user))
    }

    /// `proxy`: the header counts from a trusted proxy only, and no name is nobody, also where everybody has the power.
    async fn named_by_proxy(&self, config: &Config, request: Identity<'_>) -> Standing {
        let auth = &config.auth;
        let nobody = |why: &str| Standing::may_look(String::new(), why.to_owned());
        if !is_from_trusted_proxy(&config.extensions.trusted_proxies, request.peer) {
            return nobody(
                "this request came past the proxy; users that log in there (TrustedProxies) may change things",
            );
        }
        let Some(user) = proxied_user(&auth.user_header, request.headers) else {
            return nobody("the proxy names no user; users that log in there may change things");
        };
        if self.has_power(auth, &user).await {
            return Standing::may_change(user);
        }
        let why = format!("{user} may only look; {}", who_has_power(auth));
        Standing::may_look(user, why)
    }

    /// `token`: everybody may look.
    async fn holder_of_token(&self, auth: &AuthConfig, headers: &HeaderMap) -> Standing {
        match self.tokens.holder(auth, headers, Utc::now()).await {
            Ok(user) => Standing::may_change(user),
            Err(why @ NotHeld::Unavailable) => Standing::may_look(String::new(), why.to_string()),
            Err(why) => {
                let could = "whoever opens web/access-token?publicToken=TOKEN may, with a TOKEN of `orchestrator -c access-token`";
                Standing::may_look(String::new(), format!("{why}; {could}"))
            }
        }
    }
}

/// `ReadOnly` stands above what anybody may do.
fn caller(config: &Config, standing: Standing, method: String, address: String) -> Caller {
    let may_change = if config.general.read_only {
        Err("ReadOnly is set in the configuration: nobody may change anything here".to_owned())
    } else {
        standing.may_change
    };
    let grant = standing.grant.unwrap_or_else(Grant::everything);
    Caller {
        user: standing.user,
        address,
        method,
        role: if may_change.is_ok() { grant.role } else { Role::Viewer },
        read_only_because: may_change.err().unwrap_or_default(),
        limit: grant.limit,
        signed_out: standing.signed_out,
        pass: standing.pass,
        token_name: standing.token_name,
        csrf_token: standing.session.as_ref().map(|session| session.csrf_token.clone()),
        session_ends: standing.session.map(|session| session.ends),
        since: Instant::now(),
    }
}

/// The names in the configuration, for a user who has logged in.
fn who_has_power(auth: &AuthConfig) -> String {
    let list = |names: &[String]| if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
    format!(
        "PowerAuthUsers ({}) and members of PowerAuthGroups ({}) may change things",
        list(&auth.power_auth_users),
        list(&auth.power_auth_groups)
    )
}

/// The user that the header names. Two of them are none: a proxy that adds its own to the client's lets the client choose.
fn proxied_user(name: &str, headers: &HeaderMap) -> Option<String> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let mut values = headers.get_all(name).iter();
    let (value, more) = (values.next()?, values.next());
    let user = std::str::from_utf8(value.as_bytes()).ok()?.trim();
    (more.is_none() && !user.is_empty()).then(|| user.to_owned())
}

/// The name under which a request asks to be let in with name and password, for the audit.
pub fn claimed_user(headers: &HeaderMap, known: &str) -> String {
    let given = basic_credentials(headers).map(|given| given.user).unwrap_or_default();
    shown_user(&given, given == known || given == READ_ONLY_USER)
}

/// A name that somebody could not prove, in quotes. One that is nobody's may be a password that was typed into the wrong field, and
/// everybody who looks at the audit would read it: its beginning is enough to be recognised by whoever typed it.
pub fn shown_user(given: &str, is_known: bool) -> String {
    let plain = |count: usize| given.chars().filter(|sign| !sign.is_control()).take(count).collect::<String>();
    let shown = if is_known { plain(64) } else { plain(3) };
    if shown.len() < given.len() { format!("{:?}", format!("{shown}...")) } else { format!("{shown:?}") }
}

fn basic_credentials(headers: &HeaderMap) -> Option<Credentials> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some(Credentials { user: user.to_owned(), password: password.to_owned() })
}
