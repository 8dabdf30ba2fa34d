//! Which binary logs hold errant transactions (`spec/refactoring.md` 14.2).

use app::gtid::GtidSet;
use app::topology::{Instance, Snapshot};

/// A binary log and what was executed before its first transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinaryLog {
    /// File name.
    pub file: String,
    /// Its `Previous_gtids` event.
    pub previous: GtidSet,
}

/// The logs that hold transactions of `errant`, oldest first; `executed` is what the last log leads to.
pub fn locate(logs: &[BinaryLog], executed: &GtidSet, errant: &GtidSet) -> Vec<String> {
    let ends = logs.iter().skip(1).map(|log| &log.previous).chain([executed]);
    let holds = |(log, end): &(&BinaryLog, &GtidSet)| !end.subtract(&log.previous).intersect(errant).is_empty();
    logs.iter().zip(ends).filter(holds).map(|(log, _)| log.file.clone()).collect()
}

/// Where errant transactions come from: a line for each server that wrote some of them, for people.
pub fn origins(snapshot: &Snapshot, server: &Instance) -> Vec<String> {
    let Ok(errant) = GtidSet::parse(&server.errant_gtid) else { return vec![] };
    let mut lines = vec![];
    for uuid in errant.sources() {
        let written = errant.subtract(&errant.without_sources(&[uuid]));
        let text = uuid.to_string();
        let writer = snapshot.instances.values().find(|i| i.server_uuid == text);
        let by = match writer {
            Some(writer) if writer.key == server.key => "on the server itself".to_owned(),
            Some(writer) => format!("on {}", writer.key),
            None => "on a server that is not known: a former member, or a backup that it was made from".to_owned(),
        };
        lines.push(format!("errant {} was written {by}", written.to_string().replace('\n', "")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn set(ranges: &str) -> GtidSet {
        let text = if ranges.is_empty() { String::new() } else { format!("{UUID}:{ranges}") };
        GtidSet::parse(&text).expect("a set")
    }

    #[test]
    fn each_log_is_judged_by_what_it_adds() {
        let log = |file: &str, previous: &str| BinaryLog { file: file.to_owned(), previous: set(previous) };
        let logs = [log("bin.000001", ""), log("bin.000002", "1-10"), log("bin.000003", "1-20")];
        let found = |errant: &str| locate(&logs, &set("1-30"), &set(errant));
        assert_eq!(found("5"), ["bin.000001"]);
        assert_eq!(found("11:30"), ["bin.000002", "bin.000003"]);
        assert!(found("31").is_empty());
        assert!(locate(&[], &set("1-30"), &set("5")).is_empty());
    }
}
