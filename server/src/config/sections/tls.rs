//! TLS of the web and API server: section 7.16 of the configuration.

use crate::config::table::section;

section! {
    /// Certificates of our own listener and of its clients (spec 7.16).
    TlsConfig, "TLS of the web and API server" {
        /// Serve HTTPS on `ListenAddress`; raft nodes then also talk HTTPS to their leader.
        "UseSSL" => use_ssl: bool = false, Start, InEffect;
        /// Server certificate with those between it and its authority (PEM). Read again within 2 seconds of a change.
        "SSLCertFile" => ssl_cert_file: String = String::new(), Start, InEffect;
        /// Server key (PEM). One that is encrypted has its password asked for on the terminal at the start.
        "SSLPrivateKeyFile" => ssl_private_key_file: String = String::new(), Start, InEffect;
        /// Authorities of client certificates (PEM); needed with `UseMutualTLS`. Between raft nodes also of the leader's.
        "SSLCAFile" => ssl_ca_file: String = String::new(), Start, InEffect;
        /// Do not verify certificates (raft node to leader).
        "SSLSkipVerify" => ssl_skip_verify: bool = false, Start, Later;
        /// Ask for and check client certificates; requests without an accepted OU get 401.
        "UseMutualTLS" => use_mutual_tls: bool = false, Start, InEffect;
        /// Accepted organisational units. Needed with mutual TLS: an empty list admits nobody.
        "SSLValidOUs" => valid_ous: Vec<String> = Vec::new(), Start, InEffect;
    }
}
