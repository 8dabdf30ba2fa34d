//! Rows of replication status to [`Replication`] (`spec/discovery.md` 5.2, 5.3, 17).

use app::topology::{Replication, ReplicationTls, ThreadState};
use app::{BinlogCoordinates, InstanceKey};

use super::record::{Record, is_on};

/// Columns that name a replication filter, the rewrite rule included.
const FILTERS: [&str; 9] = [
    "Replicate_Do_DB",
    "Replicate_Ignore_DB",
    "Replicate_Do_Table",
    "Replicate_Ignore_Table",
    "Replicate_Wild_Do_Table",
    "Replicate_Wild_Ignore_Table",
    "Replicate_Rewrite_DB",
    "Replicate_Do_Domain_Ids",
    "Replicate_Ignore_Domain_Ids",
];

/// Channels by name for group replication itself; they are no replication from a source.
const GROUP_CHANNELS: [&str; 2] = ["group_replication_applier", "group_replication_recovery"];

/// All channels of a server, the group's own left out. `receivers` are rows of the performance schema by channel
/// and may be empty.
pub fn channels(status: &[Record], receivers: &[Record], credentials_available: bool) -> Vec<Replication> {
    status
        .iter()
        .map(|row| channel(row, receivers, credentials_available))
        .filter(|channel| !GROUP_CHANNELS.contains(&channel.channel.as_str()))
        .collect()
}

/// The channel that is managed: the default one, else the first in the server's order.
pub fn managed(channels: &[Replication]) -> Replication {
    channels.iter().find(|c| c.channel.is_empty()).or_else(|| channels.first()).cloned().unwrap_or_default()
}

fn channel(row: &Record, receivers: &[Record], credentials_available: bool) -> Replication {
    let name = row.text(&["Channel_Name", "Connection_name"]);
    let receiver = receivers.iter().find(|r| r.get("CHANNEL_NAME").unwrap_or_default() == name);
    let user = row.text(&["Source_User", "Master_User"]);
    Replication {
        source: InstanceKey::new(
            row.text(&["Source_Host", "Master_Host"]),
            row.number(&["Source_Port", "Master_Port"]).unwrap_or(0),
        ),
        source_uuid: source_uuid(row),
        source_server_id: row.number(&["Source_Server_Id", "Master_Server_Id"]).unwrap_or(0),
        has_credentials: !user.is_empty(),
        user,
        credentials_available,
        receiver: thread(row.first(&["Replica_IO_Running", "Slave_IO_Running"])),
        applier: thread(row.first(&["Replica_SQL_Running", "Slave_SQL_Running"])),
        receiver_status: row.text(&["Replica_IO_State", "Slave_IO_State"]),
        receiver_errno: row.number(&["Last_IO_Errno"]).unwrap_or(0),
        receiver_error: row.text(&["Last_IO_Error"]),
        applier_errno: row.number(&["Last_SQL_Errno"]).unwrap_or(0),
        applier_error: row.text(&["Last_SQL_Error"]),
        read: binary(row, &["Source_Log_File", "Master_Log_File"], &["Read_Source_Log_Pos", "Read_Master_Log_Pos"]),
        exec: binary(
            row,
            &["Relay_Source_Log_File", "Relay_Master_Log_File"],
            &["Exec_Source_Log_Pos", "Exec_Master_Log_Pos"],
        ),
        relay: BinlogCoordinates::relay(row.text(&["Relay_Log_File"]), row.number(&["Relay_Log_Pos"]).unwrap_or(0)),
        retrieved_gtid: gtid_text(row.first(&["Retrieved_Gtid_Set", "Gtid_IO_Pos"])),
        auto_position: row.switch(&["Auto_Position"]).unwrap_or(false),
        mariadb_using_gtid: row.text(&["Using_Gtid"]),
        has_filters: FILTERS.iter().any(|column| row.get(column).is_some_and(|value| !value.is_empty())),
        seconds_behind: row
            .number::<i64>(&["Seconds_Behind_Source", "Seconds_Behind_Master"])
            .map(|seconds| seconds.max(0)),
        delay: row.number(&["SQL_Delay"]).unwrap_or(0),
        connect_retry: row.number(&["Connect_Retry"]).unwrap_or(0),
        retry_count: row.number(&["Source_Retry_Count", "Master_Retry_Count"]),
        heartbeat_period_ms: heartbeat_period(row, receiver),
        heartbeat_age_ms: receiver.and_then(|r| r.number::<i64>(&["heartbeat_age_us"])).map(microseconds_to_ms),
        heartbeats: row.number(&["Slave_received_heartbeats", "Replica_received_heartbeats"]),
        unchanged_since: None,
        tls: tls(row, receiver),
        channel: name,
    }
}

