//! Telling callers apart.

use app::api::Role;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::caller::Caller;
use crate::config::{AuthMethod, Config};

/// The name and password that a request carries.
#[derive(Clone, PartialEq, Eq)]
struct Credentials {
    user: String,
    password: String,
}

/// The request carries no credentials, or wrong ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Not Authorized")]
pub struct Unauthenticated;

impl Unauthenticated {
    /// The challenge that goes with the answer (`spec/api.md` 1.5).
    pub const CHALLENGE: &'static str = "Basic realm=\"Authorization Required\"";
}

/// What a request tells about its caller.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// Headers of the request.
    pub headers: &'a HeaderMap,
    /// Address of the peer; empty where there is none.
    pub address: &'a str,
}

/// Who is calling, by the configuration in force.
///
/// # Errors
/// [`Unauthenticated`] when the method asks for credentials and these are not the ones.
pub fn identify_caller(config: &Config, request: Identity<'_>) -> Result<Caller, Unauthenticated> {
    let (user, may_change, because) = match config.auth.method() {
        AuthMethod::Open => (String::new(), true, ""),
        AuthMethod::Basic => {
            let given = basic_credentials(request.headers).ok_or(Unauthenticated)?;
            let auth = &config.auth;
            // Both are compared in full whatever the first says, so that the time tells nothing.
            let same_user = equal(&given.user, &auth.user);
            let same_password = equal(&given.password, auth.password.reveal());
            if !(same_user & same_password) {
                return Err(Unauthenticated);
            }
            (given.user, true, "")
        }
        // A running service cannot get here (the method is used at start only); should it, nobody may change anything.
        AuthMethod::Multi | AuthMethod::Proxy | AuthMethod::Token | AuthMethod::OAuth => {
            (String::new(), false, "the configured AuthenticationMethod is not built yet in this release")
        }
    };
    let because = if config.general.read_only { "ReadOnly is set in the configuration" } else { because };
    let role = if may_change && !config.general.read_only { Role::Admin } else { Role::Viewer };
    Ok(Caller { user, address: request.address.to_owned(), role, read_only_because: because.to_owned() })
}

/// In a time that depends on the lengths only.
fn equal(given: &str, expected: &str) -> bool {
    given.as_bytes().ct_eq(expected.as_bytes()).into()
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
