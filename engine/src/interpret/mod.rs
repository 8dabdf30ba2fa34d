//! Raw rows of a probe to an [`Instance`]: pure, so that a captured row of any server is a test case.
//!
//! A probe that was cut short hands over what it has. What it has not read keeps the value of the last probe, for
//! a server that loses its region in its last poll makes every candidate look like one of another region (`safety.md`).

mod binlog_server;
mod channel;
mod filter;
mod names;
mod record;
mod replicas;
mod server;
mod survey;

use app::topology::{Instance, Replication};

pub use binlog_server::{interpret_binlog_server, is_first_release};
pub use filter::Filters;
pub use names::{NameMethod, Names};
pub use record::{Record, is_on};
pub use survey::{Survey, VARIABLES};

/// What a probe has read. `None`: not read, or not answered; that is not the same as an empty answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawProbe {
    /// One row, a column per variable of the survey.
    pub variables: Option<Record>,
    /// `Variable_name`, `Value`: uptime and semi-sync status.
    pub status: Option<Vec<Record>>,
    /// Position of the own binary log: no row when it is off.
    pub binary_log: Option<Vec<Record>>,
    /// A row per replication channel.
    pub channels: Option<Vec<Record>>,
    /// A row per receiver of the performance schema: `CHANNEL_NAME`, `HEARTBEAT_INTERVAL`, `heartbeat_age_us`, ...
    pub receivers: Option<Vec<Record>>,
    /// Members of the replication group, offline ones left out.
    pub group_members: Option<Vec<Record>>,
    /// `SHOW REPLICAS`.
    pub registered_replicas: Option<Vec<Record>>,
    /// Threads that send the binary log: `USER`, `HOST`.
    pub dump_threads: Option<Vec<Record>>,
    /// The replication credentials can be read.
    pub credentials_available: Option<bool>,
    /// Answer of `ReplicationLagQuery`.
    pub lag: Option<Option<i64>>,
    /// Answers of the queries that classify a server.
    pub classification: Classification,
}

/// Answers of the queries that classify a server (`spec/discovery.md` 12). `None`: not asked, or not answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Classification {
    /// `DetectDataCenterQuery`.
    pub data_center: Option<String>,
    /// `DetectRegionQuery`.
    pub region: Option<String>,
    /// `DetectPhysicalEnvironmentQuery`.
    pub environment: Option<String>,
    /// `DetectInstanceAliasQuery`.
    pub alias: Option<String>,
    /// `DetectSemiSyncEnforcedQuery`.
    pub semi_sync_priority: Option<u64>,
    /// `DetectClusterAliasQuery`.
    pub cluster_alias: Option<String>,
    /// `DetectPseudoGTIDQuery`.
    pub pseudo_gtid: Option<bool>,
}

/// Raw rows that give no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InterpretError {
    /// The variables were not read: nothing can be said.
    #[error("the server's variables were not read")]
    NoVariables,
    /// A binlog server that replicates from nothing is of no use to anybody.
    #[error("the binlog server does not show a source that it replicates from")]
    NoReplicationStatus,
    /// The server is to be named by `report_host`, which is empty.
    #[error(
        "the server is named by its report_host, which is empty: set report_host there, or MySQLHostnameResolveMethod here"
    )]
    NoReportHost,
}

/// The server that these rows describe; `last` is what was known of it, or [`Instance::unseen`].
///
/// Names of other servers are as the server gave them: resolving them needs the world. Position in the tree, errant
/// transactions and times of checks are not the probe's business and stay as they are in `last`.
///
/// # Errors
/// [`InterpretError`] when there is no server to be made of it.
pub fn interpret(
    raw: &RawProbe,
    survey: &Survey,
    names: &Names,
    filters: &Filters,
    last: &Instance,
) -> Result<Instance, InterpretError> {
    let variables = raw.variables.as_ref().ok_or(InterpretError::NoVariables)?;
    let mut instance = last.clone();
    instance.key.hostname = names.own_hostname(&last.key, variables)?;
    instance.capabilities = survey.capabilities;
    server::variables(&mut instance, variables);
    if let Some(status) = &raw.status {
        server::status(&mut instance, status);
    }
    if let Some(rows) = &raw.binary_log {
        instance.binlog = server::binary_log(rows);
    }
    if let Some(rows) = &raw.channels {
        channels(&mut instance, rows, raw);
    }
    if let Some(rows) = &raw.group_members {
        instance.group = server::group(rows, &instance.server_uuid);
    }
    if raw.registered_replicas.is_some() || raw.dump_threads.is_some() {
        let none = Vec::new();
        let registered = raw.registered_replicas.as_ref().unwrap_or(&none);
        let threads = raw.dump_threads.as_ref().unwrap_or(&none);
        instance.replicas = replicas::replicas(&instance.key, registered, threads, filters);
    }
    names.classify(&mut instance);
    server::classification(&mut instance, &raw.classification);
    match raw.lag {
        Some(lag) => instance.lag = lag.map(|seconds| seconds.max(0)),
        None if raw.channels.is_some() => instance.lag = instance.replication.seconds_behind,
        None => {}
    }
    Ok(instance)
}

fn channels(instance: &mut Instance, rows: &[Record], raw: &RawProbe) {
    let credentials = raw.credentials_available.unwrap_or(instance.replication.credentials_available);
    let receivers = raw.receivers.as_deref().unwrap_or_default();
    let mut channels = channel::channels(rows, receivers, credentials);
    if raw.receivers.is_none() {
        keep_receiver_facts(&mut channels, instance);
    }
    instance.replication = channel::managed(&channels);
    instance.channels = if channels.len() > 1 { channels } else { Vec::new() };
}

/// What only the performance schema tells and does not change by itself. The age of a heartbeat does, and is not kept.
fn keep_receiver_facts(channels: &mut [Replication], last: &Instance) {
    for channel in channels {
        let known = last.channels.iter().chain([&last.replication]).find(|known| known.channel == channel.channel);
        if let Some(known) = known.filter(|known| known.source == channel.source) {
            channel.heartbeat_period_ms = channel.heartbeat_period_ms.or(known.heartbeat_period_ms);
            if channel.tls.ciphersuites.is_empty() {
                channel.tls.ciphersuites.clone_from(&known.tls.ciphersuites);
            }
        }
    }
}
