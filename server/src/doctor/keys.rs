//! What is said of a configuration: which keys act differently here, which do nothing, and what is odd about the file.

use super::report::{Advice, Weight};
use crate::config::{AuthMethod, Config, Effect, Loaded};

/// Something that differs where the configuration is so.
struct Difference {
    /// The variable that it is about.
    key: &'static str,
    /// It matters with this configuration.
    when: fn(&Config) -> bool,
    weight: Weight,
    text: &'static str,
}

const fn note(key: &'static str, when: fn(&Config) -> bool, text: &'static str) -> Difference {
    Difference { key, when, weight: Weight::Note, text }
}

const fn must(key: &'static str, when: fn(&Config) -> bool, text: &'static str) -> Difference {
    Difference { key, when, weight: Weight::Must, text }
}

const DIFFERENCES: &[Difference] = &[
    note(
        "ListenAddress",
        |c| !c.is_given("ListenAddress") && c.auth.method() == Ok(AuthMethod::Open),
        "is not given, and neither is AuthenticationMethod: only this machine can connect (127.0.0.1:3000), where the original \
         listens on all addresses",
    ),
    note(
        "RecoverMasterClusterFilters",
        |c| !c.recovery.recover_primary_filters.is_empty(),
        "a failover that would lose writes known to exist is refused and names them, where the original promotes; \
         AcceptDataLoss sets what may be lost",
    ),
    note(
        "RecoverMasterClusterFilters",
        |c| !c.recovery.recover_primary_filters.is_empty(),
        "at most RecoveryBudgetCount recoveries within RecoveryBudgetSeconds begin by themselves, and none when more than \
         RecoveryStormClusters clusters fail at once; the original has no limit",
    ),
    note(
        "RecoverMasterClusterFilters",
        |c| !c.recovery.recover_primary_filters.is_empty(),
        "a failed source that comes back is made super-read-only at once; FenceReturningSource: false leaves it writable, as the \
         original does",
    ),
    note(
        "DelayMasterPromotionIfSQLThreadNotUpToDate",
        |c| {
            !c.recovery.delay_promotion_if_applier_behind
                && !c.recovery.fail_promotion_if_applier_behind
                && !c.recovery.recover_primary_filters.is_empty()
        },
        "is off, and a promotion waits for relay logs all the same",
    ),
    note(
        "HookTimeoutSeconds",
        has_hooks,
        "hooks are killed after 60 s (PostHookTimeoutSeconds: after 600 s behind a recovery), where the original waits for ever; 0 \
         brings that back",
    ),
    note(
        "ProcessesShellCommand",
        has_hooks,
        "characters of {placeholders} that a shell could take for more than text become _, where the original puts them into the \
         script as they are; variables (ORC_...) have them unchanged",
    ),
    note(
        "RecoverNonWriteableMaster",
        |c| c.recovery.recover_non_writeable_primary,
        "a read-only source is not made writable beside another writer, nor one that was replaced",
    ),
    note(
        "ConsulScheme",
        |c| !c.kv.consul_address.is_empty() && c.kv.consul_scheme.eq_ignore_ascii_case("https"),
        "Consul's certificate is verified, where the original takes any; ConsulCAFile names an authority, ConsulSSLSkipVerify \
         brings the old way back",
    ),
    note(
        "AuthUserHeader",
        |c| c.auth.method() == Ok(AuthMethod::Proxy),
        "the header is believed from addresses in TrustedProxies only, which are those of this machine unless set",
    ),
    note(
        "PowerAuthUsers",
        |c| c.auth.method() == Ok(AuthMethod::Proxy),
        "a request without the header is nobody, also where everybody (*) has the power",
    ),
    note(
        "AuthenticationMethod",
        |c| c.auth.method() == Ok(AuthMethod::Open),
        "is not given: everybody who can connect may do everything, as in the original, but for browsers that come from other sites",
    ),
    note(
        "MySQLTopologySSLCAFile",
        |c| !c.topology.ssl_ca_file.is_empty() && !c.topology.ssl_skip_verify,
        "is used to verify the servers' certificates, where the original verifies them against the system's authorities",
    ),
    note(
        "AuditToBackendDB",
        |c| c.is_given("AuditToBackendDB") && !c.audit.to_backend_db,
        "is false: the audit is in AuditLogFile, syslog or the log only, and the page shows none of it; leave the variable out to keep \
         it in the backend as well",
    ),
    note(
        "SlaveLagQuery",
        |c| c.is_given("SlaveLagQuery") || c.is_given("PostponeSlaveRecoveryOnLagMinutes"),
        "old names still count, and changing them at a reload is no contradiction any more",
    ),
    must(
        "RaftEnabled",
        |c| c.raft.enabled && is_later("RaftEnabled"),
        "this release does not form groups and does not start with it: set it to false and run one node, or wait",
    ),
    must(
        "UseSSL",
        |c| c.tls.use_ssl && is_later("UseSSL"),
        "this release speaks plain HTTP: put a proxy with TLS in front, and let it listen on this machine only",
    ),
    must(
        "ServeAgentsHttp",
        |c| c.agents.serve,
        "agents on database hosts are not supported: nothing that depends on them works",
    ),
];

