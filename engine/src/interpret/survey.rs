//! What a server understands, from what it has.

use std::collections::BTreeSet;

use app::topology::Capabilities;

use super::record::{Record, is_on};

/// Variables that a probe wants to know. A server has some of them; the survey asks for all by name, which no
/// server refuses, and the probe then selects those that are there.
pub const VARIABLES: &[&str] = &[
    "version",
    "version_comment",
    "hostname",
    "report_host",
    "port",
    "server_id",
    "server_uuid",
    "read_only",
    "super_read_only",
    "binlog_format",
    "binlog_row_image",
    "log_bin",
    "log_slave_updates",
    "log_replica_updates",
    "gtid_mode",
    "gtid_executed",
    "gtid_purged",
    "gtid_domain_id",
    "gtid_binlog_pos",
    "gtid_current_pos",
    "gtid_slave_pos",
    "master_info_repository",
    "performance_schema",
    "rpl_semi_sync_master_enabled",
    "rpl_semi_sync_master_timeout",
    "rpl_semi_sync_master_wait_for_slave_count",
    "rpl_semi_sync_slave_enabled",
    "rpl_semi_sync_source_enabled",
    "rpl_semi_sync_source_timeout",
    "rpl_semi_sync_source_wait_for_replica_count",
    "rpl_semi_sync_replica_enabled",
    "group_replication_group_name",
    "group_replication_single_primary_mode",
];

/// What a server has, and so understands. Asked once per connection: a server that was restarted, or upgraded, has
/// closed it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// Those of [`VARIABLES`] that the server has, in that order.
    pub variables: Vec<&'static str>,
    /// The version text.
    pub version: String,
    /// What follows for statements.
    pub capabilities: Capabilities,
}

impl Survey {
    /// Reads rows of `Variable_name`, `Value`. `binary_log_status` says that the server did understand
    /// `SHOW BINARY LOG STATUS`; whoever does, also knows `RESET BINARY LOGS AND GTIDS`, which came with it.
    pub fn new(rows: &[Record], binary_log_status: bool) -> Self {
        let there: BTreeSet<String> =
            rows.iter().filter_map(|row| row.get("Variable_name")).map(str::to_ascii_lowercase).collect();
        let has = |name: &str| there.contains(name);
        let value = |name: &str| {
            rows.iter()
                .find(|row| row.get("Variable_name").is_some_and(|n| n.eq_ignore_ascii_case(name)))
                .and_then(|row| row.get("Value"))
                .unwrap_or_default()
        };
        let mariadb = has("gtid_domain_id") || value("version").contains("MariaDB");
        let capabilities = Capabilities {
            known: true,
            // The statements came in 8.0.22 and 8.0.23, this variable in 8.0.26; in between both dialects are understood.
            replica_terms: !mariadb && has("log_replica_updates"),
            binary_log_status: !mariadb && binary_log_status,
            reset_binary_logs: !mariadb && binary_log_status,
            super_read_only: has("super_read_only"),
            // Channels and this variable came with the same line of MySQL.
            channels: !mariadb && has("super_read_only"),
            named_connections: mariadb,
            semi_sync_source_names: has("rpl_semi_sync_source_enabled"),
            semi_sync_replica_names: has("rpl_semi_sync_replica_enabled"),
            performance_schema: is_on(value("performance_schema")),
            mysql_gtid: !mariadb && has("gtid_mode"),
            mariadb_gtid: has("gtid_domain_id"),
        };
        let variables = VARIABLES.iter().copied().filter(|name| there.contains(*name)).collect();
        Self { variables, version: value("version").to_owned(), capabilities }
    }

    /// The server has this variable.
    pub fn has(&self, variable: &str) -> bool {
        self.variables.contains(&variable)
    }

    /// MariaDB.
    pub fn is_mariadb(&self) -> bool {
        self.capabilities.named_connections
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(pairs: &[(&str, &str)]) -> Vec<Record> {
        pairs
            .iter()
            .map(|(name, value)| {
                Record::new([
                    ("Variable_name".to_owned(), Some((*name).to_owned())),
                    ("Value".to_owned(), Some((*value).to_owned())),
                ])
            })
            .collect()
    }

    #[test]
    fn each_line_of_servers_is_told_by_what_it_has() {
        let old = Survey::new(&rows(&[("version", "5.7.44"), ("super_read_only", "OFF"), ("gtid_mode", "ON")]), false);
        assert!(old.capabilities.channels && old.capabilities.mysql_gtid && old.capabilities.super_read_only);
        assert!(!old.capabilities.replica_terms && !old.capabilities.binary_log_status);

        let eight = Survey::new(
            &rows(&[
                ("version", "8.0.36"),
                ("super_read_only", "OFF"),
                ("log_replica_updates", "ON"),
                ("log_slave_updates", "ON"),
                ("rpl_semi_sync_master_enabled", "ON"),
                ("performance_schema", "ON"),
            ]),
            false,
        );
        assert!(eight.capabilities.replica_terms && !eight.capabilities.reset_binary_logs);
        assert!(!eight.capabilities.semi_sync_source_names && eight.capabilities.performance_schema);

        let calendar = Survey::new(
            &rows(&[("version", "26.7.1"), ("super_read_only", "OFF"), ("log_replica_updates", "ON")]),
            true,
        );
        assert!(calendar.capabilities.reset_binary_logs && calendar.capabilities.binary_log_status);

        let maria = Survey::new(&rows(&[("version", "12.0.2-MariaDB"), ("gtid_domain_id", "0")]), false);
        assert!(maria.is_mariadb() && maria.capabilities.mariadb_gtid && !maria.capabilities.channels);
        assert_eq!(maria.variables, ["version", "gtid_domain_id"]);
    }
}
