//! What a source that was replaced holds and the server in its place does not.

use std::fmt;

use crate::gtid::{GtidError, GtidPosition};
use crate::topology::Instance;

/// What a returned source holds more than the one that replaced it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extra {
    /// Nothing.
    Nothing,
    /// These transactions, as a GTID set or position.
    Transactions(String),
    /// It cannot be told, and why.
    Unknown(String),
}

impl fmt::Display for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("it holds no transactions of its own"),
            Self::Transactions(set) => write!(f, "it holds transactions that its successor does not: {set}"),
            Self::Unknown(why) => write!(f, "whether it holds transactions of its own cannot be told: {why}"),
        }
    }
}

/// Compares a returned source, read first and writable no more, with the server that replaced it, read afterwards: all that the
/// first one has more is its own then.
pub fn extra_transactions(returned: &Instance, successor: &Instance) -> Extra {
    match compare(returned, successor) {
        Ok(extra) => extra,
        Err(error) => Extra::Unknown(error.to_string()),
    }
}

fn compare(returned: &Instance, successor: &Instance) -> Result<Extra, GtidError> {
    let (own, theirs) = (GtidPosition::executed_by(returned)?, GtidPosition::executed_by(successor)?);
    if own.is_empty() {
        return Ok(Extra::Unknown(format!("{} shows no GTIDs", returned.key)));
    }
    let more = own.minus(&theirs)?;
    if !more.is_empty() {
        return Ok(Extra::Transactions(more.to_string().replace('\n', "")));
    }
    let GtidPosition::Mariadb(own) = own else { return Ok(Extra::Nothing) };
    // MariaDB prints the last transaction of each domain. Who is further there may have parted earlier.
    let theirs = if let GtidPosition::Mariadb(theirs) = &theirs { theirs.entries() } else { Vec::new() };
    let told = own.entries().iter().all(|gtid| {
        let same = |known: &&crate::gtid::MariadbGtid| (known.domain, known.server) == (gtid.domain, gtid.server);
        theirs.iter().find(same).is_some_and(|known| known.sequence >= gtid.sequence)
    });
    let why = "MariaDB shows the last transaction of each domain only, and the successor has gone on since";
    Ok(if told { Extra::Nothing } else { Extra::Unknown(why.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "aaaaaaaa-0000-0000-0000-000000000001";
    const NEW: &str = "aaaaaaaa-0000-0000-0000-000000000002";

    fn mysql(executed: &str) -> Instance {
        Instance { version: "8.4.3".into(), executed_gtid: executed.into(), ..Default::default() }
    }

    fn mariadb(executed: &str) -> Instance {
        Instance { version: "10.11.6-MariaDB".into(), executed_gtid: executed.into(), ..Default::default() }
    }

    #[test]
    fn what_only_the_returned_one_has_is_listed() {
        let extra = |own: &str, theirs: &str| extra_transactions(&mysql(own), &mysql(theirs));
        let theirs = format!("{OLD}:1-100,{NEW}:1-5");
        assert_eq!(extra(&format!("{OLD}:1-100"), &theirs), Extra::Nothing);
        assert_eq!(extra(&format!("{OLD}:1-103"), &theirs), Extra::Transactions(format!("{OLD}:101-103")));
        assert!(matches!(extra("", &theirs), Extra::Unknown(_)));
        assert!(matches!(extra("nonsense", &theirs), Extra::Unknown(_)));
    }

    #[test]
    fn mariadb_says_when_it_cannot_tell() {
        let extra = |own: &str, theirs: &str| extra_transactions(&mariadb(own), &mariadb(theirs));
        assert_eq!(extra("0-1-100", "0-1-100"), Extra::Nothing);
        assert_eq!(extra("0-1-103", "0-2-102"), Extra::Transactions("0-1-103".into()));
        assert!(matches!(extra("0-1-103", "0-2-110"), Extra::Unknown(_)));
    }
}