fn has_hooks(config: &Config) -> bool {
    let hooks = &config.hooks;
    [
        &hooks.on_failure_detection,
        &hooks.pre_graceful_takeover,
        &hooks.pre_failover,
        &hooks.post_primary_failover,
        &hooks.post_intermediate_source_failover,
        &hooks.post_failover,
        &hooks.post_unsuccessful_failover,
        &hooks.post_graceful_takeover,
        &hooks.post_take_primary,
    ]
    .iter()
    .any(|list| !list.list().is_empty())
}

fn is_later(name: &str) -> bool {
    Config::key(name).is_some_and(|key| key.effect == Effect::Later)
}

/// About a configuration that was read.
pub fn advice(loaded: &Loaded) -> Vec<Advice> {
    let config = &loaded.config;
    let mut advice: Vec<Advice> = DIFFERENCES
        .iter()
        .filter(|difference| (difference.when)(config))
        .map(|d| Advice { weight: d.weight, text: format!("{}: {}", d.key, d.text), statements: Vec::new() })
        .collect();
    let said = |name: &str, advice: &[Advice]| advice.iter().any(|one| one.text.starts_with(&format!("{name}:")));
    for name in &loaded.not_in_effect {
        let Some(key) = Config::key(name).filter(|_| !said(name, &advice)) else { continue };
        advice.push(Advice::note(match key.effect {
            Effect::Later => format!("{name}: is not built in this release and does nothing"),
            _ => format!("{name}: does nothing. {}", key.meaning()),
        }));
    }
    advice.extend(loaded.warnings.iter().map(Advice::note));
    if let Err(error) = config.check_service()
        && !said("RaftEnabled", &advice)
    {
        advice.push(Advice::must(format!("the service would not start: {error}")));
    }
    if advice.iter().all(|one| one.weight == Weight::Fine) {
        advice.push(Advice::fine("acts as in the original"));
    }
    advice.sort_by_key(|one| std::cmp::Reverse(one.weight));
    advice
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn told(settings: &str) -> Vec<Advice> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("orchestrator.conf.json");
        let text = format!("{{\"BackendDB\": \"sqlite\", \"SQLite3DataFile\": \"/tmp/x.db\"{settings}}}");
        std::fs::write(&file, text).expect("written");
        let sources = crate::config::Sources::of_process(Some(file));
        advice(&crate::config::load(&sources).expect("valid"))
    }

    const OPEN: &str = ", \"ListenAddress\": \":3000\", \"AuthenticationMethod\": \"basic\", \"HTTPAuthUser\": \"a\", \
                        \"HTTPAuthPassword\": \"b\"";

    #[rstest]
    #[case("", "ListenAddress: is not given")]
    #[case(", \"ListenAddress\": \":3000\"", "AuthenticationMethod: is not given")]
    #[case(", \"RecoverMasterClusterFilters\": [\"*\"]", "AcceptDataLoss sets what may be lost")]
    #[case(", \"RecoverMasterClusterFilters\": [\"*\"]", "a promotion waits for relay logs")]
    #[case(", \"PostFailoverProcesses\": [\"echo\"]", "hooks are killed after 60 s")]
    #[case(", \"ConsulAddress\": \"c:8500\", \"ConsulScheme\": \"https\"", "certificate is verified")]
    #[case(", \"AuthenticationMethod\": \"proxy\"", "TrustedProxies only")]
    #[case(", \"MySQLTopologySSLCAFile\": \"/x.pem\"", "used to verify")]
    #[case(", \"SeedAcceptableBytesDiff\": 1", "SeedAcceptableBytesDiff: does nothing")]
    #[case(", \"AgentPollMinutes\": 5", "AgentPollMinutes: is not built in this release")]
    #[case(", \"DiscoveryPollSeconds\": 5", "is no variable any more")]
    #[case(", \"InstancePolSeconds\": 5", "did you mean InstancePollSeconds?")]
    #[case(", \"RecoveryPeriodBlockMinutes\": 5", "set that one")]
    #[case(", \"HostnameResolveMethod\": \"x\"", "is not known; names stay unchanged")]
    fn what_differs_is_told(#[case] settings: &str, #[case] part: &str) {
        let advice = told(settings);
        assert!(advice.iter().any(|one| one.text.contains(part)), "{part}: {advice:?}");
    }

    #[rstest]
    #[case(", \"ServeAgentsHttp\": true", "agents on database hosts")]
    #[case(", \"AuthenticationMethod\": \"oauth\"", "the service would not start")]
    fn what_must_be_done_comes_first(#[case] settings: &str, #[case] part: &str) {
        let first = told(settings).remove(0);
        assert_eq!(first.weight, Weight::Must);
        assert!(first.text.contains(part), "{part}: {first:?}");
    }

    #[test]
    fn a_group_is_told_once() {
        let raft = ", \"RaftEnabled\": true, \"RaftDataDir\": \"/tmp\", \"RaftBind\": \"127.0.0.1\"";
        let about = |advice: &Advice| advice.text.contains("RaftEnabled") && advice.weight == Weight::Must;
        assert_eq!(told(raft).iter().filter(|one| about(one)).count(), 1);
    }

    #[test]
    fn a_file_without_differences_is_fine() {
        let advice = told(OPEN);
        assert_eq!(advice.iter().map(|one| one.weight).collect::<Vec<_>>(), [Weight::Fine], "{advice:?}");
    }

    #[test]
    fn every_difference_is_about_a_key() {
        for difference in DIFFERENCES {
            assert!(Config::key(difference.key).is_some(), "{}", difference.key);
        }
    }
}
