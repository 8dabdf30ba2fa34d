//! One server as a row of `database_instance`, and what that table cannot hold as JSON beside it.
//!
//! The compatible columns always win over the JSON: an older binary may have written them since.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use app::topology::{Instance, Replication, ThreadState};
use app::{BinlogCoordinates, InstanceKey};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::text;
use super::value::{Row, Value};

/// Longest TEXT value in bytes.
const TEXT_BYTES: usize = 65_535;
/// Largest value of an unsigned 32-bit column.
const INT_MAX: i64 = u32::MAX as i64;

/// A server in the form of a row.
pub(super) struct InstanceRow {
    /// Columns and values, always in the same order.
    pub(super) cells: Vec<(&'static str, Value)>,
    /// JSON of what the columns do not hold.
    pub(super) extra: String,
    /// Columns whose value did not fit and was shortened or dropped (`spec/discovery.md` 33, weakness 20).
    pub(super) misfits: Vec<&'static str>,
}

/// What goes into `orchestrator_instance_extra.extra`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Extra {
    /// Fields of [`Instance`] that have no column and differ from their default.
    #[serde(skip_serializing_if = "Json::is_null")]
    fields: Json,
    /// Whole values of columns that were cut, by column.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    overflow: BTreeMap<String, Overflow>,
}

/// A value that its column could not take.
#[derive(Debug, Serialize, Deserialize)]
struct Overflow {
    /// What the column holds instead; the whole value counts only as long as it still does.
    cut: Json,
    /// The whole value.
    full: Json,
}

/// Collects cells and minds the limits of columns where the database enforces them.
struct Cells {
    enforced: bool,
    cells: Vec<(&'static str, Value)>,
    overflow: BTreeMap<String, Overflow>,
    misfits: Vec<&'static str>,
}

impl Cells {
    fn put(&mut self, column: &'static str, value: impl Into<Value>) {
        self.cells.push((column, value.into()));
    }

    /// A label: cut when it is too long, and brought to ASCII.
    fn label(&mut self, column: &'static str, value: &str, bytes: usize) {
        self.limited(column, value, bytes, |v| text::clip(&text::to_ascii(v), bytes).to_owned());
    }

    /// A text that would mean something else when cut, such as a GTID set: whole or empty.
    fn whole(&mut self, column: &'static str, value: &str, bytes: usize) {
        self.limited(column, value, bytes, |_| String::new());
    }

    fn limited(&mut self, column: &'static str, value: &str, bytes: usize, cut: impl Fn(&str) -> String) {
        if !self.enforced || (value.len() <= bytes && value.is_ascii()) {
            self.put(column, value);
            return;
        }
        let short = cut(value);
        self.note(column, Json::from(short.as_str()), Json::from(value));
        self.put(column, short);
    }

    /// An unsigned number, held at the column's maximum.
    fn number(&mut self, column: &'static str, value: u64, max: i64) {
        let number = i64::try_from(value).unwrap_or(i64::MAX);
        if self.enforced && number > max {
            self.note(column, Json::from(max), Json::from(number));
            self.put(column, max);
        } else {
            self.put(column, number);
        }
    }

    fn note(&mut self, column: &'static str, cut: Json, full: Json) {
        self.misfits.push(column);
        self.overflow.insert(column.to_owned(), Overflow { cut, full });
    }

    fn position(&mut self, column: &'static str, position: i64) {
        self.put(column, position.max(0));
    }
}

/// Takes a server apart. With `enforced`, values are made to fit the columns.
pub(super) fn to_row(instance: &Instance, enforced: bool) -> InstanceRow {
    let mut cells = Cells { enforced, cells: Vec::with_capacity(80), overflow: BTreeMap::new(), misfits: Vec::new() };
    put_server(&mut cells, instance);
    put_replication(&mut cells, &instance.replication);
    put_place(&mut cells, instance);
    put_semi_sync_and_group(&mut cells, instance);
    put_check(&mut cells, instance);
    let extra = Extra { fields: columnless_fields(instance), overflow: cells.overflow };
    let extra = serde_json::to_string(&extra).unwrap_or_else(|_| "{}".to_owned());
    InstanceRow { cells: cells.cells, extra, misfits: cells.misfits }
}

/// The columns that are read and written. They are always named: SQLite answers `select *` by the columns it knew when the
/// connection first looked, and another process may have added some since.
pub(super) fn columns() -> Vec<&'static str> {
    to_row(&Instance::default(), false).cells.into_iter().map(|(name, _)| name).collect()
}

