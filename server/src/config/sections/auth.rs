//! Authentication and authorisation: section 7.15 of the configuration.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;

use crate::config::password::{PasswordError, parse_hash};
use crate::config::secret::Secret;
use crate::config::table::section;

section! {
    /// Who is calling the API and what they may do (spec 7.15).
    AuthConfig, "Authentication and authorisation" {
        /// Who may call, case-insensitive: empty = everybody may do everything; `basic` = one user for
        /// everything; `multi` = that user, plus `readonly` with any password who may only read; `proxy` = user
        /// name from a trusted header; `token` = read-only until a token is acquired; `local` = users of our own who log in.
        /// The service does not start with any other.
        "AuthenticationMethod" => authentication_method: String = String::new(), Start, InEffect;
        /// User for `basic` and `multi`.
        "HTTPAuthUser" => user: String = String::new(), Live, InEffect;
        /// Its password, taken literally, or an argon2 hash of it (`$argon2id$v=19$...`).
        "HTTPAuthPassword" => password: Secret = Secret::default(), Live, InEffect;
        /// Header that carries the user in `proxy` mode, in any case. Believed from `TrustedProxies` only.
        "AuthUserHeader" => user_header: String = "X-Forwarded-User".to_owned(), Live, InEffect;
        /// `proxy` mode: users allowed to modify; `*` = every user that the proxy names, which is the default.
        "PowerAuthUsers" => power_auth_users: Vec<String> = vec!["*".to_owned()], Live, InEffect;
        /// `proxy` mode: members of these unix groups (on this host) may modify too.
        "PowerAuthGroups" => power_auth_groups: Vec<String> = Vec::new(), Live, InEffect;
        /// Seconds within which a generated token must be acquired.
        "AccessTokenUseExpirySeconds" => token_use_expiry_seconds: u64 = 60, Live, InEffect;
        /// Minutes after which an acquired token stops working.
        "AccessTokenExpiryMinutes" => token_expiry_minutes: u64 = 1440, Live, InEffect;
    }
}

/// The user of `multi` that anybody may be and that may only read.
pub const READ_ONLY_USER: &str = "readonly";

/// How callers say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// Nobody has to.
    Open,
    /// One user and password for everything.
    Basic,
    /// As `Basic`, plus a user that may only read.
    Multi,
    /// A proxy in front says who it is.
    Proxy,
    /// Read-only until a token is acquired.
    Token,
    /// Users of our own, who log in.
    Local,
}

/// What the method lets callers do, for the log at start.
impl fmt::Display for AuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "everybody may do everything",
            Self::Basic => "HTTPAuthUser is the only user, for reading and changing",
            Self::Multi => "HTTPAuthUser may do everything; user readonly, with any password, may read",
            Self::Proxy => {
                "everybody may read; users that TrustedProxies name and PowerAuthUsers or PowerAuthGroups have may change"
            }
            Self::Token => "everybody may read; whoever holds an access token may change",
            Self::Local => "users log in, each with a role",
        })
    }
}

/// `AuthenticationMethod` is nothing that callers could be told apart by. The original lets everybody do everything then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "AuthenticationMethod {given:?} {why}; expected \"local\", \"basic\", \"multi\", \"proxy\", \"token\", or \"\" to let everybody do \
     everything (with \"ReadOnly\": true, to let everybody read and nobody change anything)"
)]
pub struct UnusableMethod {
    given: String,
    why: &'static str,
}

/// The password of `HTTPAuthUser`.
#[derive(Debug)]
pub enum ExpectedPassword<'a> {
    /// It stands in the file.
    Plain(&'a Secret),
    /// Its hash does.
    Hashed(Box<PasswordHash>),
}

impl AuthConfig {
    /// The method in force. The one place that says what `AuthenticationMethod` means.
    ///
    /// # Errors
    /// [`UnusableMethod`], naming what was given and what is expected. A service does not start with it.
    pub fn method(&self) -> Result<AuthMethod, UnusableMethod> {
        let given = self.authentication_method.as_str();
        let unusable = |why| Err(UnusableMethod { given: given.to_owned(), why });
        match given.to_ascii_lowercase().as_str() {
            "" => Ok(AuthMethod::Open),
            "basic" => Ok(AuthMethod::Basic),
            "multi" => Ok(AuthMethod::Multi),
            "proxy" => Ok(AuthMethod::Proxy),
            "token" => Ok(AuthMethod::Token),
            "local" => Ok(AuthMethod::Local),
            "oauth" => unusable("is not built"),
            _ => unusable("is not known"),
        }
    }

    /// What to hold the password of a caller against.
    ///
    /// # Errors
    /// [`PasswordError`] when `HTTPAuthPassword` looks like a hash and cannot be used as one.
    pub fn expected_password(&self) -> Result<ExpectedPassword<'_>, PasswordError> {
        let hash = parse_hash(self.password.reveal())?;
        Ok(hash.map_or(ExpectedPassword::Plain(&self.password), |hash| ExpectedPassword::Hashed(Box::new(hash))))
    }
}
