//! The events of transactions that a returned source holds alone, picked out of its binary logs: for people, who look at them and
//! apply again what is worth it.

use app::gtid::{GtidError, GtidSet, MariadbGtid, MariadbGtidPos};

use crate::pseudo_gtid::Event;

/// Which transactions are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// MySQL: these.
    Mysql(GtidSet),
    /// MariaDB: in these domains, what goes beyond this binary log state, server by server. (A position tells the last transaction of a
    /// domain only.)
    Mariadb {
        /// Domains.
        domains: Vec<u32>,
        /// The state (`gtid_binlog_state`) of the server that lacks them.
        state: MariadbGtidPos,
    },
}

impl Wanted {
    /// MySQL: the transactions of this set.
    ///
    /// # Errors
    /// [`GtidError`] when it cannot be read.
    pub fn mysql(set: &str) -> Result<Self, GtidError> {
        GtidSet::parse(set).map(Self::Mysql)
    }

    /// MariaDB: what goes beyond `state` in the domains of `position`.
    ///
    /// # Errors
    /// [`GtidError`] when one of them cannot be read.
    pub fn mariadb(position: &str, state: &str) -> Result<Self, GtidError> {
        let domains = MariadbGtidPos::parse(position)?.entries().iter().map(|gtid| gtid.domain).collect();
        Ok(Self::Mariadb { domains, state: MariadbGtidPos::parse(state)? })
    }

    /// All of them are in the log that this event is one of the first of, or in later ones; `None` when the event does not tell.
    pub fn begins_here(&self, event: &Event) -> Option<bool> {
        match (self, event.kind.as_str()) {
            (Self::Mysql(wanted), "Previous_gtids") => {
                let before = GtidSet::parse(&event.info).ok()?;
                Some(before.intersect(wanted).is_empty())
            }
            (Self::Mariadb { .. }, "Gtid_list") => {
                let before = MariadbGtidPos::parse(event.info.trim_matches(['[', ']'])).ok()?;
                Some(!before.entries().iter().any(|gtid| self.has_mariadb(*gtid)))
            }
            _ => None,
        }
    }

    /// The transaction that an event of this text begins is one of them.
    fn has(&self, info: &str) -> bool {
        match self {
            // SET @@SESSION.GTID_NEXT= 'uuid:7'
            Self::Mysql(wanted) => {
                let one = info.split('\'').nth(1).and_then(|text| GtidSet::parse(text).ok());
                one.is_some_and(|one| !one.intersect(wanted).is_empty())
            }
            // BEGIN GTID 0-1-7 cid=9
            Self::Mariadb { .. } => {
                let text = info.split("GTID ").nth(1).and_then(|rest| rest.split_whitespace().next());
                let one = text.and_then(|text| MariadbGtidPos::parse(text).ok());
                one.is_some_and(|one| one.entries().iter().any(|gtid| self.has_mariadb(*gtid)))
            }
        }
    }

    fn has_mariadb(&self, gtid: MariadbGtid) -> bool {
        let Self::Mariadb { domains, state } = self else { return false };
        let same = |known: &MariadbGtid| (known.domain, known.server) == (gtid.domain, gtid.server);
        let known = state.entries().into_iter().find(same);
        domains.contains(&gtid.domain) && known.is_none_or(|known| known.sequence < gtid.sequence)
    }
}

/// Looks at the events of a log one after the other.
#[derive(Debug, Clone)]
pub struct Picker {
    wanted: Wanted,
    inside: bool,
}

impl Picker {
    /// Picks events of these transactions.
    pub fn of(wanted: Wanted) -> Self {
        Self { wanted, inside: false }
    }

