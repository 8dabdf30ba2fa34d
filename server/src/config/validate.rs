//! The checks of section 9 of the configuration document: what is refused, and what is worth a warning.

use engine::recovery::FencingPolicy;

use super::error::Problem;
use super::sections::resolve;
use super::{BackendKind, Config, ConfigError, access};

/// What makes a configuration unusable whatever it is loaded for.
pub(super) fn problems(config: &Config) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut refuse = |broken: bool, keys: &[&'static str], message: String| {
        if broken {
            let keys = keys.to_vec();
            found.push(Problem { keys, message });
        }
    };
    recovery(config, &mut refuse);
    discovery(config, &mut refuse);
    ports(config, &mut refuse);
    let policy = &config.extensions.fencing_policy;
    refuse(
        FencingPolicy::parse(policy).is_none(),
        &["FencingPolicy"],
        format!("FencingPolicy is {policy:?}; expected \"required\" or \"optional\""),
    );
    let scheme = &config.kv.consul_scheme;
    refuse(
        !config.kv.consul_address.is_empty() && !["http", "https"].contains(&scheme.as_str()),
        &["ConsulScheme"],
        format!("ConsulScheme is {scheme:?}; expected \"http\" or \"https\""),
    );

    refuse(
        config.backend.kind() == BackendKind::Sqlite && config.backend.sqlite_data_file.is_empty(),
        &["SQLite3DataFile"],
        "SQLite3DataFile must be set when BackendDB is SQLite".to_owned(),
    );
    let raft = &config.raft;
    for (name, value) in [("RaftDataDir", &raft.data_dir), ("RaftBind", &raft.bind)] {
        refuse(raft.enabled && value.is_empty(), &[name], format!("{name} must be set when RaftEnabled is true"));
    }
    if let Err(reason) = check_http_advertise(&raft.http_advertise) {
        let given = &raft.http_advertise;
        refuse(true, &["HTTPAdvertise"], format!("HTTPAdvertise {given:?} {reason}; expected scheme://host:port"));
    }
    found
}

fn recovery(config: &Config, refuse: &mut impl FnMut(bool, &[&'static str], String)) {
    let recovery = &config.recovery;
    refuse(
        recovery.fail_promotion_if_applier_behind && recovery.delay_promotion_if_applier_behind,
        &["FailMasterPromotionIfSQLThreadNotUpToDate", "DelayMasterPromotionIfSQLThreadNotUpToDate"],
        "FailMasterPromotionIfSQLThreadNotUpToDate and DelayMasterPromotionIfSQLThreadNotUpToDate \
         cannot both be true"
            .to_owned(),
    );
    let lag_query = &config.classification.replication_lag_query;
    refuse(
        recovery.fail_promotion_on_lag_minutes > 0 && lag_query.is_empty(),
        &["FailMasterPromotionOnLagMinutes", "ReplicationLagQuery"],
        "FailMasterPromotionOnLagMinutes requires ReplicationLagQuery".to_owned(),
    );
}

fn discovery(config: &Config, refuse: &mut impl FnMut(bool, &[&'static str], String)) {
    let discovery = &config.discovery;
    let factor = discovery.dead_instance_poll_factor;
    refuse(
        factor < 1.0,
        &["DeadInstancePollSecondsMultiplyFactor"],
        format!("DeadInstancePollSecondsMultiplyFactor is {factor}; it must be at least 1"),
    );
    let longest = discovery.dead_instance_poll_seconds_max;
    let poll = discovery.instance_poll_seconds;
    refuse(
        longest < poll,
        &["DeadInstancePollSecondsMax", "InstancePollSeconds"],
        format!("DeadInstancePollSecondsMax ({longest}) is below InstancePollSeconds ({poll})"),
    );
}

/// The original takes any number and fails later; a port that does not exist is refused where it would be used.
fn ports(config: &Config, refuse: &mut impl FnMut(bool, &[&'static str], String)) {
    let valid = |port: Option<u16>| port.is_some_and(|port| port != 0);
    let mut check = |used: bool, name: &'static str, port: Option<u16>, given: String| {
        let message = format!("{name} is {given}; a port is a number from 1 to 65535");
        refuse(used && !valid(port), &[name], message);
    };
    let default_port = config.general.default_instance_port;
    check(true, "DefaultInstancePort", u16::try_from(default_port).ok(), default_port.to_string());
    let backend_port = config.backend.port;
    check(
        config.backend.kind() == BackendKind::Mysql,
        "MySQLOrchestratorPort",
        u16::try_from(backend_port).ok(),
        backend_port.to_string(),
    );
    let raft_port = config.raft.default_port;
    check(config.raft.enabled, "DefaultRaftPort", u16::try_from(raft_port).ok(), raft_port.to_string());
}

/// Checks `scheme://host:port` in the order of the document; an empty text is fine.
fn check_http_advertise(url: &str) -> Result<(), &'static str> {
    if url.is_empty() {
        return Ok(());
    }
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("cannot be read as a URL");
    }
    let (scheme, rest) = url.split_once("://").ok_or("has no scheme")?;
    if scheme.is_empty() {
        return Err("has no scheme");
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
    // The port stands after the last colon, unless that one is inside an IPv6 literal.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, ""),
    };
    if host.is_empty() {
        return Err("has no host");
    }
    if port.is_empty() {
        return Err("has no port");
    }
    if port.parse::<u16>().is_err() {
        return Err("has a port that is no number from 0 to 65535");
    }
    if !path.is_empty() {
        return Err("has a path");
    }
    Ok(())
}

impl Config {
    /// Further checks for the long-running service, beyond those of [`super::load`] that a single command also needs.
    ///
    /// # Errors
    /// What would make the service unusable or unsafe, by the names of the variables.
    pub fn check_service(&self) -> Result<(), ConfigError> {
        let mut found = access::problems(self);
        // Nodes of a group that do not know of each other would each recover the same failure.
        if self.raft.enabled && !in_effect("RaftEnabled") {
            found.push(Problem {
                keys: vec!["RaftEnabled"],
                message: "RaftEnabled is true, but this release does not form groups: its nodes would \
                          act independently of each other. Set it to false and run one node"
                    .to_owned(),
            });
        }
        if found.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(found)) }
    }
}

fn in_effect(name: &str) -> bool {
    Config::key(name).is_some_and(|key| key.effect == super::Effect::InEffect)
}

/// What is accepted and probably not meant.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let mut found: Vec<String> =
        config.complaints().into_iter().map(|(name, text)| format!("{name}: {text}")).collect();
    let mut warn = |odd: bool, text: String| {
        if odd {
            found.push(text);
        }
    };
    enumerations(config, &mut warn);
    without_effect(config, &mut warn);
    access::warnings(config, &mut warn);
    tls(config, &mut warn);
    found
}

