//! How servers are connected to (`spec/discovery.md` 3).

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Account, time-outs and TLS towards all watched servers. Its `Debug` shows no password.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectSettings {
    /// `MySQLTopologyUser`.
    pub user: String,
    /// `MySQLTopologyPassword`, already taken from the environment where it names a variable.
    pub password: String,
    /// `MySQLConnectTimeoutSeconds`: for everything until the account is accepted.
    pub connect_timeout: Duration,
    /// `MySQLDiscoveryReadTimeoutSeconds`: for one round trip of a probe.
    pub probe_timeout: Duration,
    /// `MySQLTopologyReadTimeoutSeconds`: the most that any statement may take.
    pub statement_timeout: Duration,
    /// `MySQLConnectionLifetimeSeconds`; zero is for ever.
    pub lifetime: Duration,
    /// `MySQLTopologyMaxAllowedPacket` in bytes; `None` for the driver's default.
    pub max_allowed_packet: Option<usize>,
    /// TLS.
    pub tls: TlsSettings,
}

impl Default for ConnectSettings {
    fn default() -> Self {
        Self {
            user: String::new(),
            password: String::new(),
            connect_timeout: Duration::from_secs(2),
            probe_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(600),
            lifetime: Duration::ZERO,
            max_allowed_packet: None,
            tls: TlsSettings::default(),
        }
    }
}

impl fmt::Debug for ConnectSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectSettings")
            .field("user", &self.user)
            .field("password", &"(hidden)")
            .field("connect_timeout", &self.connect_timeout)
            .field("probe_timeout", &self.probe_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("lifetime", &self.lifetime)
            .field("max_allowed_packet", &self.max_allowed_packet)
            .field("tls", &self.tls)
            .finish()
    }
}

/// When TLS is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// Never.
    Never,
    /// Plain first, TLS where the server demands it (`MySQLTopologyUseMixedTLS`).
    #[default]
    Mixed,
    /// Always (`MySQLTopologyUseMutualTLS`).
    Always,
}

/// TLS towards watched servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// When.
    pub mode: TlsMode,
    /// `MySQLTopologySSLSkipVerify`: the server's certificate is not looked at.
    pub skip_verify: bool,
    /// `MySQLTopologySSLCAFile`. Without it certificates are checked against the public authorities if TLS is to be
    /// used always, and not at all in mixed mode, where servers use what they made for themselves.
    pub ca_file: Option<PathBuf>,
    /// `MySQLTopologySSLCertFile` and `MySQLTopologySSLPrivateKeyFile`.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// `TLSCacheTTLFactor` × `InstancePollSeconds`: in mixed mode, a server that demanded TLS is asked without it again after
    /// this time.
    pub demand_kept: Duration,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            mode: TlsMode::default(),
            skip_verify: false,
            ca_file: None,
            identity: None,
            demand_kept: Duration::from_secs(500),
        }
    }
}

impl TlsSettings {
    /// The server's certificate is verified.
    pub fn verifies(&self) -> bool {
        !self.skip_verify && (self.ca_file.is_some() || self.mode == TlsMode::Always)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_not_shown() {
        let settings = ConnectSettings { password: "s3cret".to_owned(), ..Default::default() };
        assert!(!format!("{settings:?}").contains("s3cret"));
    }

    #[test]
    fn certificates_are_verified_where_an_authority_is_known() {
        let mut tls = TlsSettings::default();
        assert!(!tls.verifies(), "mixed mode falls back to what servers make themselves");
        tls.mode = TlsMode::Always;
        assert!(tls.verifies());
        tls.skip_verify = true;
        assert!(!tls.verifies());
    }
}
