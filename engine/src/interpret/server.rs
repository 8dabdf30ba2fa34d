//! Variables, status, group and classification (`spec/discovery.md` 5.1, 9, 12, 16).

use std::collections::BTreeMap;

use app::topology::{GroupMembership, Instance};
use app::{BinlogCoordinates, InstanceKey};

use super::Classification;
use super::channel::gtid_text;
use super::record::{Record, is_on};

/// Sets what the variables tell. Every variable of the survey is in the row, so a missing one means that the server
/// has no such thing.
pub fn variables(instance: &mut Instance, row: &Record) {
    let switch = |columns: &[&str]| row.switch(columns).unwrap_or(false);
    instance.version = row.text(&["version"]);
    instance.version_comment = row.text(&["version_comment"]);
    instance.server_id = row.number(&["server_id"]).unwrap_or(0);
    instance.server_uuid = row.text(&["server_uuid"]);
    instance.read_only = switch(&["read_only"]);
    instance.super_read_only = row.switch(&["super_read_only"]);
    instance.binlog_format = row.text(&["binlog_format"]);
    instance.binlog_row_image = row.text(&["binlog_row_image"]);
    instance.log_bin = switch(&["log_bin"]);
    instance.log_replica_updates = switch(&["log_replica_updates", "log_slave_updates"]);
    instance.gtid_mode = row.text(&["gtid_mode"]);
    instance.purged_gtid = gtid_text(row.get("gtid_purged"));
    instance.gtid_domain_id = row.number(&["gtid_domain_id"]);
    instance.executed_gtid = executed_gtid(row);

    let semi_sync = &mut instance.semi_sync;
    let source = ["rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled"];
    let replica = ["rpl_semi_sync_replica_enabled", "rpl_semi_sync_slave_enabled"];
    semi_sync.available = source.iter().any(|name| row.has(name)) && replica.iter().any(|name| row.has(name));
    semi_sync.source_new_names = row.has("rpl_semi_sync_source_enabled");
    semi_sync.replica_new_names = row.has("rpl_semi_sync_replica_enabled");
    semi_sync.source_enabled = switch(&source);
    semi_sync.replica_enabled = switch(&replica);
    semi_sync.source_timeout_ms =
        row.number(&["rpl_semi_sync_source_timeout", "rpl_semi_sync_master_timeout"]).unwrap_or(0);
    semi_sync.source_wait_for = row
        .number(&["rpl_semi_sync_source_wait_for_replica_count", "rpl_semi_sync_master_wait_for_slave_count"])
        // MariaDB always waits for one.
        .unwrap_or(u64::from(semi_sync.available));
}

/// MySQL: `gtid_executed`. MariaDB: a position, of each domain the GTID with the largest sequence number, from
/// `gtid_current_pos` (own writes and what was applied), `gtid_slave_pos` and `gtid_binlog_pos`.
fn executed_gtid(row: &Record) -> String {
    if row.has("gtid_executed") {
        return gtid_text(row.get("gtid_executed"));
    }
    let mut positions: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    let sources = ["gtid_current_pos", "gtid_slave_pos", "gtid_binlog_pos"];
    for gtid in sources.iter().filter_map(|column| row.get(column)).flat_map(|text| text.split(',')) {
        let mut numbers = gtid.trim().split('-').map(str::parse::<u64>);
        if let (Some(Ok(domain)), Some(Ok(server)), Some(Ok(sequence)), None) =
            (numbers.next(), numbers.next(), numbers.next(), numbers.next())
        {
            let last = positions.entry(domain).or_default();
            if sequence > last.0 {
                *last = (sequence, server);
            }
        }
    }
    let texts: Vec<String> =
        positions.iter().map(|(domain, (sequence, server))| format!("{domain}-{server}-{sequence}")).collect();
    texts.join(",")
}

/// Sets what `SHOW GLOBAL STATUS` tells.
pub fn status(instance: &mut Instance, rows: &[Record]) {
    let value = |names: &[&str]| {
        rows.iter()
            .find(|row| row.get("Variable_name").is_some_and(|n| names.iter().any(|name| n.eq_ignore_ascii_case(name))))
            .and_then(|row| row.get("Value"))
    };
    if let Some(uptime) = value(&["Uptime"]).and_then(|text| text.parse().ok()) {
        instance.uptime = uptime;
    }
    let switch = |names: &[&str]| value(names).is_some_and(is_on);
    let semi_sync = &mut instance.semi_sync;
    semi_sync.source_active = switch(&["Rpl_semi_sync_source_status", "Rpl_semi_sync_master_status"]);
    semi_sync.replica_active = switch(&["Rpl_semi_sync_replica_status", "Rpl_semi_sync_slave_status"]);
    semi_sync.source_clients = value(&["Rpl_semi_sync_source_clients", "Rpl_semi_sync_master_clients"])
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
}

/// The end of the own binary log.
pub fn binary_log(rows: &[Record]) -> BinlogCoordinates {
    rows.first()
        .map(|row| BinlogCoordinates::binary(row.text(&["File"]), row.number(&["Position"]).unwrap_or(0)))
        .unwrap_or_default()
}

/// Membership as the own row of the members table tells it. A group in multi-primary mode is not managed, as in the
/// original: its members look like servers outside any group.
pub fn group(rows: &[Record], own_uuid: &str) -> GroupMembership {
    let Some(own) = rows.iter().find(|row| !own_uuid.is_empty() && row.get("MEMBER_ID") == Some(own_uuid)) else {
        return GroupMembership::default();
    };
    if !own.switch(&["single_primary"]).unwrap_or(false) {
        return GroupMembership::default();
    }
    let key = |row: &Record| InstanceKey::new(row.text(&["MEMBER_HOST"]), row.number(&["MEMBER_PORT"]).unwrap_or(0));
    let primary = rows.iter().find(|row| row.get("MEMBER_ROLE") == Some("PRIMARY")).map(key).unwrap_or_default();
    GroupMembership {
        name: own.text(&["group_name"]),
        single_primary: true,
        state: own.text(&["MEMBER_STATE"]),
        role: own.text(&["MEMBER_ROLE"]),
        members: rows.iter().filter(|row| row.get("MEMBER_ID") != Some(own_uuid)).map(key).collect(),
        primary,
    }
}

/// Sets what the classifying queries answered; a query overrides what the host name told.
pub fn classification(instance: &mut Instance, answers: &Classification) {
    let set = |field: &mut String, answer: &Option<String>| {
        if let Some(answer) = answer {
            field.clone_from(answer);
        }
    };
    set(&mut instance.data_center, &answers.data_center);
    set(&mut instance.region, &answers.region);
    set(&mut instance.environment, &answers.environment);
    set(&mut instance.alias, &answers.alias);
    set(&mut instance.suggested_cluster_alias, &answers.cluster_alias);
    if let Some(priority) = answers.semi_sync_priority {
        instance.semi_sync.priority = priority;
    }
    if let Some(active) = answers.pseudo_gtid {
        instance.uses_pseudo_gtid = active;
    }
}
