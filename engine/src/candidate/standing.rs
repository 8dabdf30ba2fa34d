//! How much of what the source wrote each replica holds.
//!
//! The measure is what was received or executed, not what was executed alone (`safety.md`). What a replica wrote by itself counts
//! for nothing: otherwise one stray write would make its server the most advanced of all, and nobody could ever catch up with it.

use std::collections::BTreeMap;

use app::gtid::{GtidError, GtidPosition, GtidSet, MariadbGtidPos, ServerUuid};
use app::topology::Instance;
use app::{BinlogCoordinates, InstanceKey};

/// Where one replica stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What it has executed, its own writes included.
    pub executed: GtidPosition,
    /// What it has received or executed of its source's writes.
    pub held: GtidPosition,
    /// What it wrote by itself; empty when nothing.
    pub errant: String,
    /// Transactions received and not executed.
    pub pending: u128,
}

impl Standing {
    /// Everything it received is executed.
    pub fn is_drained(&self) -> bool {
        self.executed.covers(&self.held)
    }
}

/// Where all replicas of one source stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// By server; servers whose sets could not be read are missing.
    pub standings: BTreeMap<InstanceKey, Standing>,
    /// What is wrong with the sets of the missing ones.
    pub unreadable: BTreeMap<InstanceKey, String>,
    /// What at least one of them holds: a promoted server must have it all (`safety.md` S1).
    pub union: Option<GtidPosition>,
}

impl Survey {
    /// Surveys replicas of `source`, whose last known state tells which older transactions are legitimate.
    pub fn of<'a>(servers: impl IntoIterator<Item = &'a Instance>, source: Option<&Instance>) -> Self {
        let servers: Vec<&Instance> = servers.into_iter().collect();
        let mut survey = Self::default();
        for server in &servers {
            let others = servers.iter().filter(|other| other.key != server.key).copied();
            match standing(server, source, others) {
                Ok(standing) => {
                    survey.standings.insert(server.key.clone(), standing);
                }
                Err(error) => {
                    survey.unreadable.insert(server.key.clone(), error.to_string());
                }
            }
        }
        survey.union = union(survey.standings.values().map(|s| &s.held));
        survey
    }

    /// Surveys replicas of one source of which none uses GTID: what counts is how far each is in its log.
    pub fn by_place<'a>(servers: impl IntoIterator<Item = &'a Instance>) -> Self {
        let mut survey = Self::default();
        for server in servers {
            let channel = &server.replication;
            if channel.exec.is_empty() {
                let reason = "it does not tell how far it is in the log of its source".to_owned();
                survey.unreadable.insert(server.key.clone(), reason);
                continue;
            }
            let (executed, read) =
                (GtidPosition::Place(channel.exec.clone()), GtidPosition::Place(channel.read.clone()));
            let held = executed.union(&read).unwrap_or_else(|_| executed.clone());
            let pending = gap(&held, &executed);
            survey.standings.insert(server.key.clone(), Standing { executed, held, errant: String::new(), pending });
        }
        survey.union = union(survey.standings.values().map(|s| &s.held));
        survey
    }

    /// The server executed all that any server holds.
    pub fn has_executed_all(&self, key: &InstanceKey) -> bool {
        match (self.standings.get(key), &self.union) {
            (Some(standing), Some(union)) => standing.executed.covers(union),
            _ => false,
        }
    }

    /// The server received or executed all that any server holds.
    pub fn holds_all(&self, key: &InstanceKey) -> bool {
        match (self.standings.get(key), &self.union) {
            (Some(standing), Some(union)) => standing.held.covers(union),
            _ => false,
        }
    }
}

/// All of them together; those of the other family than the first are left out (one tree has one family).
pub fn union<'a>(positions: impl IntoIterator<Item = &'a GtidPosition>) -> Option<GtidPosition> {
    let mut all: Option<GtidPosition> = None;
    for position in positions {
        all = match all {
            None => Some(position.clone()),
            Some(sum) => sum.union(position).ok().or(Some(sum)),
        };
    }
    all
}

/// What is in `a` and not in `b`, as text; empty when nothing is.
pub fn missing(a: &GtidPosition, b: &GtidPosition) -> String {
    a.minus(b).map(|rest| rest.to_string().replace('\n', "")).unwrap_or_default()
}

/// None of these replicas uses GTID.
pub fn by_place<'a>(servers: impl IntoIterator<Item = &'a Instance>) -> bool {
    let mut any = false;
    servers.into_iter().all(|server| {
        any = true;
        !server.replication.uses_gtid()
    }) && any
}

/// How many transactions are in `a` and not in `b`; of places in a log, how many bytes are between them.
pub fn gap(a: &GtidPosition, b: &GtidPosition) -> u128 {
    match (a, b) {
        (GtidPosition::Mysql(a), GtidPosition::Mysql(b)) => a.subtract(b).count(),
        (GtidPosition::Mariadb(a), GtidPosition::Mariadb(b)) => b.behind(a).values().map(|n| u128::from(*n)).sum(),
        (GtidPosition::Place(a), GtidPosition::Place(b)) if a > b => distance(b, a),
        _ => 0,
    }
}

