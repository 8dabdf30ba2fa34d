//! Raft: section 7.14 of the configuration.

use crate::config::table::section;

section! {
    /// The group of nodes that elects one leader (spec 7.14).
    RaftConfig, "Raft" {
        /// Run the service as a raft node; also makes CLI mode refuse to run.
        "RaftEnabled" => enabled: bool = false, Start, Later;
        /// Directory for raft log and snapshots, created if missing. Required.
        "RaftDataDir" => data_dir: String = String::new(), Start, Later;
        /// Address this node listens on, `host` or `host:port`.
        "RaftBind" => bind: String = "127.0.0.1:10008".to_owned(), Start, Later;
        /// Address other nodes use; empty = `RaftBind`.
        "RaftAdvertise" => advertise: String = String::new(), Start, Later;
        /// Port added to raft addresses without one; must agree on all nodes.
        "DefaultRaftPort" => default_port: i64 = 10008, Start, Later;
        /// All nodes including this one. Empty, or exactly this node's advertise address = single-node mode.
        "RaftNodes" => nodes: Vec<String> = Vec::new(), Start, Later;
        /// `scheme://host:port` under which other nodes reach this node's HTTP API when it leads. Must have
        /// scheme, host and port and no path (not even `/`), checked even without raft.
        "HTTPAdvertise" => http_advertise: String = String::new(), Start, Later;
    }
}