fn put_server(c: &mut Cells, i: &Instance) {
    c.put("hostname", &i.key.hostname);
    c.put("port", i.key.port);
    c.number("uptime", i.uptime, INT_MAX);
    c.number("server_id", i.server_id, INT_MAX);
    c.label("server_uuid", &i.server_uuid, 64);
    c.label("version", &i.version, 128);
    c.label("version_comment", &i.version_comment, 128);
    c.label("major_version", &i.major_version_text(), 16);
    c.put("binlog_server", i.is_binlog_server());
    c.put("read_only", i.read_only);
    c.label("binlog_format", &i.binlog_format, 16);
    c.label("binlog_row_image", &i.binlog_row_image, 16);
    c.put("log_bin", i.log_bin);
    c.put("log_slave_updates", i.log_replica_updates);
    c.label("binary_log_file", &i.binlog.file, 128);
    c.position("binary_log_pos", i.binlog.position);
    c.label("gtid_mode", &i.gtid_mode, 32);
    c.put("supports_oracle_gtid", i.supports_mysql_gtid());
    c.whole("executed_gtid_set", &i.executed_gtid, TEXT_BYTES);
    c.whole("gtid_purged", &i.purged_gtid, TEXT_BYTES);
    c.whole("gtid_errant", &i.errant_gtid, TEXT_BYTES);
    c.put("pseudo_gtid", i.uses_pseudo_gtid);
    c.number("num_slave_hosts", i.replicas.len() as u64, INT_MAX);
    c.whole("slave_hosts", &text::keys_json(&i.replicas), TEXT_BYTES);
    c.label("instance_alias", &i.alias, 128);
}

fn put_replication(c: &mut Cells, r: &Replication) {
    c.label("master_host", &r.source.hostname, 128);
    c.put("master_port", r.source.port);
    c.label("master_uuid", &r.source_uuid, 64);
    c.put("slave_sql_running", r.applier.is_running());
    c.put("slave_io_running", r.receiver.is_running());
    c.put("replication_sql_thread_state", i64::from(r.applier.code()));
    c.put("replication_io_thread_state", i64::from(r.receiver.code()));
    c.put("has_replication_filters", r.has_filters);
    c.put("oracle_gtid", r.auto_position);
    c.put("mariadb_gtid", r.uses_mariadb_gtid());
    c.label("master_log_file", &r.read.file, 128);
    c.position("read_master_log_pos", r.read.position);
    c.label("relay_master_log_file", &r.exec.file, 128);
    c.position("exec_master_log_pos", r.exec.position);
    c.label("relay_log_file", &r.relay.file, 128);
    c.position("relay_log_pos", r.relay.position);
    c.label("last_sql_error", &text::quote_ascii(&r.applier_error), TEXT_BYTES);
    c.label("last_io_error", &text::quote_ascii(&r.receiver_error), TEXT_BYTES);
    c.put("seconds_behind_master", r.seconds_behind.map(|s| s.max(0)));
    c.number("sql_delay", r.delay, INT_MAX);
    c.put("allow_tls", r.tls.allowed);
    c.put("replication_credentials_available", r.credentials_available);
    c.put("has_replication_credentials", r.has_credentials);
}

fn put_place(c: &mut Cells, i: &Instance) {
    c.put("slave_lag_seconds", i.lag.map(|s| s.max(0)));
    c.label("cluster_name", &i.cluster_name, 128);
    c.label("suggested_cluster_alias", &i.suggested_cluster_alias, 128);
    c.label("data_center", &i.data_center, 32);
    c.label("region", &i.region, 32);
    c.label("physical_environment", &i.environment, 32);
    c.number("replication_depth", u64::from(i.depth), 255);
    c.put("is_co_master", i.is_co_source);
    c.whole("ancestry_uuid", &i.ancestry, TEXT_BYTES);
}

fn put_semi_sync_and_group(c: &mut Cells, i: &Instance) {
    let s = &i.semi_sync;
    c.number("semi_sync_enforced", s.priority, 255);
    c.put("semi_sync_available", s.available);
    c.put("semi_sync_master_enabled", s.source_enabled);
    c.put("semi_sync_master_timeout", s.source_timeout_ms);
    c.number("semi_sync_master_wait_for_slave_count", s.source_wait_for, INT_MAX);
    c.put("semi_sync_master_status", s.source_active);
    c.number("semi_sync_master_clients", s.source_clients, INT_MAX);
    c.put("semi_sync_replica_status", s.replica_active);
    c.put("semi_sync_replica_enabled", s.replica_enabled);
    let g = &i.group;
    c.label("replication_group_name", &g.name, 64);
    c.put("replication_group_is_single_primary_mode", g.single_primary);
    c.label("replication_group_member_state", &g.state, 16);
    c.label("replication_group_member_role", &g.role, 16);
    c.whole("replication_group_members", &text::keys_json(&g.members), TEXT_BYTES);
    c.label("replication_group_primary_host", &g.primary.hostname, 128);
    c.put("replication_group_primary_port", g.primary.port);
}