fn enumerations(config: &Config, warn: &mut impl FnMut(bool, String)) {
    let method = &config.resolve.hostname_resolve_method;
    warn(
        !resolve::is_known_method(method),
        format!("HostnameResolveMethod {method:?} is not known; names stay unchanged"),
    );
    let method = &config.resolve.mysql_hostname_resolve_method;
    warn(
        !resolve::is_known_mysql_method(method),
        format!("MySQLHostnameResolveMethod {method:?} is not known; names stay as they were given"),
    );
    let provider = &config.kv.consul_kv_store_provider;
    let known = ["consul", "consul-txn", "consul_txn"];
    warn(
        !known.contains(&provider.to_ascii_lowercase().as_str()),
        format!("ConsulKVStoreProvider {provider:?} is not known; consul is used"),
    );
    let identity = &config.general.prepend_messages_with_identity;
    warn(
        !["", "none", "FQDN", "hostname", "custom"].contains(&identity.as_str()),
        format!("PrependMessagesWithOrcIdentity {identity:?} is not known; messages get no prefix"),
    );
}

fn without_effect(config: &Config, warn: &mut impl FnMut(bool, String)) {
    warn(
        config.discovery.instance_poll_seconds == 0,
        "InstancePollSeconds is 0; servers are probed every second".to_owned(),
    );
    let operations = config.discovery.max_concurrent_replica_operations;
    warn(operations < 1, format!("MaxConcurrentReplicaOperations is {operations}; 1 is used"));
    let minutes = config.resolve.expiry_hostname_resolves_minutes;
    warn(minutes < 1, format!("ExpiryHostnameResolvesMinutes is {minutes}; 1 is used"));
    warn(
        config.is_given("RecoveryPeriodBlockMinutes")
            && !config.is_given("RecoveryPeriodBlockSeconds")
            && config.obsolete.recovery_period_block_minutes != 60,
        "RecoveryPeriodBlockMinutes has no effect beside the default of RecoveryPeriodBlockSeconds; \
         set that one"
            .to_owned(),
    );
    warn(
        config.is_given("DetachLostReplicasAfterMasterFailover")
            && !config.is_given("DetachLostSlavesAfterMasterFailover")
            && config.obsolete.detach_lost_replicas,
        "DetachLostReplicasAfterMasterFailover alone has no effect: it is true through its old name; \
         set DetachLostSlavesAfterMasterFailover to false to switch it off"
            .to_owned(),
    );
    warn(
        config.kv.consul_cross_data_center_distribution && config.kv.consul_address.is_empty(),
        "ConsulCrossDataCenterDistribution has no effect without ConsulAddress".to_owned(),
    );
}

fn tls(config: &Config, warn: &mut impl FnMut(bool, String)) {
    let tls = &config.tls;
    warn(
        tls.use_ssl && !config.general.listen_socket.is_empty(),
        "UseSSL has no effect beside ListenSocket: a socket of this machine speaks plain HTTP".to_owned(),
    );
    warn(tls.use_mutual_tls && tls.valid_ous.is_empty(), "UseMutualTLS without SSLValidOUs admits nobody".to_owned());
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", Ok(()))]
    #[case("https://node1.example:3000", Ok(()))]
    #[case("http://[2001:db8::1]:3000", Ok(()))]
    #[case("node1:3000", Err("has no scheme"))]
    #[case("://node1:3000", Err("has no scheme"))]
    #[case("http://:3000", Err("has no host"))]
    #[case("http://node1", Err("has no port"))]
    #[case("http://[2001:db8::1]", Err("has no port"))]
    #[case("http://node1:http", Err("has a port that is no number from 0 to 65535"))]
    #[case("http://node1:3000/", Err("has a path"))]
    #[case("http://node1:3000/web", Err("has a path"))]
    #[case("http://no de:3000", Err("cannot be read as a URL"))]
    fn http_advertise(#[case] url: &str, #[case] expected: Result<(), &'static str>) {
        assert_eq!(check_http_advertise(url), expected);
    }
}
