//! The checks of who may do what: what the service does not start with, and what is probably not meant.

use super::error::Problem;
use super::sections::auth::READ_ONLY_USER;
use super::{AuthMethod, Config};

/// A session lasts no longer than a year.
const MOST_MINUTES: u64 = 525_600;

/// What makes telling callers apart impossible or unsafe.
pub(super) fn problems(config: &Config) -> Vec<Problem> {
    let auth = &config.auth;
    let mut found = Vec::new();
    let mut refuse = |broken: bool, keys: &[&'static str], message: String| {
        if broken {
            found.push(Problem { keys: keys.to_vec(), message });
        }
    };
    let method = match auth.method() {
        Ok(method) => method,
        Err(error) => {
            refuse(true, &["AuthenticationMethod"], error.to_string());
            return found;
        }
    };
    match method {
        AuthMethod::Open => {}
        AuthMethod::Local => {
            let extensions = &config.extensions;
            for (name, value) in [
                ("SessionIdleMinutes", extensions.session_idle_minutes),
                ("SessionLifeMinutes", extensions.session_life_minutes),
            ] {
                refuse(
                    !(1..=MOST_MINUTES).contains(&value),
                    &[name],
                    format!("{name} is {value}; expected 1 to {MOST_MINUTES} minutes"),
                );
            }
        }
        AuthMethod::Basic | AuthMethod::Multi => {
            refuse(
                method == AuthMethod::Multi && auth.user.is_empty(),
                &["AuthenticationMethod", "HTTPAuthUser"],
                "AuthenticationMethod is \"multi\", which requires HTTPAuthUser".to_owned(),
            );
            if let Err(error) = auth.expected_password() {
                refuse(true, &["HTTPAuthPassword"], format!("HTTPAuthPassword {error}"));
            }
        }
        AuthMethod::Proxy => refuse(
            !is_header_name(&auth.user_header),
            &["AuthUserHeader"],
            format!(
                "AuthUserHeader {:?} is no name of a header; expected one such as X-Forwarded-User",
                auth.user_header
            ),
        ),
        AuthMethod::Token => {
            for (name, value) in [
                ("AccessTokenUseExpirySeconds", auth.token_use_expiry_seconds),
                ("AccessTokenExpiryMinutes", auth.token_expiry_minutes),
            ] {
                refuse(
                    value == 0,
                    &[name],
                    format!("{name} is 0, with which no access token is ever valid; expected 1 or more"),
                );
            }
        }
    }
    found
}

/// What is accepted and probably not meant.
pub(super) fn warnings(config: &Config, warn: &mut impl FnMut(bool, String)) {
    let auth = &config.auth;
    let method = match auth.method() {
        Ok(method) => method,
        Err(error) => {
            warn(true, format!("{error}. The service does not start with it"));
            return;
        }
    };
    if matches!(method, AuthMethod::Basic | AuthMethod::Multi) {
        let name = &auth.authentication_method;
        warn(
            method == AuthMethod::Basic && auth.user.is_empty(),
            format!("AuthenticationMethod is {name:?} and HTTPAuthUser is empty: the user's name is empty"),
        );
        warn(
            auth.password.is_empty(),
            format!("AuthenticationMethod is {name:?} and HTTPAuthPassword is empty: anybody can be that user"),
        );
        warn(
            method == AuthMethod::Multi && auth.user == READ_ONLY_USER,
            format!("HTTPAuthUser is {READ_ONLY_USER:?}, who may only read: nobody may change anything"),
        );
    }
    if method == AuthMethod::Proxy {
        warn(
            auth.power_auth_users.iter().any(|user| user == "*"),
            "PowerAuthUsers has \"*\": every user that the proxy names may change everything".to_owned(),
        );
        let proxies = &config.extensions.trusted_proxies;
        warn(proxies.is_empty(), "TrustedProxies is empty: nobody may change anything".to_owned());
        warn(
            proxies.hold_all(),
            "TrustedProxies has a network of all addresses: anybody can claim to be anybody".to_owned(),
        );
    }
}

/// As HTTP has it: a token (RFC 9110, 5.6.2).
fn is_header_name(text: &str) -> bool {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(is_token)
}