fn put_check(c: &mut Cells, i: &Instance) {
    c.put("last_checked", i.check.last_checked.unwrap_or_else(text::never));
    c.put("last_attempted_check", i.check.last_attempted.unwrap_or_else(text::never));
    c.put("last_check_partial_success", i.check.partial_success || i.check.is_valid());
    // NULL leaves a stored time alone: a row that was seen stays seen.
    c.put("last_seen", i.check.last_seen);
    c.put("last_discovery_latency", i.check.latency_ns.max(0));
}

/// JSON of the fields without a column, defaults left out. A field that is added to [`Instance`] later is
/// kept here without further ado.
fn columnless_fields(instance: &Instance) -> Json {
    let mut rest = instance.clone();
    // An empty row reads as defaults, so this clears exactly what a real row would fill.
    overlay(&mut rest, &Row::default());
    rest.replication.receiver = ThreadState::default();
    rest.replication.applier = ThreadState::default();
    rest.replication.relay = BinlogCoordinates::default();
    rest.replication.mariadb_using_gtid.clone_from(&instance.replication.mariadb_using_gtid);
    // Columns hold whole seconds; see `sharper`.
    rest.check.last_checked = instance.check.last_checked;
    rest.check.last_attempted = instance.check.last_attempted;
    rest.check.last_seen = instance.check.last_seen;
    serde_json::to_value(&rest).ok().and_then(|json| without_defaults(json, &DEFAULT)).unwrap_or(Json::Null)
}

/// The server of which nothing is known, as JSON: what is not stored is filled in from it.
static DEFAULT: LazyLock<Json> = LazyLock::new(|| serde_json::to_value(Instance::default()).unwrap_or(Json::Null));

/// Undoes [`columnless_fields`]. What cannot be read (a field has changed its type since) comes with the next probe.
fn fields_to_instance(fields: Json) -> Instance {
    let mut whole = DEFAULT.clone();
    merge(&mut whole, fields);
    serde_json::from_value(whole).unwrap_or_else(|error| {
        tracing::warn!(%error, "what is stored of a server beyond its columns cannot be read; the next probe replaces it");
        Instance::default()
    })
}

fn merge(target: &mut Json, source: Json) {
    match (target, source) {
        (Json::Object(target), Json::Object(source)) => {
            for (name, value) in source {
                merge(target.entry(name).or_insert(Json::Null), value);
            }
        }
        (_, Json::Null) => {}
        (target, source) => *target = source,
    }
}

/// What of a JSON value differs from the default of its type; `None` when nothing does.
fn without_defaults(json: Json, default: &Json) -> Option<Json> {
    match (json, default) {
        (Json::Object(map), Json::Object(defaults)) => {
            let kept: Map<String, Json> = map
                .into_iter()
                .filter_map(|(name, value)| {
                    let default = defaults.get(&name).unwrap_or(&Json::Null);
                    Some((name, without_defaults(value, default)?))
                })
                .collect();
            (!kept.is_empty()).then_some(Json::Object(kept))
        }
        (json, default) => (json != *default).then_some(json),
    }
}

/// What was written of a server lately, read straight into it: a tenth of the time that `fields_to_instance` takes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct QuickExtra {
    fields: Instance,
    overflow: BTreeMap<String, Overflow>,
}

/// Puts a server together from its row and the JSON beside it (empty when there is none).
pub(super) fn from_row(mut row: Row, extra: &str) -> Instance {
    let (mut instance, overflow) = match serde_json::from_str::<QuickExtra>(extra) {
        Ok(extra) => (extra.fields, extra.overflow),
        Err(_) => {
            let extra: Extra = serde_json::from_str(extra).unwrap_or_default();
            (fields_to_instance(extra.fields), extra.overflow)
        }
    };
    for (column, overflow) in &overflow {
        let unchanged = match &overflow.cut {
            Json::String(cut) => row.text(column) == *cut,
            cut => cut.as_i64() == row.int_or_null(column),
        };
        match &overflow.full {
            Json::String(full) if unchanged => row.replace(column, Value::from(full)),
            full if unchanged => row.replace(column, Value::from(full.as_i64())),
            _ => {}
        }
    }
    overlay(&mut instance, &row);
    instance
}

