//! Which binary logs hold errant transactions (`spec/refactoring.md` 14.2).

use app::gtid::GtidSet;

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