/// The text that the compatible API has for a server that reports no UUID of its source is `No`.
fn source_uuid(row: &Record) -> String {
    if row.has("Source_UUID") || row.has("Master_UUID") {
        row.text(&["Source_UUID", "Master_UUID"])
    } else {
        "No".to_owned()
    }
}

fn thread(text: Option<&str>) -> ThreadState {
    text.map_or(ThreadState::NoThread, ThreadState::from_status)
}

fn binary(row: &Record, file: &[&str], position: &[&str]) -> BinlogCoordinates {
    BinlogCoordinates::binary(row.text(file), row.number(position).unwrap_or(0))
}

/// A GTID set as one line: servers break long sets with a newline after each comma.
pub fn gtid_text(text: Option<&str>) -> String {
    text.unwrap_or_default().replace(['\n', '\r'], "")
}

/// The interval is in seconds with a fraction, from either table.
fn heartbeat_period(row: &Record, receiver: Option<&Record>) -> Option<u64> {
    let seconds = receiver
        .and_then(|r| r.number::<f64>(&["HEARTBEAT_INTERVAL"]))
        .or_else(|| row.number::<f64>(&["Slave_heartbeat_period", "Replica_heartbeat_period"]))?;
    // The cast saturates; negative and not-a-number become zero.
    Some((seconds * 1000.0).round() as u64)
}

/// Clocks of one server only are compared, but they may step: an age is never negative.
fn microseconds_to_ms(age: i64) -> u64 {
    u64::try_from(age / 1000).unwrap_or(0)
}

/// Status is asked first and the performance schema after it: cipher suites are shown by the latter only.
fn tls(row: &Record, receiver: Option<&Record>) -> ReplicationTls {
    let also = |column: &str| receiver.and_then(|r| r.get(column)).map(str::to_owned);
    ReplicationTls {
        // "Ignored" says that it is configured and that the server was built without TLS.
        allowed: row.first(&["Source_SSL_Allowed", "Master_SSL_Allowed"]) == Some("Yes"),
        ca_file: row.text(&["Source_SSL_CA_File", "Master_SSL_CA_File"]),
        ca_path: row.text(&["Source_SSL_CA_Path", "Master_SSL_CA_Path"]),
        cert: row.text(&["Source_SSL_Cert", "Master_SSL_Cert"]),
        cipher: row.text(&["Source_SSL_Cipher", "Master_SSL_Cipher"]),
        crl_file: row.text(&["Source_SSL_Crl", "Master_SSL_Crl"]),
        crl_path: row.text(&["Source_SSL_Crlpath", "Master_SSL_Crlpath"]),
        key: row.text(&["Source_SSL_Key", "Master_SSL_Key"]),
        verify_server_cert: row
            .first(&["Source_SSL_Verify_Server_Cert", "Master_SSL_Verify_Server_Cert"])
            .filter(|value| !value.is_empty())
            .map(is_on),
        version: row.text(&["Source_TLS_Version", "Master_TLS_Version"]),
        ciphersuites: row
            .first(&["Source_TLS_Ciphersuites", "Master_TLS_Ciphersuites"])
            .map(str::to_owned)
            .or_else(|| also("TLS_CIPHERSUITES"))
            .unwrap_or_default(),
        public_key_path: row.text(&["Source_public_key_path", "Master_public_key_path"]),
        get_public_key: row
            .switch(&["Get_Source_public_key", "Get_master_public_key"])
            .or_else(|| also("GET_PUBLIC_KEY").as_deref().map(is_on)),
    }
}