/// Bytes from one place to a later one; another file counts as a full one.
fn distance(from: &BinlogCoordinates, to: &BinlogCoordinates) -> u128 {
    let bytes = |at: &BinlogCoordinates| u128::try_from(at.position).unwrap_or(0);
    let files = to.file_number().unwrap_or(0).saturating_sub(from.file_number().unwrap_or(0));
    let whole = u128::from(files) * u128::from(u32::MAX);
    (whole + bytes(to)).saturating_sub(bytes(from)).max(1)
}

fn standing<'a>(
    server: &Instance,
    source: Option<&Instance>,
    others: impl Iterator<Item = &'a Instance>,
) -> Result<Standing, GtidError> {
    let executed = GtidPosition::executed_by(server)?;
    let received = GtidPosition::parse_for(server.flavor(), &server.replication.retrieved_gtid)?;
    let known = source.map(GtidPosition::executed_by).transpose()?;
    let (held, errant) = match (&executed, &received) {
        (GtidPosition::Mysql(executed), GtidPosition::Mysql(received)) => {
            let known = known.as_ref().and_then(mysql).cloned().unwrap_or_default();
            let errant = mysql_errant(server, source, executed, received, &known, others);
            (GtidPosition::Mysql(executed.union(received).subtract(&errant)), errant.to_string().replace('\n', ""))
        }
        (GtidPosition::Mariadb(executed), GtidPosition::Mariadb(received)) => {
            let known = known.as_ref().and_then(mariadb).cloned().unwrap_or_default();
            mariadb_held(server, executed, received, &known)
        }
        _ => (executed.union(&received)?, String::new()),
    };
    let pending = gap(&held, &executed);
    Ok(Standing { executed, held, errant, pending })
}

/// Executed, and neither received on this channel, nor known of the source, nor written on the source, nor held by a
/// second replica. What a co-source writes is as good as what its source writes.
fn mysql_errant<'a>(
    server: &Instance,
    source: Option<&Instance>,
    executed: &GtidSet,
    received: &GtidSet,
    known: &GtidSet,
    others: impl Iterator<Item = &'a Instance>,
) -> GtidSet {
    let mut elsewhere = GtidSet::new();
    let mut alone = true;
    for other in others {
        alone = false;
        if let Ok(GtidPosition::Mysql(theirs)) = GtidPosition::held_by(other) {
            elsewhere = elsewhere.union(&theirs);
        }
    }
    if alone && known.is_empty() {
        // Nothing to compare with: nothing can be said.
        return GtidSet::new();
    }
    let of_source: Vec<ServerUuid> = source
        .map(|s| s.server_uuid.as_str())
        .into_iter()
        .chain([server.replication.source_uuid.as_str()])
        .chain(server.is_co_source.then_some(server.server_uuid.as_str()))
        .filter_map(|uuid| uuid.parse().ok())
        .collect();
    executed.subtract(received).subtract(known).subtract(&elsewhere).without_sources(&of_source)
}

/// A domain whose last transaction was written on this very server, and which the source is not known to have, was
/// written to by hand: there only what was received counts. A co-source may write.
fn mariadb_held(
    server: &Instance,
    executed: &MariadbGtidPos,
    received: &MariadbGtidPos,
    known: &MariadbGtidPos,
) -> (GtidPosition, String) {
    let mut held = received.position();
    let mut errant = MariadbGtidPos::default();
    for gtid in executed.position().entries() {
        let mut one = MariadbGtidPos::default();
        one.add(gtid);
        let own = u64::from(gtid.server) == server.server_id && !server.is_co_source;
        if own && !known.covers(&one) && !known.is_empty() && !received.covers(&one) {
            errant.add(gtid);
        } else {
            held.add(gtid);
        }
    }
    (GtidPosition::Mariadb(held.position()), errant.to_string())
}

fn mysql(position: &GtidPosition) -> Option<&GtidSet> {
    match position {
        GtidPosition::Mysql(set) => Some(set),
        GtidPosition::Mariadb(_) | GtidPosition::Place(_) => None,
    }
}

