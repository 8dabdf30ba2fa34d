//! Host name resolution: section 7.5 of the configuration.

use std::time::Duration;

use crate::config::patterns::Pattern;
use crate::config::span;
use crate::config::table::section;

section! {
    /// How given and reported host names become the names servers are known by (spec 7.5).
    ResolveConfig, "Host name resolution" {
        /// How given names are normalised: `none` (never), `default` (unchanged), `cname` (DNS canonical name),
        /// `ip` (first resolved address, IPv4 preferred). Case-insensitive; unknown = unchanged.
        "HostnameResolveMethod" => hostname_resolve_method: String = "default".to_owned(), Live, InEffect;
        /// How a probed server names itself: `@@hostname`, `@@report_host` (if empty the probe fails), or `none`
        /// = keep the name used to connect. Case-insensitive; unknown = `none`.
        "MySQLHostnameResolveMethod" => mysql_hostname_resolve_method: String = "@@hostname".to_owned(), Live, InEffect;
        /// Minutes a resolved name is cached; stored ones are deleted after twice this. Below 1 counts as 1.
        "ExpiryHostnameResolvesMinutes" => expiry_hostname_resolves_minutes: i64 = 60, Live, InEffect;
        /// Regexp of resolved names to be refused: the original name is used and nothing is cached.
        "RejectHostnameResolvePattern" => reject_hostname_resolve_pattern: Pattern = Pattern::default(), Live, InEffect;
        /// Do not verify that the virtual name of a binlog server resolves back to it.
        "SkipBinlogServerUnresolveCheck" => skip_binlog_server_unresolve_check: bool = true, Live, InEffect;
    }
}

/// How a given host name is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostnameResolveMethod {
    /// Never, and without the stored resolves.
    None,
    /// Unchanged; stored resolves count.
    Default,
    /// The canonical name that DNS gives.
    Cname,
    /// The first address, IPv4 before IPv6.
    Ip,
}

/// How a probed server names itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MysqlHostnameResolveMethod {
    /// `@@hostname`.
    Hostname,
    /// `@@report_host`.
    ReportHost,
    /// The name used to connect.
    Keep,
}

fn parse_method(name: &str) -> Option<HostnameResolveMethod> {
    Some(match name.to_ascii_lowercase().as_str() {
        "none" => HostnameResolveMethod::None,
        "default" => HostnameResolveMethod::Default,
        "cname" => HostnameResolveMethod::Cname,
        "ip" => HostnameResolveMethod::Ip,
        _ => return None,
    })
}

fn parse_mysql_method(name: &str) -> Option<MysqlHostnameResolveMethod> {
    Some(match name.to_ascii_lowercase().as_str() {
        "@@hostname" | "hostname" | "default" => MysqlHostnameResolveMethod::Hostname,
        "@@report_host" | "report_host" => MysqlHostnameResolveMethod::ReportHost,
        "none" | "" => MysqlHostnameResolveMethod::Keep,
        _ => return None,
    })
}

pub(in crate::config) fn is_known_method(name: &str) -> bool {
    parse_method(name).is_some()
}

pub(in crate::config) fn is_known_mysql_method(name: &str) -> bool {
    parse_mysql_method(name).is_some()
}

impl ResolveConfig {
    /// How given names are normalised.
    #[must_use]
    pub fn method(&self) -> HostnameResolveMethod {
        parse_method(&self.hostname_resolve_method).unwrap_or(HostnameResolveMethod::Default)
    }

    /// How probed servers name themselves.
    #[must_use]
    pub fn mysql_method(&self) -> MysqlHostnameResolveMethod {
        parse_mysql_method(&self.mysql_hostname_resolve_method).unwrap_or(MysqlHostnameResolveMethod::Keep)
    }

    /// How long a resolved name is cached; at least a minute.
    #[must_use]
    pub fn cache_time(&self) -> Duration {
        span::minutes(self.expiry_hostname_resolves_minutes.max(1))
    }
}
