//! Which replicas a server has, from what it reports (`spec/discovery.md` 8).

use std::collections::{BTreeMap, BTreeSet};

use app::InstanceKey;

use super::filter::Filters;
use super::record::Record;

/// Replicas of a server, in key order.
///
/// Two sources are combined. `SHOW REPLICAS` gives `report_host` and `report_port`: true ports, but a host only where
/// somebody configured one. The process list gives the address of everyone who reads the binary log, but no port.
/// - A registered replica with host and port is taken as it says.
/// - If everyone who reads the log is thereby accounted for, that is all.
/// - Each other reader's address is paired with the port of a registration that named no host; when all such
///   registrations have one and the same port, with that one; otherwise, as there is nothing better, with the
///   server's own port.
pub fn replicas(
    own: &InstanceKey,
    registered: &[Record],
    dump_threads: &[Record],
    filters: &Filters,
) -> Vec<InstanceKey> {
    let user = |row: &Record| row.text(&["User"]);
    let mut named = BTreeSet::new();
    let mut per_host: BTreeMap<String, usize> = BTreeMap::new();
    let mut nameless_ports = BTreeSet::new();
    let mut count_named = 0_usize;
    for row in registered {
        let host = row.text(&["Host"]);
        let port: u16 = row.number(&["Port"]).unwrap_or(0);
        if port == 0 {
            continue;
        }
        if host.is_empty() {
            nameless_ports.insert(port);
            continue;
        }
        count_named += 1;
        *per_host.entry(host.clone()).or_default() += 1;
        let key = InstanceKey::new(host, port);
        if filters.admits_replica(&key, &user(row)) {
            named.insert(key);
        }
    }
    // A whole process list has sessions of all kinds; a list of readers does not say what they do.
    let dumps = |row: &&Record| row.get("Command").is_none_or(|command| command.starts_with("Binlog Dump"));
    let dump_threads: Vec<&Record> = dump_threads.iter().filter(dumps).collect();
    if count_named >= dump_threads.len() {
        return named.into_iter().collect();
    }
    let guessed_port = match nameless_ports.iter().collect::<Vec<_>>().as_slice() {
        [only] => **only,
        _ => own.port,
    };
    for row in dump_threads {
        let host = client_host(row.get("Host").unwrap_or_default());
        if let Some(left) = per_host.get_mut(&host).filter(|left| **left > 0) {
            *left -= 1;
            continue;
        }
        let key = InstanceKey::new(host, guessed_port);
        if key.is_valid() && key != *own && filters.admits_replica(&key, &user(row)) {
            named.insert(key);
        }
    }
    named.into_iter().collect()
}

/// The client's address without its port: `10.0.0.1:54321`, `2001:db8::1:54321` or `[2001:db8::1]:54321`. A socket
/// client has no port.
fn client_host(address: &str) -> String {
    let host = match address.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => address,
    };
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registered(host: &str, port: &str) -> Record {
        Record::new([("Host".to_owned(), Some(host.to_owned())), ("Port".to_owned(), Some(port.to_owned()))])
    }

    fn thread(host: &str, user: &str) -> Record {
        Record::new([("HOST".to_owned(), Some(host.to_owned())), ("USER".to_owned(), Some(user.to_owned()))])
    }

    fn found(registered: &[Record], threads: &[Record]) -> Vec<String> {
        let own = InstanceKey::new("db0", 3306);
        replicas(&own, registered, threads, &Filters::default()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn registered_names_and_ports_win_over_addresses() {
        let rows = [registered("db1", "3310"), registered("db1", "3311")];
        let threads = [thread("10.0.0.1:50000", "repl"), thread("10.0.0.1:50001", "repl")];
        assert_eq!(found(&rows, &threads), ["db1:3310", "db1:3311"]);
    }

    #[test]
    fn of_a_whole_process_list_only_readers_count() {
        let session = |host: &str, command: &str| {
            let cells = [("Host", host), ("User", "app"), ("Command", command)];
            Record::new(cells.map(|(name, value)| (name.to_owned(), Some(value.to_owned()))))
        };
        let threads = [session("10.0.0.9:50000", "Sleep"), session("10.0.0.1:50001", "Binlog Dump")];
        assert_eq!(found(&[], &threads), ["10.0.0.1:3306"]);
    }

    #[test]
    fn a_reader_that_nobody_registered_is_found_by_its_address() {
        let rows = [registered("10.0.0.1", "3310")];
        let threads = [thread("10.0.0.1:50000", "repl"), thread("10.0.0.2:50001", "repl")];
        assert_eq!(found(&rows, &threads), ["10.0.0.1:3310", "10.0.0.2:3306"]);
    }

    #[test]
    fn a_registration_without_a_host_lends_its_port() {
        let rows = [registered("", "3310"), registered("", "3310")];
        let threads = [thread("10.0.0.1:50000", "repl"), thread("2001:db8::2:50001", "repl")];
        assert_eq!(found(&rows, &threads), ["10.0.0.1:3310", "2001:db8::2:3310"]);
    }

    #[test]
    fn filters_hold_for_both_sources() {
        let filters = Filters::new(&[], &["db2".to_owned()], &[], &["^canal$".to_owned()]);
        let own = InstanceKey::new("db0", 3306);
        let rows = [registered("db1", "3306"), registered("db2", "3306")];
        let threads = [thread("db1:1", "repl"), thread("db2:1", "repl"), thread("db3:1", "canal")];
        assert_eq!(replicas(&own, &rows, &threads, &filters), [InstanceKey::new("db1", 3306)]);
    }

    #[test]
    fn client_addresses_lose_their_port_only() {
        for (address, host) in
            [("10.0.0.1:5", "10.0.0.1"), ("::1:5", "::1"), ("[::1]:5", "::1"), ("localhost", "localhost")]
        {
            assert_eq!(client_host(address), host);
        }
    }
}
