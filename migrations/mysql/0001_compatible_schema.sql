-- The compatible schema: every table, column and key of the original in its final state
-- (MySQL form). Names, misspelt ones included, are an interface: older binaries may open the
-- same database. One column a line, because the runner reads this file to add what an older
-- database lacks. Append-only: changes go into a new number.

CREATE TABLE IF NOT EXISTS `access_token` (
    `access_token_id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `public_token` varchar(128) NOT NULL,
    `secret_token` varchar(128) NOT NULL,
    `generated_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `generated_by` varchar(128) CHARACTER SET utf8mb3 NOT NULL,
    `is_acquired` tinyint unsigned NOT NULL DEFAULT 0,
    `is_reentrant` tinyint unsigned NOT NULL DEFAULT 0,
    `acquired_at` timestamp NOT NULL DEFAULT '1971-01-01 00:00:00',
    PRIMARY KEY (`access_token_id`),
    KEY `generated_at_idx_access_token` (`generated_at`),
    UNIQUE KEY `public_token_uidx_access_token` (`public_token`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `active_node` (
    `anchor` tinyint unsigned NOT NULL,
    `hostname` varchar(128) NOT NULL,
    `token` varchar(128) NOT NULL,
    `last_seen_active` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `first_seen_active` timestamp NOT NULL DEFAULT '1971-01-01 00:00:00',
    PRIMARY KEY (`anchor`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `agent_seed` (
    `agent_seed_id` int unsigned NOT NULL AUTO_INCREMENT,
    `target_hostname` varchar(128) NOT NULL,
    `source_hostname` varchar(128) NOT NULL,
    `start_timestamp` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `end_timestamp` timestamp NOT NULL DEFAULT '1971-01-01 00:00:00',
    `is_complete` tinyint unsigned NOT NULL DEFAULT 0,
    `is_successful` tinyint unsigned NOT NULL DEFAULT 0,
    PRIMARY KEY (`agent_seed_id`),
    KEY `is_complete_idx_agent_seed` (`is_complete`, `start_timestamp`),
    KEY `is_successful_idx_agent_seed` (`is_successful`, `start_timestamp`),
    KEY `source_hostname_idx_agent_seed` (`source_hostname`, `is_complete`),
    KEY `start_timestamp_idx_agent_seed` (`start_timestamp`),
    KEY `target_hostname_idx_agent_seed` (`target_hostname`, `is_complete`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `agent_seed_state` (
    `agent_seed_state_id` int unsigned NOT NULL AUTO_INCREMENT,
    `agent_seed_id` int unsigned NOT NULL,
    `state_timestamp` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `state_action` varchar(127) NOT NULL,
    `error_message` varchar(255) NOT NULL,
    PRIMARY KEY (`agent_seed_state_id`),
    KEY `agent_seed_idx_agent_seed_state` (`agent_seed_id`, `state_timestamp`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `async_request` (
    `request_id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `command` varchar(128) NOT NULL,
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `destination_hostname` varchar(128) NOT NULL,
    `destination_port` smallint unsigned NOT NULL,
    `pattern` text CHARACTER SET utf8mb3 NOT NULL,
    `gtid_hint` varchar(32) NOT NULL,
    `begin_timestamp` timestamp NULL DEFAULT NULL,
    `end_timestamp` timestamp NULL DEFAULT NULL,
    `story` text CHARACTER SET utf8mb3 NOT NULL,
    PRIMARY KEY (`request_id`),
    KEY `begin_timestamp_idx_async_request` (`begin_timestamp`),
    KEY `end_timestamp_idx_async_request` (`end_timestamp`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `audit` (
    `audit_id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `audit_timestamp` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `audit_type` varchar(128) CHARACTER SET ascii NOT NULL,
    `hostname` varchar(128) CHARACTER SET ascii NOT NULL DEFAULT '',
    `port` smallint unsigned NOT NULL,
    `cluster_name` varchar(128) CHARACTER SET ascii NOT NULL DEFAULT '',
    `message` text CHARACTER SET utf8mb3 NOT NULL,
    PRIMARY KEY (`audit_id`),
    KEY `audit_timestamp_idx_audit` (`audit_timestamp`),
    KEY `host_port_idx_audit` (`hostname`, `port`, `audit_timestamp`)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;

CREATE TABLE IF NOT EXISTS `blocked_topology_recovery` (
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `cluster_name` varchar(128) NOT NULL,
    `analysis` varchar(128) NOT NULL,
    `last_blocked_timestamp` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `blocking_recovery_id` bigint unsigned NULL DEFAULT NULL,
    PRIMARY KEY (`hostname`, `port`),
    KEY `cluster_blocked_idx_blocked_topology_recovery` (`cluster_name`, `last_blocked_timestamp`),
    KEY `last_blocked_idx` (`last_blocked_timestamp`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `candidate_database_instance` (
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `last_suggested` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `priority` tinyint NOT NULL DEFAULT 1,
    `promotion_rule` enum('must','prefer','neutral','prefer_not','must_not') NOT NULL DEFAULT 'neutral',
    PRIMARY KEY (`hostname`, `port`),
    KEY `last_suggested_idx_candidate_database_instance` (`last_suggested`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `cluster_alias` (
    `cluster_name` varchar(128) NOT NULL,
    `alias` varchar(128) NOT NULL,
    `last_registered` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`cluster_name`),
    UNIQUE KEY `alias_uidx` (`alias`),
    KEY `last_registered_idx` (`last_registered`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `cluster_alias_override` (
    `cluster_name` varchar(128) NOT NULL,
    `alias` varchar(128) NOT NULL,
    PRIMARY KEY (`cluster_name`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `cluster_domain_name` (
    `cluster_name` varchar(128) NOT NULL,
    `domain_name` varchar(128) NOT NULL,
    `last_registered` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`cluster_name`),
    KEY `domain_name_idx_cluster_domain_name` (`domain_name`(32)),
    KEY `last_registered_idx` (`last_registered`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `cluster_injected_pseudo_gtid` (
    `cluster_name` varchar(128) NOT NULL,
    `time_injected` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`cluster_name`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `database_instance` (
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `last_checked` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `last_attempted_check` timestamp NOT NULL DEFAULT '1971-01-01 00:00:00',
    `last_check_partial_success` tinyint unsigned NOT NULL,
    `last_seen` timestamp NULL DEFAULT NULL,
    `uptime` int unsigned NOT NULL,
    `server_id` int unsigned NOT NULL,
    `server_uuid` varchar(64) NOT NULL,
    `version` varchar(128) NOT NULL,
    `binlog_server` tinyint unsigned NOT NULL,
    `read_only` tinyint unsigned NOT NULL,
    `binlog_format` varchar(16) NOT NULL,
    `log_bin` tinyint unsigned NOT NULL,
    `log_slave_updates` tinyint unsigned NOT NULL,
    `binary_log_file` varchar(128) NOT NULL,
    `binary_log_pos` bigint unsigned NOT NULL,
    `master_host` varchar(128) NOT NULL,
    `master_port` smallint unsigned NOT NULL,
    `slave_sql_running` tinyint unsigned NOT NULL,
    `slave_io_running` tinyint unsigned NOT NULL,
    `replication_sql_thread_state` tinyint NOT NULL DEFAULT 0,
    `replication_io_thread_state` tinyint NOT NULL DEFAULT 0,
    `has_replication_filters` tinyint unsigned NOT NULL,
    `oracle_gtid` tinyint unsigned NOT NULL,
    `master_uuid` varchar(64) NOT NULL,
    `ancestry_uuid` text NOT NULL,
    `executed_gtid_set` text NOT NULL,
    `gtid_purged` text NOT NULL,
    `gtid_errant` text NOT NULL,
    `supports_oracle_gtid` tinyint unsigned NOT NULL,
    `mariadb_gtid` tinyint unsigned NOT NULL,
    `pseudo_gtid` tinyint unsigned NOT NULL,
    `master_log_file` varchar(128) NOT NULL,
    `read_master_log_pos` bigint unsigned NOT NULL,
    `relay_master_log_file` varchar(128) NOT NULL,
    `exec_master_log_pos` bigint unsigned NOT NULL,
    `relay_log_file` varchar(128) NOT NULL,
    `relay_log_pos` bigint unsigned NOT NULL,
    `last_sql_error` text NOT NULL,
    `last_io_error` text NOT NULL,
    `seconds_behind_master` bigint unsigned NULL DEFAULT NULL,
    `slave_lag_seconds` bigint unsigned NULL DEFAULT NULL,
    `sql_delay` int unsigned NOT NULL,
    `allow_tls` tinyint unsigned NOT NULL,
    `num_slave_hosts` int unsigned NOT NULL,
    `slave_hosts` text NOT NULL,
    `cluster_name` varchar(128) NOT NULL,
    `suggested_cluster_alias` varchar(128) NOT NULL,
    `data_center` varchar(32) NOT NULL,
    `region` varchar(32) NOT NULL,
    `physical_environment` varchar(32) NOT NULL,
    `instance_alias` varchar(128) NOT NULL,
    `semi_sync_enforced` tinyint unsigned NOT NULL,
    `semi_sync_available` tinyint unsigned NOT NULL DEFAULT 0,
    `replication_depth` tinyint unsigned NOT NULL,
    `is_co_master` tinyint unsigned NOT NULL,
    `replication_credentials_available` tinyint unsigned NOT NULL,
    `has_replication_credentials` tinyint unsigned NOT NULL,
    `version_comment` varchar(128) NOT NULL DEFAULT '',
    `major_version` varchar(16) NOT NULL,
    `binlog_row_image` varchar(16) NOT NULL,
    `last_discovery_latency` bigint NOT NULL,
    `semi_sync_master_enabled` tinyint unsigned NOT NULL,
    `semi_sync_master_timeout` bigint unsigned NOT NULL DEFAULT 0,
    `semi_sync_master_wait_for_slave_count` int unsigned NOT NULL DEFAULT 0,
    `semi_sync_master_status` tinyint unsigned NOT NULL DEFAULT 0,
    `semi_sync_master_clients` int unsigned NOT NULL DEFAULT 0,
    `semi_sync_replica_status` tinyint unsigned NOT NULL DEFAULT 0,
    `semi_sync_replica_enabled` tinyint unsigned NOT NULL,
    `gtid_mode` varchar(32) NOT NULL,
    `replication_group_name` varchar(64) NOT NULL DEFAULT '',
    `replication_group_is_single_primary_mode` tinyint unsigned NOT NULL DEFAULT 1,
    `replication_group_member_state` varchar(16) NOT NULL DEFAULT '',
    `replication_group_member_role` varchar(16) NOT NULL DEFAULT '',
    `replication_group_members` text NOT NULL,
    `replication_group_primary_host` varchar(128) NOT NULL DEFAULT '',
    `replication_group_primary_port` smallint unsigned NOT NULL DEFAULT 0,
    PRIMARY KEY (`hostname`, `port`),
    KEY `cluster_name_idx_database_instance` (`cluster_name`),
    KEY `last_checked_idx_database_instance` (`last_checked`),
    KEY `last_seen_idx_database_instance` (`last_seen`),
    KEY `master_host_port_idx_database_instance` (`master_host`, `master_port`),
    KEY `suggested_cluster_alias_idx_database_instance` (`suggested_cluster_alias`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `database_instance_analysis_changelog` (
    `changelog_id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `analysis_timestamp` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `analysis` varchar(128) NOT NULL,
    PRIMARY KEY (`changelog_id`),
    KEY `analysis_timestamp_idx_database_instance_analysis_changelog` (`analysis_timestamp`),
    KEY `instance_timestamp_idx` (`hostname`, `port`, `analysis_timestamp`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `database_instance_binlog_files_history` (
    `history_id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `binary_log_file` varchar(128) NOT NULL,
    `binary_log_pos` bigint unsigned NOT NULL,
    `first_seen` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `last_seen` timestamp NOT NULL DEFAULT '1971-01-01 00:00:00',
    PRIMARY KEY (`history_id`),
    UNIQUE KEY `hostname_port_file_idx_database_instance_binlog_files_history` (`hostname`, `port`, `binary_log_file`),
    KEY `last_seen_idx_database_instance_binlog_files_history` (`last_seen`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `database_instance_coordinates_history` (
    `history_id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `recorded_timestamp` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `last_seen` timestamp NOT NULL DEFAULT '1971-01-01 00:00:00',
    `binary_log_file` varchar(128) NOT NULL,
    `binary_log_pos` bigint unsigned NOT NULL,
    `relay_log_file` varchar(128) NOT NULL,
    `relay_log_pos` bigint unsigned NOT NULL,
    PRIMARY KEY (`history_id`),
    KEY `hostname_port_recorded_idx_database_instance_coordinates_history` (`hostname`, `port`, `recorded_timestamp`),
    KEY `recorded_timestmp_idx_database_instance_coordinates_history` (`recorded_timestamp`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `database_instance_downtime` (
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `downtime_active` tinyint NULL DEFAULT NULL,
    `begin_timestamp` timestamp NULL DEFAULT CURRENT_TIMESTAMP,
    `end_timestamp` timestamp NULL DEFAULT NULL,
    `owner` varchar(128) CHARACTER SET utf8mb3 NOT NULL,
    `reason` text CHARACTER SET utf8mb3 NOT NULL,
    PRIMARY KEY (`hostname`, `port`),
    KEY `end_timestamp_idx_database_instance_downtime` (`end_timestamp`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `database_instance_last_analysis` (
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `analysis_timestamp` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `analysis` varchar(128) NOT NULL,
    PRIMARY KEY (`hostname`, `port`),
    KEY `analysis_timestamp_idx_database_instance_last_analysis` (`analysis_timestamp`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `database_instance_long_running_queries` (
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `process_id` bigint NOT NULL,
    `process_started_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `process_user` varchar(16) CHARACTER SET utf8mb3 NOT NULL,
    `process_host` varchar(128) CHARACTER SET utf8mb3 NOT NULL,
    `process_db` varchar(128) CHARACTER SET utf8mb3 NOT NULL,
    `process_command` varchar(16) CHARACTER SET utf8mb3 NOT NULL,
    `process_time_seconds` int NOT NULL,
    `process_state` varchar(128) CHARACTER SET utf8mb3 NOT NULL,
    `process_info` varchar(1024) CHARACTER SET utf8mb3 NOT NULL,
    PRIMARY KEY (`hostname`, `port`, `process_id`),
    KEY `process_started_at_idx_database_instance_long_running_queries` (`process_started_at`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `database_instance_maintenance` (
    `database_instance_maintenance_id` int unsigned NOT NULL AUTO_INCREMENT,
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `maintenance_active` tinyint NULL DEFAULT NULL,
    `begin_timestamp` timestamp NULL DEFAULT NULL,
    `end_timestamp` timestamp NULL DEFAULT NULL,
    `owner` varchar(128) CHARACTER SET utf8mb3 NOT NULL,
    `reason` text CHARACTER SET utf8mb3 NOT NULL,
    `processing_node_hostname` varchar(128) NOT NULL,
    `processing_node_token` varchar(128) NOT NULL,
    `explicitly_bounded` tinyint unsigned NOT NULL,
    PRIMARY KEY (`database_instance_maintenance_id`),
    KEY `active_end_timestamp_idx` (`maintenance_active`, `end_timestamp`),
    KEY `active_timestamp_idx` (`maintenance_active`, `begin_timestamp`),
    UNIQUE KEY `maintenance_uidx_database_instance_maintenance` (`maintenance_active`, `hostname`, `port`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `database_instance_peer_analysis` (
    `peer` varchar(128) NOT NULL,
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `analysis_timestamp` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `analysis` varchar(128) NOT NULL,
    PRIMARY KEY (`peer`, `hostname`, `port`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `database_instance_pool` (
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `pool` varchar(128) NOT NULL,
    `registered_at` timestamp NOT NULL DEFAULT '1971-01-01 00:00:00',
    PRIMARY KEY (`hostname`, `port`, `pool`),
    KEY `pool_idx_database_instance_pool` (`pool`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `database_instance_recent_relaylog_history` (
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `current_relay_log_file` varchar(128) NOT NULL,
    `current_relay_log_pos` bigint unsigned NOT NULL,
    `current_seen` timestamp NOT NULL DEFAULT '1971-01-01 00:00:00',
    `prev_relay_log_file` varchar(128) NOT NULL,
    `prev_relay_log_pos` bigint unsigned NOT NULL,
    `prev_seen` timestamp NOT NULL DEFAULT '1971-01-01 00:00:00',
    PRIMARY KEY (`hostname`, `port`),
    KEY `current_seen_idx_database_instance_recent_relaylog_history` (`current_seen`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `database_instance_stale_binlog_coordinates` (
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `binary_log_file` varchar(128) NOT NULL,
    `binary_log_pos` bigint unsigned NOT NULL,
    `first_seen` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`hostname`, `port`),
    KEY `first_seen_idx_database_instance_stale_binlog_coordinates` (`first_seen`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `database_instance_tags` (
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `tag_name` varchar(128) CHARACTER SET utf8mb3 NOT NULL,
    `tag_value` varchar(128) CHARACTER SET utf8mb3 NOT NULL,
    `last_updated` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`hostname`, `port`, `tag_name`),
    KEY `tag_name_idx_database_instance_tags` (`tag_name`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `database_instance_tls` (
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `required` tinyint unsigned NOT NULL DEFAULT 0,
    PRIMARY KEY (`hostname`, `port`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `database_instance_topology_history` (
    `snapshot_unix_timestamp` int unsigned NOT NULL,
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `master_host` varchar(128) NOT NULL,
    `master_port` smallint unsigned NOT NULL,
    `cluster_name` tinytext NOT NULL,
    `version` varchar(128) NOT NULL,
    PRIMARY KEY (`snapshot_unix_timestamp`, `hostname`, `port`),
    KEY `cluster_name_idx_database_instance_topology_history` (`snapshot_unix_timestamp`, `cluster_name`(128))
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `global_recovery_disable` (
    `disable_recovery` tinyint unsigned NOT NULL,
    PRIMARY KEY (`disable_recovery`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `host_agent` (
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `token` varchar(128) NOT NULL,
    `last_submitted` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `last_checked` timestamp NULL DEFAULT NULL,
    `last_seen` timestamp NULL DEFAULT NULL,
    `mysql_port` smallint unsigned NULL DEFAULT NULL,
    `count_mysql_snapshots` smallint unsigned NOT NULL,
    PRIMARY KEY (`hostname`),
    KEY `last_checked_idx_host_agent` (`last_checked`),
    KEY `last_seen_idx_host_agent` (`last_seen`),
    KEY `last_submitted_idx_host_agent` (`last_submitted`),
    KEY `token_idx_host_agent` (`token`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `host_attributes` (
    `hostname` varchar(128) NOT NULL,
    `attribute_name` varchar(128) NOT NULL,
    `attribute_value` varchar(128) NOT NULL,
    `submit_timestamp` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `expire_timestamp` timestamp NULL DEFAULT NULL,
    PRIMARY KEY (`hostname`, `attribute_name`),
    KEY `attribute_name_idx_host_attributes` (`attribute_name`),
    KEY `attribute_value_idx_host_attributes` (`attribute_value`),
    KEY `expire_timestamp_idx_host_attributes` (`expire_timestamp`),
    KEY `submit_timestamp_idx_host_attributes` (`submit_timestamp`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `hostname_ips` (
    `hostname` varchar(128) NOT NULL,
    `ipv4` varchar(128) NOT NULL,
    `ipv6` varchar(128) NOT NULL,
    `last_updated` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`hostname`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `hostname_resolve` (
    `hostname` varchar(128) NOT NULL,
    `resolved_hostname` varchar(128) NOT NULL,
    `resolved_timestamp` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`hostname`),
    KEY `resolved_timestamp_idx_hostname_resolve` (`resolved_timestamp`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `hostname_resolve_history` (
    `resolved_hostname` varchar(128) NOT NULL,
    `hostname` varchar(128) NOT NULL,
    `resolved_timestamp` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`resolved_hostname`),
    KEY `hostname_idx_hostname_resolve_history` (`hostname`),
    KEY `resolved_timestamp_idx_hostname_resolve_history` (`resolved_timestamp`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `hostname_unresolve` (
    `hostname` varchar(128) NOT NULL,
    `unresolved_hostname` varchar(128) NOT NULL,
    `last_registered` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`hostname`),
    KEY `last_registered_idx` (`last_registered`),
    KEY `unresolved_hostname_idx_hostname_unresolve` (`unresolved_hostname`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `hostname_unresolve_history` (
    `unresolved_hostname` varchar(128) NOT NULL,
    `hostname` varchar(128) NOT NULL,
    `last_registered` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`unresolved_hostname`),
    KEY `hostname_idx_hostname_unresolve_history` (`hostname`),
    KEY `last_registered_idx_hostname_unresolve_history` (`last_registered`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `kv_store` (
    `store_key` varchar(255) NOT NULL,
    `store_value` text CHARACTER SET utf8mb3 NOT NULL,
    `last_updated` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`store_key`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `master_position_equivalence` (
    `equivalence_id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `master1_hostname` varchar(128) NOT NULL,
    `master1_port` smallint unsigned NOT NULL,
    `master1_binary_log_file` varchar(128) NOT NULL,
    `master1_binary_log_pos` bigint unsigned NOT NULL,
    `master2_hostname` varchar(128) NOT NULL,
    `master2_port` smallint unsigned NOT NULL,
    `master2_binary_log_file` varchar(128) NOT NULL,
    `master2_binary_log_pos` bigint unsigned NOT NULL,
    `last_suggested` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`equivalence_id`),
    UNIQUE KEY `equivalence_uidx_master_position_equivalence` (`master1_hostname`, `master1_port`, `master1_binary_log_file`, `master1_binary_log_pos`, `master2_hostname`, `master2_port`),
    KEY `last_suggested_idx_master_position_equivalence` (`last_suggested`),
    KEY `master2_idx_master_position_equivalence` (`master2_hostname`, `master2_port`, `master2_binary_log_file`, `master2_binary_log_pos`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `node_health` (
    `hostname` varchar(128) NOT NULL,
    `token` varchar(128) NOT NULL,
    `last_seen_active` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `extra_info` varchar(128) CHARACTER SET utf8mb3 NOT NULL,
    `command` varchar(128) CHARACTER SET utf8mb3 NOT NULL,
    `app_version` varchar(64) NOT NULL DEFAULT '',
    `first_seen_active` timestamp NOT NULL DEFAULT '1971-01-01 00:00:00',
    `db_backend` varchar(255) NOT NULL DEFAULT '',
    `incrementing_indicator` bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (`hostname`, `token`),
    KEY `last_seen_active_idx` (`last_seen_active`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `node_health_history` (
    `history_id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `hostname` varchar(128) NOT NULL,
    `token` varchar(128) NOT NULL,
    `first_seen_active` timestamp NOT NULL,
    `extra_info` varchar(128) CHARACTER SET utf8mb3 NOT NULL,
    `command` varchar(128) CHARACTER SET utf8mb3 NOT NULL,
    `app_version` varchar(64) NOT NULL DEFAULT '',
    PRIMARY KEY (`history_id`),
    KEY `first_seen_active_idx_node_health_history` (`first_seen_active`),
    UNIQUE KEY `hostname_token_idx_node_health_history` (`hostname`, `token`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `orchestrator_db_deployments` (
    `deployed_version` varchar(128) NOT NULL,
    `deployed_timestamp` timestamp NOT NULL,
    PRIMARY KEY (`deployed_version`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `orchestrator_metadata` (
    `anchor` tinyint unsigned NOT NULL,
    `last_deployed_version` varchar(128) NOT NULL,
    `last_deployed_timestamp` timestamp NOT NULL,
    PRIMARY KEY (`anchor`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `raft_log` (
    `log_index` bigint unsigned NOT NULL AUTO_INCREMENT,
    `term` bigint NOT NULL,
    `log_type` int NOT NULL,
    `data` blob NOT NULL,
    PRIMARY KEY (`log_index`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `raft_snapshot` (
    `snapshot_id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `snapshot_name` varchar(128) CHARACTER SET utf8mb3 NOT NULL,
    `snapshot_meta` varchar(4096) CHARACTER SET utf8mb3 NOT NULL,
    `created_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`snapshot_id`),
    UNIQUE KEY `snapshot_name_uidx_raft_snapshot` (`snapshot_name`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `raft_store` (
    `store_id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `store_key` varbinary(512) NOT NULL,
    `store_value` blob NOT NULL,
    PRIMARY KEY (`store_id`),
    KEY `store_key_idx_raft_store` (`store_key`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `topology_failure_detection` (
    `detection_id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `in_active_period` tinyint unsigned NOT NULL DEFAULT 0,
    `start_active_period` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `end_active_period_unixtime` int unsigned NOT NULL,
    `processing_node_hostname` varchar(128) NOT NULL,
    `processcing_node_token` varchar(128) NOT NULL,
    `analysis` varchar(128) NOT NULL,
    `cluster_name` varchar(128) NOT NULL,
    `cluster_alias` varchar(128) NOT NULL,
    `count_affected_slaves` int unsigned NOT NULL,
    `slave_hosts` text NOT NULL,
    `is_actionable` tinyint NOT NULL DEFAULT 0,
    PRIMARY KEY (`detection_id`),
    UNIQUE KEY `host_port_active_recoverable_uidx_topology_failure_detection` (`hostname`, `port`, `in_active_period`, `end_active_period_unixtime`, `is_actionable`),
    KEY `in_active_start_period_idx_topology_failure_detection` (`in_active_period`, `start_active_period`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `topology_recovery` (
    `recovery_id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `hostname` varchar(128) NOT NULL,
    `port` smallint unsigned NOT NULL,
    `in_active_period` tinyint unsigned NOT NULL DEFAULT 0,
    `start_active_period` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `end_active_period_unixtime` int unsigned NULL DEFAULT NULL,
    `end_recovery` timestamp NULL DEFAULT NULL,
    `processing_node_hostname` varchar(128) NOT NULL,
    `processcing_node_token` varchar(128) NOT NULL,
    `is_successful` tinyint unsigned NOT NULL DEFAULT 0,
    `successor_hostname` varchar(128) NULL DEFAULT NULL,
    `successor_port` smallint unsigned NULL DEFAULT NULL,
    `analysis` varchar(128) NOT NULL,
    `cluster_name` varchar(128) NOT NULL,
    `cluster_alias` varchar(128) NOT NULL,
    `count_affected_slaves` int unsigned NOT NULL,
    `slave_hosts` text NOT NULL,
    `participating_instances` text NOT NULL,
    `lost_slaves` text NOT NULL,
    `all_errors` text NOT NULL,
    `acknowledged` tinyint unsigned NOT NULL DEFAULT 0,
    `acknowledged_at` timestamp NULL DEFAULT NULL,
    `acknowledged_by` varchar(128) CHARACTER SET utf8mb3 NOT NULL,
    `acknowledge_comment` text CHARACTER SET utf8mb3 NOT NULL,
    `last_detection_id` bigint unsigned NOT NULL,
    `successor_alias` varchar(128) NULL DEFAULT NULL,
    `uid` varchar(128) NOT NULL,
    PRIMARY KEY (`recovery_id`),
    KEY `acknowledged_idx` (`acknowledged`, `acknowledged_at`),
    KEY `cluster_name_in_active_idx` (`cluster_name`, `in_active_period`),
    KEY `end_recovery_idx` (`end_recovery`),
    UNIQUE KEY `hostname_port_active_period_uidx_topology_recovery` (`hostname`, `port`, `in_active_period`, `end_active_period_unixtime`),
    KEY `in_active_start_period_idx_topology_recovery` (`in_active_period`, `start_active_period`),
    KEY `last_detection_idx` (`last_detection_id`),
    KEY `start_active_period_idx_topology_recovery` (`start_active_period`),
    KEY `uid_idx_topology_recovery` (`uid`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

CREATE TABLE IF NOT EXISTS `topology_recovery_steps` (
    `recovery_step_id` bigint unsigned NOT NULL AUTO_INCREMENT,
    `recovery_uid` varchar(128) NOT NULL,
    `audit_at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `message` text CHARACTER SET utf8mb3 NOT NULL,
    PRIMARY KEY (`recovery_step_id`),
    KEY `recovery_uid_idx_topology_recovery_steps` (`recovery_uid`)
) ENGINE=InnoDB DEFAULT CHARSET=ascii;

INSERT IGNORE INTO `active_node` (`anchor`, `hostname`, `token`, `last_seen_active`, `first_seen_active`)
    VALUES (1, '', '', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);
