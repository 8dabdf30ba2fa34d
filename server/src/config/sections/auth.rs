//! Authentication and authorisation: section 7.15 of the configuration.

use std::fmt;

use crate::config::secret::Secret;
use crate::config::table::section;

section! {
    /// Who is calling the API and what they may do (spec 7.15).
    AuthConfig, "Authentication and authorisation" {
        /// Who may call, case-insensitive: empty = everybody may do everything; `basic` = one user for
        /// everything; `multi` = that user, plus `readonly` with any password who may only read; `proxy` = user
        /// name from a trusted header; `token` = read-only until a token is acquired; `oauth` = read-only.
        "AuthenticationMethod" => authentication_method: String = String::new(), Start, InEffect;
        /// User for `basic` and `multi`.
        "HTTPAuthUser" => user: String = String::new(), Live, InEffect;
        /// Its password, taken literally.
        "HTTPAuthPassword" => password: Secret = Secret::default(), Live, InEffect;
        /// Header that carries the user in `proxy` mode.
        "AuthUserHeader" => user_header: String = "X-Forwarded-User".to_owned(), Live, Later;
        /// `proxy` mode: users allowed to modify; `*` = everybody, which is the default.
        "PowerAuthUsers" => power_auth_users: Vec<String> = vec!["*".to_owned()], Live, Later;
        /// `proxy` mode: members of these unix groups (on this host) may modify too.
        "PowerAuthGroups" => power_auth_groups: Vec<String> = Vec::new(), Live, Later;
        /// Seconds within which a generated token must be acquired.
        "AccessTokenUseExpirySeconds" => token_use_expiry_seconds: u64 = 60, Live, Later;
        /// Minutes after which an acquired token stops working.
        "AccessTokenExpiryMinutes" => token_expiry_minutes: u64 = 1440, Live, Later;
    }
}

/// How callers say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// Nobody has to; also the answer to a name that is not known.
    Open,
    /// One user and password for everything.
    Basic,
    /// As `Basic`, plus a user that may only read.
    Multi,
    /// A proxy in front says who it is.
    Proxy,
    /// Read-only until a token is acquired.
    Token,
    /// Reserved; everything is read-only.
    OAuth,
}

impl AuthMethod {
    fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "" => Self::Open,
            "basic" => Self::Basic,
            "multi" => Self::Multi,
            "proxy" => Self::Proxy,
            "token" => Self::Token,
            "oauth" => Self::OAuth,
            _ => return None,
        })
    }

    /// Whether the name stands for a method, the empty one included.
    #[must_use]
    pub fn is_known(name: &str) -> bool {
        Self::parse(name).is_some()
    }
}

/// What this release does about callers. A method that is not built yet falls to the nearest stricter model, never
/// to an open service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessModel {
    /// Everybody may do everything.
    Open,
    /// The user and password of the file, for everything.
    Basic,
    /// Everybody may read and nobody may change anything.
    ReadOnly,
}

impl fmt::Display for AccessModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "everybody may do everything",
            Self::Basic => "HTTPAuthUser is the only user, for reading and changing",
            Self::ReadOnly => "everybody may read and nobody may change anything",
        })
    }
}

impl AuthConfig {
    /// The method asked for.
    #[must_use]
    pub fn method(&self) -> AuthMethod {
        AuthMethod::parse(&self.authentication_method).unwrap_or(AuthMethod::Open)
    }

    /// The model that is applied.
    #[must_use]
    pub fn access_model(&self) -> AccessModel {
        match self.method() {
            AuthMethod::Open => AccessModel::Open,
            AuthMethod::Basic | AuthMethod::Multi => AccessModel::Basic,
            AuthMethod::Proxy | AuthMethod::Token | AuthMethod::OAuth => AccessModel::ReadOnly,
        }
    }
}
