//! Which command a word means: its name, an old name, or the beginning of one (`spec/cli.md` 11).

/// Old and alternative names.
const SYNONYMS: &[(&str, &str)] = &[
    ("stop-slave", "stop-replica"),
    ("start-slave", "start-replica"),
    ("restart-slave", "restart-replica"),
    ("reset-slave", "reset-replica"),
    ("restart-slave-statements", "restart-replica-statements"),
    ("relocate-slaves", "relocate-replicas"),
    ("regroup-slaves", "regroup-replicas"),
    ("move-up-slaves", "move-up-replicas"),
    ("repoint-slaves", "repoint-replicas"),
    ("enslave-siblings", "take-siblings"),
    ("enslave-master", "take-master"),
    ("get-candidate-slave", "get-candidate-replica"),
    ("move-slaves-gtid", "move-replicas-gtid"),
    ("regroup-slaves-gtid", "regroup-replicas-gtid"),
    ("match-slaves", "match-replicas"),
    ("match-up-slaves", "match-up-replicas"),
    ("regroup-slaves-pgtid", "regroup-replicas-pgtid"),
    ("which-cluster-osc-slaves", "which-cluster-osc-replicas"),
    ("which-cluster-gh-ost-slaves", "which-cluster-gh-ost-replicas"),
    ("which-slaves", "which-replicas"),
    ("detach-slave", "detach-replica-master-host"),
    ("detach-replica", "detach-replica-master-host"),
    ("detach-slave-master-host", "detach-replica-master-host"),
    ("reattach-slave", "reattach-replica-master-host"),
    ("reattach-replica", "reattach-replica-master-host"),
    ("reattach-slave-master-host", "reattach-replica-master-host"),
];

/// What a word was found to mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// This command.
    Command(&'static str),
    /// The beginning of several, none of which all others begin with.
    Several(Vec<&'static str>),
    /// Nothing.
    Unknown,
}

/// The command that an old name means.
pub fn old_name(word: &str) -> Option<&'static str> {
    SYNONYMS.iter().find(|(old, _)| *old == word).map(|(_, name)| *name)
}

/// Looks a word up among the names of commands. The beginning of one name means that one; of several, the
/// shortest if the others only go on where it ends (`topolo` means `topology`).
pub fn meaning(word: &str, names: &[&'static str]) -> Meaning {
    if let Some(name) = names.iter().find(|name| **name == word) {
        return Meaning::Command(name);
    }
    if let Some(name) = old_name(word) {
        return Meaning::Command(name);
    }
    let mut begun: Vec<&'static str> = names.iter().copied().filter(|name| name.starts_with(word)).collect();
    begun.sort_by_key(|name| (name.len(), *name));
    match begun.first() {
        None => Meaning::Unknown,
        _ if word.is_empty() => Meaning::Unknown,
        Some(shortest) if begun.iter().all(|name| name.starts_with(shortest)) => Meaning::Command(shortest),
        Some(_) => Meaning::Several(begun),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NAMES: &[&str] = &[
        "topology",
        "topology-tabulated",
        "topology-tags",
        "tag",
        "tags",
        "tag-value",
        "tagged",
        "stop-replica",
        "detach-replica-master-host",
        "start-replica",
    ];

    #[rstest]
    #[case("topology", "topology")]
    #[case("topolo", "topology")]
    #[case("topology-tab", "topology-tabulated")]
    #[case("tag", "tag")]
    #[case("tag-", "tag-value")]
    #[case("stop-slave", "stop-replica")]
    #[case("detach-replica", "detach-replica-master-host")]
    fn a_word_means_one_command(#[case] word: &str, #[case] command: &str) {
        assert_eq!(meaning(word, NAMES), Meaning::Command(NAMES.iter().find(|n| **n == command).expect("known")));
    }

    #[test]
    fn what_could_be_several_is_none() {
        assert_eq!(meaning("st", NAMES), Meaning::Several(vec!["stop-replica", "start-replica"]));
        assert_eq!(meaning("topology-ta", NAMES), Meaning::Several(vec!["topology-tags", "topology-tabulated"]));
        assert_eq!(meaning("nosuch", NAMES), Meaning::Unknown);
        assert_eq!(meaning("", NAMES), Meaning::Unknown);
    }
}