    /// The event belongs to one of the transactions.
    pub fn takes(&mut self, event: &Event) -> bool {
        match event.kind.as_str() {
            "Gtid" | "Gtid_tagged" | "Tagged_gtid" => self.inside = self.wanted.has(&event.info),
            "Anonymous_Gtid" | "Rotate" | "Stop" | "Format_desc" | "Previous_gtids" | "Gtid_list"
            | "Binlog_checkpoint" => {
                self.inside = false;
            }
            _ => {}
        }
        self.inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "aaaaaaaa-0000-0000-0000-000000000001";
    const NEW: &str = "aaaaaaaa-0000-0000-0000-000000000002";

    fn picked(wanted: Wanted, events: &[(&str, &str)]) -> Vec<usize> {
        let mut picker = Picker::of(wanted);
        let event = |(kind, info): &(&str, &str)| Event {
            kind: (*kind).to_owned(),
            info: (*info).to_owned(),
            ..Event::default()
        };
        events.iter().map(event).enumerate().filter(|(_, event)| picker.takes(event)).map(|(n, _)| n).collect()
    }

    #[test]
    fn on_mysql_whole_transactions_are_picked_by_their_gtid() {
        let next = |n: &str| format!("SET @@SESSION.GTID_NEXT= '{OLD}:{n}'");
        let (one, two, tagged) = (next("7"), next("8"), next("app:3"));
        let events = [
            ("Previous_gtids", "whatever"),
            ("Gtid", one.as_str()),
            ("Query", "BEGIN"),
            ("Xid", "COMMIT"),
            ("Gtid", two.as_str()),
            ("Query", "BEGIN"),
            ("Write_rows", "table_id: 5"),
            ("Xid", "COMMIT"),
            ("Gtid_tagged", tagged.as_str()),
            ("Query", "create table t (id int)"),
            ("Rotate", "binlog.000009;pos=4"),
        ];
        let wanted = |set: String| Wanted::mysql(&set).expect("a set");
        assert_eq!(picked(wanted(format!("{OLD}:8-9")), &events), [4, 5, 6, 7]);
        assert_eq!(picked(wanted(format!("{OLD}:7:app:1-5")), &events), [1, 2, 3, 8, 9]);
        assert!(picked(wanted(format!("{NEW}:1-9")), &events).is_empty());
        assert!(Wanted::mysql("nonsense").is_err());
    }

    #[test]
    fn on_mariadb_what_each_server_wrote_beyond_the_state_is_picked() {
        let events = [
            ("Gtid", "BEGIN GTID 0-1-100"),
            ("Xid", "COMMIT /* xid=9 */"),
            ("Gtid", "BEGIN GTID 0-1-101 cid=12"),
            ("Annotate_rows", "insert into a values (1)"),
            ("Xid", "COMMIT /* xid=10 */"),
            ("Gtid", "GTID 1-1-7"),
            ("Query", "drop table b"),
        ];
        // The other one went on in domain 0 from 100 on, and is far beyond.
        let wanted = Wanted::mariadb("0-1-101", "0-1-100,0-2-250,1-1-3").expect("positions");
        assert_eq!(picked(wanted.clone(), &events), [2, 3, 4]);
        let list = |info: &str| Event { kind: "Gtid_list".into(), info: info.into(), ..Event::default() };
        assert_eq!(wanted.begins_here(&list("[0-1-99,1-1-7]")), Some(true));
        assert_eq!(wanted.begins_here(&list("[0-1-101]")), Some(false));
        assert_eq!(wanted.begins_here(&Event::default()), None);
    }

    #[test]
    fn a_log_tells_whether_an_older_one_must_be_looked_into() {
        let wanted = Wanted::mysql(&format!("{OLD}:8-9")).expect("a set");
        let previous = |info: String| Event { kind: "Previous_gtids".into(), info, ..Event::default() };
        assert_eq!(wanted.begins_here(&previous(format!("{OLD}:1-7"))), Some(true));
        assert_eq!(wanted.begins_here(&previous(format!("{OLD}:1-8"))), Some(false));
        assert_eq!(wanted.begins_here(&previous(String::new())), Some(true));
    }
}