/// Fills every field that has a column.
fn overlay(i: &mut Instance, row: &Row) {
    i.key = row.key();
    overlay_server(i, row);
    overlay_replication(&mut i.replication, row);
    i.lag = row.int_or_null("slave_lag_seconds");
    i.cluster_name = row.text("cluster_name");
    i.suggested_cluster_alias = row.text("suggested_cluster_alias");
    i.data_center = row.text("data_center");
    i.region = row.text("region");
    i.environment = row.text("physical_environment");
    i.depth = u32::try_from(row.int("replication_depth")).unwrap_or(0);
    i.is_co_source = row.flag("is_co_master");
    i.ancestry = row.text("ancestry_uuid");
    overlay_semi_sync_and_group(i, row);
    let check = &mut i.check;
    check.last_checked = sharper(check.last_checked, row.time("last_checked"));
    check.last_attempted = sharper(check.last_attempted, row.time("last_attempted_check"));
    check.last_seen = sharper(check.last_seen, row.time("last_seen"));
    check.partial_success = row.flag("last_check_partial_success");
    check.latency_ns = row.int("last_discovery_latency");
}

fn overlay_server(i: &mut Instance, row: &Row) {
    i.alias = row.text("instance_alias");
    i.uptime = row.count("uptime");
    i.server_id = row.count("server_id");
    i.server_uuid = row.text("server_uuid");
    i.version = row.text("version");
    i.version_comment = row.text("version_comment");
    i.read_only = row.flag("read_only");
    i.binlog_format = row.text("binlog_format");
    i.binlog_row_image = row.text("binlog_row_image");
    i.log_bin = row.flag("log_bin");
    i.log_replica_updates = row.flag("log_slave_updates");
    i.binlog = BinlogCoordinates::binary(row.text("binary_log_file"), row.int("binary_log_pos"));
    i.gtid_mode = row.text("gtid_mode");
    i.executed_gtid = row.text("executed_gtid_set");
    i.purged_gtid = row.text("gtid_purged");
    i.errant_gtid = row.text("gtid_errant");
    i.uses_pseudo_gtid = row.flag("pseudo_gtid");
    i.replicas = text::parse_keys(&row.text("slave_hosts"));
}

fn overlay_replication(r: &mut Replication, row: &Row) {
    r.source = source_of(row);
    r.source_uuid = row.text("master_uuid");
    r.receiver = thread_state(row, "replication_io_thread_state", "slave_io_running");
    r.applier = thread_state(row, "replication_sql_thread_state", "slave_sql_running");
    r.has_filters = row.flag("has_replication_filters");
    r.auto_position = row.flag("oracle_gtid");
    // The column says only whether it is in use; the JSON knows which kind, if the two agree.
    match (row.flag("mariadb_gtid"), r.uses_mariadb_gtid()) {
        (true, false) => "Slave_Pos".clone_into(&mut r.mariadb_using_gtid),
        (false, true) => "No".clone_into(&mut r.mariadb_using_gtid),
        _ => {}
    }
    r.read = BinlogCoordinates::binary(row.text("master_log_file"), row.int("read_master_log_pos"));
    r.exec = BinlogCoordinates::binary(row.text("relay_master_log_file"), row.int("exec_master_log_pos"));
    r.relay = BinlogCoordinates::relay(row.text("relay_log_file"), row.int("relay_log_pos"));
    r.applier_error = text::unquote(&row.text("last_sql_error"));
    r.receiver_error = text::unquote(&row.text("last_io_error"));
    r.seconds_behind = row.int_or_null("seconds_behind_master");
    r.delay = row.count("sql_delay");
    r.tls.allowed = row.flag("allow_tls");
    r.credentials_available = row.flag("replication_credentials_available");
    r.has_credentials = row.flag("has_replication_credentials");
}

fn overlay_semi_sync_and_group(i: &mut Instance, row: &Row) {
    let s = &mut i.semi_sync;
    s.priority = row.count("semi_sync_enforced");
    s.available = row.flag("semi_sync_available");
    s.source_enabled = row.flag("semi_sync_master_enabled");
    s.source_timeout_ms = row.count("semi_sync_master_timeout");
    s.source_wait_for = row.count("semi_sync_master_wait_for_slave_count");
    s.source_active = row.flag("semi_sync_master_status");
    s.source_clients = row.count("semi_sync_master_clients");
    s.replica_active = row.flag("semi_sync_replica_status");
    s.replica_enabled = row.flag("semi_sync_replica_enabled");
    let g = &mut i.group;
    g.name = row.text("replication_group_name");
    // The column's default is 1 for servers in no group.
    g.single_primary = !g.name.is_empty() && row.flag("replication_group_is_single_primary_mode");
    g.state = row.text("replication_group_member_state");
    g.role = row.text("replication_group_member_role");
    g.members = text::parse_keys(&row.text("replication_group_members"));
    g.primary = row.key_of("replication_group_primary_host", "replication_group_primary_port");
}