fn mariadb(position: &GtidPosition) -> Option<&MariadbGtidPos> {
    match position {
        GtidPosition::Mariadb(position) => Some(position),
        GtidPosition::Mysql(_) | GtidPosition::Place(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use app::topology::Replication;

    use super::*;

    const SOURCE: &str = "aaaaaaaa-0000-0000-0000-000000000001";
    const OLDER: &str = "aaaaaaaa-0000-0000-0000-000000000009";
    const OWN: &str = "aaaaaaaa-0000-0000-0000-000000000002";

    fn mysql_replica(name: &str, executed: &str, received: &str) -> Instance {
        Instance {
            key: InstanceKey::new(name, 3306),
            version: "9.7.0".into(),
            server_uuid: OWN.into(),
            executed_gtid: executed.into(),
            replication: Replication {
                retrieved_gtid: received.into(),
                source_uuid: SOURCE.into(),
                ..Default::default()
            },
            ..Default::default()
        }
    }

    fn mariadb_replica(server_id: u64, executed: &str, received: &str) -> Instance {
        Instance {
            key: InstanceKey::new(format!("db{server_id}"), 3306),
            version: "10.11.6-MariaDB".into(),
            server_id,
            executed_gtid: executed.into(),
            replication: Replication { retrieved_gtid: received.into(), ..Default::default() },
            ..Default::default()
        }
    }

    fn of<'a>(survey: &'a Survey, name: &str) -> &'a Standing {
        &survey.standings[&InstanceKey::new(name, 3306)]
    }

    #[test]
    fn what_is_received_and_not_applied_counts() {
        let a = mysql_replica("a", &format!("{SOURCE}:1-10"), &format!("{SOURCE}:5-30"));
        let b = mysql_replica("b", &format!("{SOURCE}:1-20"), &format!("{SOURCE}:5-20"));
        let survey = Survey::of([&a, &b], None);
        assert!(survey.holds_all(&a.key) && !survey.has_executed_all(&a.key));
        assert!(!survey.holds_all(&b.key));
        assert_eq!(of(&survey, "a").pending, 20);
        assert!(of(&survey, "b").is_drained());
    }

    #[test]
    fn what_a_replica_wrote_by_itself_makes_it_no_more_advanced() {
        let source = Instance {
            version: "9.7.0".into(),
            server_uuid: SOURCE.into(),
            executed_gtid: format!("{OLDER}:1-7,{SOURCE}:1-15"),
            ..Default::default()
        };
        let stray = mysql_replica("a", &format!("{OLDER}:1-7,{SOURCE}:1-20,{OWN}:1-3"), "");
        let clean = mysql_replica("b", &format!("{OLDER}:1-7,{SOURCE}:1-20"), "");
        let survey = Survey::of([&stray, &clean], Some(&source));
        assert_eq!(of(&survey, "a").errant, format!("{OWN}:1-3"));
        assert!(survey.has_executed_all(&clean.key));
        assert!(of(&survey, "b").errant.is_empty());
    }

    #[test]
    fn on_mariadb_a_stray_write_does_not_hide_how_far_the_replica_is() {
        let source = mariadb_replica(1, "0-1-100", "");
        let stray = mariadb_replica(2, "0-2-200", "0-1-104");
        let clean = mariadb_replica(3, "0-1-101", "0-1-105");
        let survey = Survey::of([&stray, &clean], Some(&source));
        assert_eq!(of(&survey, "db2").held.to_string(), "0-1-104");
        assert_eq!(of(&survey, "db2").errant, "0-2-200");
        assert_eq!(of(&survey, "db3").pending, 4);
        assert!(survey.holds_all(&clean.key) && !survey.holds_all(&stray.key));
    }

    #[test]
    fn on_mariadb_what_a_former_primary_wrote_is_legitimate() {
        let source = mariadb_replica(1, "0-1-100", "");
        let former = mariadb_replica(2, "0-2-90", "");
        assert!(Survey::of([&former], Some(&source)).standings[&former.key].errant.is_empty());
    }

    #[test]
    fn what_a_co_source_wrote_counts() {
        let source = Instance { is_co_source: true, ..mariadb_replica(1, "0-2-100", "") };
        let other = Instance { is_co_source: true, ..mariadb_replica(2, "0-2-105", "") };
        let survey = Survey::of([&other], Some(&source));
        assert_eq!(survey.standings[&other.key].held.to_string(), "0-2-105");
        assert!(survey.has_executed_all(&other.key));
        let mut source = mysql_replica("s", &format!("{SOURCE}:1-9,{OWN}:1-3"), "");
        source.server_uuid = SOURCE.into();
        let other = Instance { is_co_source: true, ..mysql_replica("a", &format!("{SOURCE}:1-9,{OWN}:1-5"), "") };
        let survey = Survey::of([&other], Some(&source));
        let all = GtidPosition::executed_by(&other).expect("readable");
        assert!(survey.union.is_some_and(|union| union.covers(&all)));
    }

    #[test]
    fn without_gtid_the_place_in_the_log_of_the_source_counts() {
        let replica = |name: &str, read, exec| {
            let mut server = mysql_replica(name, "", "");
            server.replication.read = BinlogCoordinates::binary("bin.000007", read);
            server.replication.exec = BinlogCoordinates::binary("bin.000007", exec);
            server
        };
        let (a, b) = (replica("a", 900, 500), replica("b", 700, 700));
        let survey = Survey::by_place([&a, &b]);
        assert!(by_place([&a, &b]) && !by_place([]));
        assert!(survey.holds_all(&a.key) && !survey.has_executed_all(&a.key));
        assert_eq!(of(&survey, "a").pending, 400);
        assert!(of(&survey, "b").is_drained() && !survey.holds_all(&b.key));
        let silent = mysql_replica("c", "", "");
        assert!(Survey::by_place([&silent]).unreadable[&silent.key].contains("log of its source"));
    }

    #[test]
    fn a_set_that_cannot_be_read_is_named() {
        let broken = mysql_replica("a", "nonsense", "");
        let survey = Survey::of([&broken], None);
        assert!(survey.unreadable[&broken.key].contains("nonsense"));
        assert!(!survey.holds_all(&broken.key));
    }
}
