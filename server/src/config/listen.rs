//! Where the service listens. The one default that differs from the original: without authentication and without
//! an address in the file only this host can connect.

use std::fmt;

use super::{AuthMethod, Config, Effect};

/// The address to open when nobody has to say who they are and nobody asked for an open port.
const LOOPBACK: &str = "127.0.0.1:3000";

/// The address to listen on, and why it is that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveListen {
    /// `host:port` or `:port` (all addresses).
    pub address: String,
    /// Why.
    pub reason: ListenReason,
}

/// Why the service listens where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenReason {
    /// A file names the address.
    Given,
    /// The compatible default; callers have to authenticate.
    Authenticated,
    /// Neither address nor authentication is configured.
    NoAuthentication,
}

impl fmt::Display for ListenReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given => "as configured",
            Self::Authenticated => "the default",
            Self::NoAuthentication => "this host only: set ListenAddress or AuthenticationMethod to open it",
        })
    }
}

impl Config {
    /// Where to listen.
    #[must_use]
    pub fn effective_listen(&self) -> EffectiveListen {
        let (address, reason) = if self.is_given("ListenAddress") {
            (self.general.listen_address.as_str(), ListenReason::Given)
        } else if self.callers_authenticate() {
            (self.general.listen_address.as_str(), ListenReason::Authenticated)
        } else {
            (LOOPBACK, ListenReason::NoAuthentication)
        };
        EffectiveListen { address: address.to_owned(), reason }
    }

    /// Whether a stranger is kept from changing anything, by what this release does.
    fn callers_authenticate(&self) -> bool {
        let auth = &self.auth;
        let certificates =
            self.tls.use_mutual_tls && Self::key("UseMutualTLS").is_some_and(|key| key.effect == Effect::InEffect);
        let method = match auth.method() {
            Ok(AuthMethod::Open) | Err(_) => false,
            // An empty password is what every stranger has.
            Ok(AuthMethod::Basic | AuthMethod::Multi) => !auth.password.is_empty(),
            Ok(AuthMethod::Proxy | AuthMethod::Token | AuthMethod::Local) => true,
        };
        certificates || method
    }
}