/// The source; the original writes `_` and zero for "none" in some rows.
fn source_of(row: &Row) -> InstanceKey {
    let key = row.key_of("master_host", "master_port");
    if key.hostname == "_" { InstanceKey::default() } else { key }
}

/// The state of a thread. Rows older than the state column have its default 0 and only the running flag is true.
fn thread_state(row: &Row, state: &str, running: &str) -> ThreadState {
    match ThreadState::from_code(row.int(state)) {
        ThreadState::Stopped if row.flag(running) => ThreadState::Running,
        known => known,
    }
}

/// The moment of the JSON when it is the column's to the second, else the column's.
fn sharper(json: Option<DateTime<Utc>>, column: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    match (json, column) {
        (Some(json), Some(column)) if json.timestamp() == column.timestamp() => Some(json),
        (_, column) => column,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rich() -> Instance {
        let at = DateTime::from_timestamp(1_767_225_845, 678_000_000);
        let mut i = Instance::unseen(InstanceKey::new("db1.example", 3306));
        i.version = "10.11.6-MariaDB-log".to_owned();
        i.super_read_only = Some(true);
        i.gtid_domain_id = Some(7);
        i.semi_sync.priority = 2_586;
        i.semi_sync.source_new_names = true;
        i.executed_gtid = "x".repeat(70_000);
        i.region = "a region with more than thirty-two bytes".to_owned();
        i.replication.source = InstanceKey::new("//db0.example", 3306);
        i.replication.mariadb_using_gtid = "Current_Pos".to_owned();
        i.replication.receiver = ThreadState::Other;
        i.replication.receiver_errno = 2003;
        i.replication.receiver_error = "error 2003: K\u{f6}ln".to_owned();
        i.replication.tls.ca_file = "/etc/ca.pem".to_owned();
        i.replication.relay = BinlogCoordinates::relay("relay.000002", 4);
        i.channels = vec![Replication { channel: "east".to_owned(), ..Replication::default() }];
        i.check.last_checked = at;
        i.check.last_seen = at;
        i.check.partial_success = true;
        i.check.error = "too slow".to_owned();
        i
    }

    fn read_back(row: InstanceRow) -> Instance {
        let columns = row.cells.iter().enumerate().map(|(at, (name, _))| ((*name).to_owned(), at)).collect();
        let cells = row.cells.into_iter().map(|(_, value)| value).collect();
        from_row(Row::new(std::sync::Arc::new(columns), cells), &row.extra)
    }

    #[test]
    fn nothing_is_lost_with_or_without_limits() {
        let mut short = rich();
        short.executed_gtid.truncate(40);
        assert_eq!(read_back(to_row(&short, false)), short);
        let row = to_row(&rich(), true);
        assert_eq!(row.misfits, vec!["executed_gtid_set", "region", "semi_sync_enforced"]);
        assert_eq!(read_back(row), rich());
    }

    #[test]
    fn there_are_all_columns_of_the_table_each_once() {
        let row = to_row(&Instance::default(), true);
        let names: std::collections::BTreeSet<_> = row.cells.iter().map(|(name, _)| *name).collect();
        assert_eq!((names.len(), row.cells.len()), (78, 78));
        assert_eq!(row.extra, "{}");
        assert!(row.misfits.is_empty());
    }

    #[test]
    fn a_column_that_changed_since_wins_over_the_json() {
        let mut row = to_row(&rich(), true);
        for (name, value) in &mut row.cells {
            match *name {
                "region" => *value = Value::from("elsewhere"),
                "mariadb_gtid" => *value = Value::Int(0),
                "last_checked" => *value = Value::from("2026-02-01T00:00:00Z"),
                _ => {}
            }
        }
        let read = read_back(row);
        assert_eq!(read.region, "elsewhere");
        assert!(!read.replication.uses_mariadb_gtid());
        assert_eq!(read.check.last_checked, DateTime::from_timestamp(1_769_904_000, 0));
        assert_eq!(read.semi_sync.priority, 2_586);
    }
}
