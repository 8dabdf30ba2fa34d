//! Agents: section 7.17 of the configuration.

use crate::config::table::section;

section! {
    /// The listener for host agents and what is expected of them (spec 7.17).
    AgentsConfig, "Agents" {
        /// Open the listener for agents and poll them.
        "ServeAgentsHttp" => serve: bool = false, Start, Later;
        /// Listen address for agents, `:port` form, a string.
        "AgentsServerPort" => server_port: String = ":3001".to_owned(), Start, Later;
        /// Minutes between polls of an agent.
        "AgentPollMinutes" => poll_minutes: u64 = 60, Live, Later;
        /// Hours after which a silent agent is deleted.
        "UnseenAgentForgetHours" => unseen_forget_hours: u64 = 6, Live, Later;
        /// Minutes without progress after which a seed is marked failed.
        "StaleSeedFailMinutes" => stale_seed_fail_minutes: u64 = 60, Live, Later;
        /// Seconds given to the target to start listening before data is sent.
        "SeedWaitSecondsBeforeSend" => seed_wait_seconds_before_send: i64 = 2, Live, Later;
        /// HTTPS on the agents listener and towards agents.
        "AgentsUseSSL" => use_ssl: bool = false, Start, Later;
        /// Check agents' client certificates and OUs.
        "AgentsUseMutualTLS" => use_mutual_tls: bool = false, Start, Later;
        /// Accepted OUs of agents.
        "AgentSSLValidOUs" => ssl_valid_ous: Vec<String> = Vec::new(), Start, Later;
        /// Do not verify agents' certificates.
        "AgentSSLSkipVerify" => ssl_skip_verify: bool = false, Start, Later;
        /// Key of the agents listener.
        "AgentSSLPrivateKeyFile" => ssl_private_key_file: String = String::new(), Start, Later;
        /// Certificate of the agents listener.
        "AgentSSLCertFile" => ssl_cert_file: String = String::new(), Start, Later;
        /// CA for agents' certificates.
        "AgentSSLCAFile" => ssl_ca_file: String = String::new(), Start, Later;
    }
}
