//! Names that are not variables: those that once were, and those that look like one.

/// Formerly valid, or written in samples and documents (section 10 of the configuration document).
const RETIRED: &[&str] = &[
    "DatabaselessMode__experimental",
    "BufferBinlogEvents",
    "BinlogFileHistoryDays",
    "MaintenanceOwner",
    "ReadLongRunningQueries",
    "DiscoveryPollSeconds",
    "ActiveNodeExpireSeconds",
    "AuditPageSize",
    "SlaveStartPostWaitMilliseconds",
    "MySQLTopologyMaxPoolConnections",
    "MaintenancePurgeDays",
    "MaintenanceExpireMinutes",
    "HttpTimeoutSeconds",
    "AgentAutoDiscover",
    "PseudoGTIDCoordinatesHistoryHeuristicMinutes",
    "PseudoGTIDPreferIndependentMultiMatch",
    "MaxOutdatedKeysToShow",
    "StatusSimpleHealth",
    "AutoRecoveryGloballyEnabled",
    "MySQLMaxAllowedPacket",
];

/// Whether the name is a comment: the samples use repeated `#` keys.
#[must_use]
pub fn is_comment(name: &str) -> bool {
    name.starts_with(['#', '_']) || name.starts_with("//")
}

/// Whether the name was a variable once and is ignored now.
#[must_use]
pub fn is_retired(name: &str) -> bool {
    RETIRED.iter().any(|retired| retired.eq_ignore_ascii_case(name))
}

/// The known name that is nearest to a mistyped one, if any is near.
#[must_use]
pub fn suggest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    /// A longer text is no slip of the keyboard, and comparing it costs its length times that of each name.
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let limit = (name.len() / 5).max(1);
    known
        .map(|candidate| (distance(&name, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Number of single-character insertions, deletions and replacements between two texts.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for (pair, to) in row.windows(2).zip(&b) {
            let [diagonal, above] = pair else { continue };
            let left = next.last().copied().unwrap_or(i + 1);
            let replaced = diagonal + usize::from(from != *to);
            next.push(replaced.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn a_slip_finds_its_name_and_a_stranger_none() {
        let known = ["RecoverMasterClusterFilters", "ReadOnly", "Debug"];
        let suggestion = |name: &str| suggest(name, known.into_iter());
        assert_eq!(suggestion("RecoverMasterClusterFilter"), Some("RecoverMasterClusterFilters"));
        assert_eq!(suggestion("readonyl"), None);
        assert_eq!(suggestion("Readonl"), Some("ReadOnly"));
        assert_eq!(suggestion("PostMasterFailoverHooks"), None);
        assert_eq!(suggestion(&"D".repeat(100_000)), None);
    }

    #[test]
    fn comments_and_retired_names() {
        assert!(is_comment("#"));
        assert!(is_comment("//note"));
        assert!(!is_comment("Debug"));
        assert!(is_retired("statussimplehealth"));
        assert!(!is_retired("Debug"));
    }
}
