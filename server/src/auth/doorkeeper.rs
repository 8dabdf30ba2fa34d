//! Telling callers apart.

use std::net::SocketAddr;

use app::api::Role;
use axum::http::{HeaderMap, HeaderName, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;

use super::caller::Caller;
use super::groups::Groups;
use super::origin::{client_address, is_from_trusted_proxy};
use super::passwords::{Passwords, TooBusy};
use super::tokens::{NotHeld, Tokens};
use crate::config::{AuthConfig, AuthMethod, Config, READ_ONLY_USER};
use crate::store::Store;

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
}

impl Refusal {
    /// The challenge that goes with [`Refusal::Unauthenticated`] (`spec/api.md` 1.5).
    pub const CHALLENGE: &'static str = "Basic realm=\"Authorization Required\"";
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
}

/// Identifies callers by the configuration in force. One for the whole service: it knows who proved what a moment ago.
pub struct Doorkeeper {
    passwords: Passwords,
    groups: Groups,
    tokens: Tokens,
}

impl Doorkeeper {
    /// A doorkeeper who finds access tokens in this backend.
    pub fn new(store: Store) -> Self {
        Self { passwords: Passwords::new(), groups: Groups::new(), tokens: Tokens::new(store) }
    }

    /// Who is calling, by the configuration in force.
    ///
    /// # Errors
    /// [`Refusal`] when the method asks for credentials and these are not the ones, or cannot be checked now.
    pub async fn identify(&self, config: &Config, request: Identity<'_>) -> Result<Caller, Refusal> {
        let standing = match config.auth.method() {
            Ok(AuthMethod::Open) => Standing { user: String::new(), may_change: Ok(()) },
            Ok(AuthMethod::Basic) => self.holder_of_password(&config.auth, request.headers, false).await?,
            Ok(AuthMethod::Multi) => self.holder_of_password(&config.auth, request.headers, true).await?,
            Ok(AuthMethod::Proxy) => self.named_by_proxy(config, request).await,
            Ok(AuthMethod::Token) => self.holder_of_token(&config.auth, request.headers).await,
            // A service does not start with it; should one run, nobody gets in.
            Err(_) => return Err(Refusal::Unauthenticated),
        };
        let may_change = if config.general.read_only {
            Err("ReadOnly is set in the configuration: nobody may change anything here".to_owned())
        } else {
            standing.may_change
        };
        Ok(Caller {
            user: standing.user,
            address: client_address(&config.extensions.trusted_proxies, request),
            method: config.auth.authentication_method.to_ascii_lowercase(),
            role: if may_change.is_ok() { Role::Admin } else { Role::Viewer },
            read_only_because: may_change.err().unwrap_or_default(),
        })
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
            return Ok(Standing { user: given.user, may_change: Err(why) });
        }
        if !self.passwords.are_right(auth, &given).await? {
            return Err(Refusal::Unauthenticated);
        }
        Ok(Standing { user: given.user, may_change: Ok(()) })
    }

    /// `proxy`: the header counts from a trusted proxy only, and no name is nobody, also where everybody has the power.
    async fn named_by_proxy(&self, config: &Config, request: Identity<'_>) -> Standing {
        let auth = &config.auth;
        let nobody = |why: &str| Standing { user: String::new(), may_change: Err(why.to_owned()) };
        if !is_from_trusted_proxy(&config.extensions.trusted_proxies, request.peer) {
            return nobody(
                "this request came past the proxy; users that log in there (TrustedProxies) may change things",
            );
        }
        let Some(user) = proxied_user(&auth.user_header, request.headers) else {
            return nobody("the proxy names no user; users that log in there may change things");
        };
        let listed = auth.power_auth_users.iter().any(|power| power == "*" || *power == user);
        if listed || self.groups.has_member(&auth.power_auth_groups, &user).await {
            return Standing { user, may_change: Ok(()) };
        }
        let why = format!("{user} may only look; {}", who_has_power(auth));
        Standing { user, may_change: Err(why) }
    }

    /// `token`: everybody may look.
    async fn holder_of_token(&self, auth: &AuthConfig, headers: &HeaderMap) -> Standing {
        match self.tokens.holder(auth, headers, Utc::now()).await {
            Ok(user) => Standing { user, may_change: Ok(()) },
            Err(why @ NotHeld::Unavailable) => Standing { user: String::new(), may_change: Err(why.to_string()) },
            Err(why) => {
                let could = "whoever opens web/access-token?publicToken=TOKEN may, with a TOKEN of `orchestrator -c access-token`";
                Standing { user: String::new(), may_change: Err(format!("{why}; {could}")) }
            }
        }
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

/// The name under which a request asks to be let in, true or not; empty when it gives none.
pub fn claimed_user(headers: &HeaderMap) -> String {
    basic_credentials(headers).map(|given| given.user).unwrap_or_default()
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
