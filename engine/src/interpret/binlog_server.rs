//! A MaxScale binlog server: it stores and passes on the log of its source, byte by byte, and executes nothing
//! (`spec/discovery.md` 18). It knows few statements, so most of what is told of it follows from what it is.

use app::BinlogCoordinates;
use app::topology::{Capabilities, Instance, ThreadState};

use super::{Filters, InterpretError, RawProbe, replicas, server};

/// The binlog server that these rows describe; `version` is what it says of itself, `last` what was known of it.
///
/// Of the probe its variables (`server_id`, `server_uuid`), channels, registered replicas and binary log are looked at. The end of its
/// binary log is what it has received where it does not tell otherwise.
///
/// # Errors
/// [`InterpretError::NoReplicationStatus`] when it shows no source.
pub fn interpret_binlog_server(
    version: &str,
    raw: &RawProbe,
    filters: &Filters,
    last: &Instance,
) -> Result<Instance, InterpretError> {
    let channels = raw.channels.as_ref().filter(|rows| !rows.is_empty()).ok_or(InterpretError::NoReplicationStatus)?;
    let mut instance = last.clone();
    let version = if version.trim().is_empty() { "0.0.0" } else { version.trim() };
    instance.version = format!("{version}-maxscale");
    instance.version_comment.clear();
    instance.server_id = raw.variables.as_ref().and_then(|row| row.number(&["server_id"])).unwrap_or(0);
    instance.server_uuid = raw.variables.as_ref().map(|row| row.text(&["server_uuid"])).unwrap_or_default();
    (instance.read_only, instance.log_bin, instance.log_replica_updates) = (true, true, true);
    instance.binlog_format = "INHERIT".to_owned();
    instance.uptime = 0;
    // It was asked and speaks the old words, whatever its version text looks like.
    instance.capabilities = Capabilities { known: true, ..Capabilities::default() };
    super::channels(&mut instance, channels, raw);
    if is_first_release(version) {
        as_first_release_means(&mut instance, raw);
    }
    let received = &instance.replication.read;
    let told = raw.binary_log.as_deref().map(server::binary_log).filter(|at| !at.is_empty());
    instance.binlog = told.unwrap_or_else(|| BinlogCoordinates::binary(received.file.clone(), received.position));
    let registered = raw.registered_replicas.as_deref().unwrap_or_default();
    instance.replicas = replicas::replicas(&instance.key, registered, &[], filters);
    instance.lag = instance.replication.seconds_behind;
    Ok(instance)
}

/// MaxScale 1.1.0, which names its source and tells of its receiver in its own way.
pub fn is_first_release(version: &str) -> bool {
    version.contains("1.1.0")
}

/// The source is what it calls its own host name, and its receiver runs only if it says that it dumps a log.
fn as_first_release_means(server: &mut Instance, raw: &RawProbe) {
    let host = raw.variables.as_ref().map(|row| row.text(&["hostname"])).unwrap_or_default();
    for channel in server.channels.iter_mut().chain([&mut server.replication]) {
        if !host.is_empty() {
            channel.source.hostname.clone_from(&host);
        }
        if channel.receiver.is_running() && channel.receiver_status != "Binlog Dump" {
            channel.receiver = ThreadState::Other;
        }
    }
}

#[cfg(test)]
mod tests {
    use app::InstanceKey;
    use app::topology::Flavor;

    use super::*;
    use crate::interpret::Record;

    fn record(cells: &[(&str, &str)]) -> Record {
        Record::new(cells.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))))
    }

    fn raw() -> RawProbe {
        RawProbe {
            variables: Some(record(&[("server_id", "77")])),
            channels: Some(vec![record(&[
                ("Master_Host", "db1"),
                ("Master_Port", "3306"),
                ("Master_User", "repl"),
                ("Slave_IO_Running", "Yes"),
                ("Slave_SQL_Running", "Yes"),
                ("Master_Log_File", "bin.000007"),
                ("Read_Master_Log_Pos", "900"),
                ("Relay_Master_Log_File", "bin.000007"),
                ("Exec_Master_Log_Pos", "900"),
                ("Seconds_Behind_Master", "0"),
            ])]),
            registered_replicas: Some(vec![record(&[("Host", "db2"), ("Port", "3306"), ("Server_id", "2")])]),
            ..RawProbe::default()
        }
    }

    #[test]
    fn what_it_does_not_tell_follows_from_what_it_is() {
        let last = Instance::unseen(InstanceKey::new("relay", 5308));
        let seen = interpret_binlog_server("22.08.1", &raw(), &Filters::default(), &last).expect("a binlog server");
        assert_eq!((seen.flavor(), seen.version.as_str()), (Flavor::MaxScale, "22.08.1-maxscale"));
        assert!(seen.read_only && seen.log_bin && seen.log_replica_updates && seen.is_replica());
        assert_eq!((seen.server_id, seen.binlog.to_string().as_str()), (77, "bin.000007:900"));
        assert_eq!(seen.replicas, [InstanceKey::new("db2", 3306)]);
        assert_eq!(crate::statements::Dialect::of(&seen).words, crate::statements::Words::MySqlOld);
    }

    #[test]
    fn the_first_release_names_its_source_elsewhere_and_runs_only_if_it_dumps() {
        let last = Instance::unseen(InstanceKey::new("relay", 5308));
        let mut raw = raw();
        raw.variables = Some(record(&[("hostname", "db7"), ("server_id", "77")]));
        let seen = interpret_binlog_server("1.1.0", &raw, &Filters::default(), &last).expect("a binlog server");
        assert_eq!((seen.server_id, &seen.replication.source), (77, &InstanceKey::new("db7", 3306)));
        assert_eq!(seen.replication.receiver, ThreadState::Other, "it does not say that it dumps");
        let seen = interpret_binlog_server("1.2.1", &raw, &Filters::default(), &last).expect("a binlog server");
        assert_eq!(seen.replication.source, InstanceKey::new("db1", 3306));
        assert!(seen.replication.receiver.is_running());
    }

    #[test]
    fn one_that_replicates_from_nothing_is_none() {
        let nothing = RawProbe { channels: Some(vec![]), ..raw() };
        let last = Instance::unseen(InstanceKey::new("relay", 5308));
        let error = interpret_binlog_server("2.4", &nothing, &Filters::default(), &last);
        assert_eq!(error, Err(InterpretError::NoReplicationStatus));
    }
}
