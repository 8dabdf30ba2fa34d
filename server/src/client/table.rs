//! The commands (`spec/api.md` 5.5): path, output, and whether it changes something.

use super::output::{self, Output};

/// What a command asks for.
#[derive(Clone, Copy)]
pub enum Call {
    /// Nobody.
    Help,
    /// Nobody: what makes a shell complete this program.
    Completions,
    /// Nobody: the manual page.
    Manual,
    /// Nothing but who leads.
    WhichApi,
    /// The path that the user typed.
    Verbatim,
    /// A pattern of [`super::request`].
    Path(&'static str),
    /// The same, if the node that is asked leads its raft group.
    OfRaftLeader(&'static str),
}

/// A command.
#[derive(Clone, Copy)]
pub struct Command {
    /// Name.
    pub name: &'static str,
    /// What it does, for the list.
    pub help: &'static str,
    /// What it asks for.
    pub call: Call,
    /// It changes something: it must not be asked for twice. What a user typed may.
    pub is_change: bool,
    /// What it prints.
    pub output: Output,
}

const fn read(name: &'static str, path: &'static str, output: Output, help: &'static str) -> Command {
    Command { name, help, call: Call::Path(path), is_change: false, output }
}

const fn change(name: &'static str, path: &'static str, output: Output, help: &'static str) -> Command {
    Command { name, help, call: Call::Path(path), is_change: true, output }
}

const fn raft(name: &'static str, path: &'static str, is_change: bool, output: Output, help: &'static str) -> Command {
    Command { name, help, call: Call::OfRaftLeader(path), is_change, output }
}

/// The instance of an envelope.
const INSTANCE: Output = Output::Key("/Key");
/// An instance key, bare or as details.
const KEY: Output = Output::Key("");
/// Instances.
const INSTANCES: Output = Output::Keys("/Key");
/// Instance keys.
const KEYS: Output = Output::Keys("");
/// Details as they are.
const DETAILS: Output = Output::Text("");
/// The new primary.
const SUCCESSOR: Output = Output::Key("/SuccessorKey");

/// All commands, by what they do.
pub const COMMANDS: &[&[Command]] =
    &[META, DISCOVERY, INFORMATION, RELOCATION, TAGS, MANAGEMENT, REPLICATION, RECOVERY, RAFT];

/// The command that a word means: `slave` is an old word for `replica`, `enslave` for `take`.
pub fn find(word: &str) -> Option<&'static Command> {
    let named = |name: &str| COMMANDS.iter().copied().flatten().find(|command| command.name == name);
    named(word)
        .or_else(|| named(&word.replacen("enslave-", "take-", 1)))
        .or_else(|| named(&word.replacen("slave", "replica", 1)))
}

const META: &[Command] = &[
    Command { name: "help", help: "Show this list", call: Call::Help, is_change: false, output: Output::Nothing },
    Command {
        name: "completions",
        help: "Print what makes a shell complete this program: bash, zsh or fish",
        call: Call::Completions,
        is_change: false,
        output: Output::Nothing,
    },
    Command {
        name: "man-page",
        help: "Print the manual page",
        call: Call::Manual,
        is_change: false,
        output: Output::Nothing,
    },
    Command {
        name: "which-api",
        help: "Show the address of the API that is talked to",
        call: Call::WhichApi,
        is_change: false,
        output: Output::Nothing,
    },
    Command {
        name: "api",
        help: "Ask for any path of the API (-P) and show the JSON answer",
        call: Call::Verbatim,
        is_change: true,
        output: Output::Whole,
    },
];

const DISCOVERY: &[Command] = &[
    change(
        "async-discover",
        "async-discover/{i}",
        Output::KeyOrAsked,
        "Look at an instance and remember it, without waiting",
    ),
    change("discover", "discover/{i}", Output::KeyOrAsked, "Look at an instance and remember it"),
    change("forget", "forget/{i}", Output::Nothing, "Forget an instance"),
    change("forget-cluster", "forget-cluster/{hint}", Output::Nothing, "Forget all instances of a cluster"),
];

const INFORMATION: &[Command] = &[
    read("topology", "topology/{hint}", DETAILS, "Draw the tree of a cluster"),
    read("topology-tabulated", "topology-tabulated/{hint}", DETAILS, "Draw the tree of a cluster in columns"),
    read("topology-tags", "topology-tags/{hint}", DETAILS, "Draw the tree of a cluster with tags"),
    change("snapshot-topologies", "snapshot-topologies", DETAILS, "Store the topologies as they are now"),
    read("clusters", "clusters-info", Output::Special(output::cluster_names), "List all clusters"),
    read(
        "clusters-alias",
        "clusters-info",
        Output::Special(output::names_and_aliases),
        "List all clusters with their aliases",
    ),
    read("search", "search?s={text}", INSTANCES, "Search instances by text"),
    read("instance", "instance/{i}", INSTANCE, "Show the full key of an instance"),
    read("which-instance", "instance/{i}", INSTANCE, "Show the full key of an instance"),
    read("which-master", "instance/{i}", Output::Key("/MasterKey"), "Show the source of an instance"),
    read("which-replicas", "instance-replicas/{i}", INSTANCES, "List the replicas of an instance"),
    read(
        "which-broken-replicas",
        "instance-replicas/{i}",
        Output::Special(output::broken),
        "List the replicas of an instance that stopped on an error",
    ),
    read("which-cluster-instances", "cluster/{hint}", INSTANCES, "List the instances of a cluster"),
    read("which-cluster", "cluster-info/{hint}", Output::Text("/ClusterName"), "Show the name of a cluster"),
    read("which-cluster-alias", "cluster-info/{hint}", Output::Text("/ClusterAlias"), "Show the alias of a cluster"),
    read("which-cluster-master", "master/{hint}", INSTANCE, "Show the primary of a cluster"),
    read("all-clusters-masters", "masters", INSTANCES, "List the writeable primary of each cluster"),
    read("all-instances", "all-instances", INSTANCES, "List all instances"),
    read(
        "which-cluster-osc-replicas",
        "cluster-osc-replicas/{hint}",
        INSTANCES,
        "List replicas by which a schema change can judge lag",
    ),
    read(
        "which-cluster-osc-running-replicas",
        "cluster-osc-replicas/{hint}",
        Output::Special(output::running),
        "The same, those that replicate",
    ),
    read("downtimed", "downtimed[/{hint}]", INSTANCES, "List instances in downtime"),
    read(
        "dominant-dc",
        "masters",
        Output::Special(output::dominant_data_center),
        "Show the data centre that most primaries are in",
    ),
    change(
        "submit-masters-to-kv-stores",
        "submit-masters-to-kv-stores[/{alias}]",
        Output::Special(output::pairs),
        "Publish the primaries in the key-value stores",
    ),
];

const RELOCATION: &[Command] = &[
    change("relocate", "relocate/{i}/{d}", Output::Moved, "Move a replica below another instance"),
    change(
        "relocate-replicas",
        "relocate-replicas/{i}/{d}",
        INSTANCES,
        "Move the replicas of an instance below another one",
    ),
    change("match", "match/{i}/{d}", Output::Moved, "Move a replica below another instance by pseudo-GTID"),
    change("match-up", "match-up/{i}", Output::Moved, "Move a replica one level up by pseudo-GTID"),
    change(
        "match-up-replicas",
        "match-up-replicas/{i}",
        INSTANCES,
        "Move the replicas of an instance one level up by pseudo-GTID",
    ),
    change("move-up", "move-up/{i}", Output::Moved, "Make a replica a sibling of its source"),
    change("move-below", "move-below/{i}/{d}", Output::Moved, "Move a replica below its sibling"),
    change(
        "move-equivalent",
        "move-equivalent/{i}/{d}",
        Output::Moved,
        "Move a replica by recorded equivalent coordinates",
    ),
    change("move-up-replicas", "move-up-replicas/{i}", INSTANCES, "Move the replicas of an instance one level up"),
    change("make-co-master", "make-co-master/{i}", Output::Moved, "Make an instance's source replicate from it"),
    change("take-master", "take-master/{i}", Output::Moved, "Let a replica and its source change places"),
    change("move-gtid", "move-below-gtid/{i}/{d}", Output::Moved, "Move a replica below another instance by GTID"),
    change(
        "move-replicas-gtid",
        "move-replicas-gtid/{i}/{d}",
        INSTANCES,
        "Move the replicas of an instance below another one by GTID",
    ),
    change(
        "repoint",
        "repoint/{i}/{d}",
        Output::Moved,
        "Point a replica at another source without changing coordinates",
    ),
    change("repoint-replicas", "repoint-replicas/{i}", INSTANCES, "Point the replicas of an instance at it anew"),
    change("take-siblings", "take-siblings/{i}", Output::Moved, "Move the siblings of a replica below it"),
];

const TAGS: &[Command] = &[
    read("tags", "tags/{i}", Output::Lines, "List the tags of an instance"),
    read("tag-value", "tag-value/{i}?tag={tag}", DETAILS, "Show the value of a tag"),
    change("tag", "tag/{i}?tag={tag}", KEY, "Set a tag"),
    change("untag", "untag/{i}?tag={tag}", KEYS, "Remove a tag"),
    change("untag-all", "untag-all?tag={tag}", KEYS, "Remove a tag from all instances that have it with a value"),
    read("tagged", "tagged?tag={tag}", KEYS, "List instances by tags"),
];

const MANAGEMENT: &[Command] = &[
    change(
        "submit-pool-instances",
        "submit-pool-instances/{pool}?instances={members}",
        DETAILS,
        "Replace the instances of a pool",
    ),
    read(
        "which-heuristic-cluster-pool-instances",
        "heuristic-cluster-pool-instances/{hint}[/{pool}]",
        INSTANCES,
        "List the instances of a cluster that are in a pool",
    ),
    change("begin-downtime", "begin-downtime/{i}/{owner}/{reason}/{duration}", KEY, "Begin a downtime of an instance"),
    change("end-downtime", "end-downtime/{i}", KEY, "End the downtime of an instance"),
    change("begin-maintenance", "begin-maintenance/{i}/{owner}/{reason}", KEY, "Hold an instance for maintenance"),
    change("end-maintenance", "end-maintenance/{i}", KEY, "Release an instance"),
    change(
        "register-candidate",
        "register-candidate/{i}/{rule}",
        KEY,
        "Say how welcome an instance is as a new primary",
    ),
    change(
        "register-hostname-unresolve",
        "register-hostname-unresolve/{i}/{hostname}",
        KEY,
        "Register a virtual host name for an instance",
    ),
    change(
        "deregister-hostname-unresolve",
        "deregister-hostname-unresolve/{i}",
        KEY,
        "Remove the virtual host name of an instance",
    ),
];

const REPLICATION: &[Command] = &[
    change("stop-replica", "stop-replica/{i}", INSTANCE, "Stop replication"),
    change("stop-replica-nice", "stop-replica-nice/{i}", INSTANCE, "Stop replication when all received is applied"),
    change("start-replica", "start-replica/{i}", INSTANCE, "Start replication"),
    change("restart-replica", "restart-replica/{i}", INSTANCE, "Stop, then start replication"),
    change("reset-replica", "reset-replica/{i}", INSTANCE, "Stop replication and forget the source"),
    change(
        "change-master-credentials",
        "change-master-credentials/{i}",
        INSTANCE,
        "Set the replication credentials anew",
    ),
    change("detach-replica", "detach-replica/{i}", INSTANCE, "Break the source's host name, to be undone"),
    change("reattach-replica", "reattach-replica/{i}", INSTANCE, "Undo a detach"),
    change(
        "detach-replica-master-host",
        "detach-replica-master-host/{i}",
        INSTANCE,
        "Break the source's host name, to be undone",
    ),
    change("reattach-replica-master-host", "reattach-replica-master-host/{i}", INSTANCE, "Undo a detach"),
    change("skip-query", "skip-query/{i}", INSTANCE, "Skip one event of a replica that stopped on an error"),
    read(
        "which-gtid-errant",
        "instance/{i}",
        Output::Text("/GtidErrant"),
        "Show transactions that an instance's source does not have",
    ),
    read(
        "locate-gtid-errant",
        "locate-gtid-errant/{i}",
        Output::Lines,
        "Find the binary logs that hold errant transactions",
    ),
    change(
        "gtid-errant-reset-master",
        "gtid-errant-reset-master/{i}",
        INSTANCE,
        "Remove errant transactions by resetting the binary log",
    ),
    change(
        "gtid-errant-inject-empty",
        "gtid-errant-inject-empty/{i}",
        INSTANCE,
        "Write errant transactions as empty ones on the primary",
    ),
    change(
        "enable-semi-sync-master",
        "enable-semi-sync-master/{i}",
        INSTANCE,
        "Switch the source side of semi-sync on",
    ),
    change(
        "disable-semi-sync-master",
        "disable-semi-sync-master/{i}",
        INSTANCE,
        "Switch the source side of semi-sync off",
    ),
    change(
        "enable-semi-sync-replica",
        "enable-semi-sync-replica/{i}",
        INSTANCE,
        "Switch the replica side of semi-sync on",
    ),
    change(
        "disable-semi-sync-replica",
        "disable-semi-sync-replica/{i}",
        INSTANCE,
        "Switch the replica side of semi-sync off",
    ),
    read(
        "restart-replica-statements",
        "restart-replica-statements/{i}?q={statement}",
        DETAILS,
        "Show the statements that would restart replication around another one",
    ),
    change("delay-replication", "delay-replication/{i}/{seconds}", DETAILS, "Let a replica lag on purpose"),
    read(
        "can-replicate-from",
        "can-replicate-from/{i}/{d}",
        Output::KeyIfTrue,
        "Show the destination if the instance may replicate from it",
    ),
    read("can-replicate-from-gtid", "can-replicate-from-gtid/{i}/{d}", Output::KeyIfTrue, "The same, by GTID"),
    read("is-replicating", "instance/{i}", Output::Special(output::replicating), "Show the instance if it replicates"),
    read(
        "is-replication-stopped",
        "instance/{i}",
        Output::Special(output::stopped),
        "Show the instance if its replication is stopped",
    ),
    change("set-read-only", "set-read-only/{i}", INSTANCE, "Make an instance read-only"),
    change("set-writeable", "set-writeable/{i}", INSTANCE, "Make an instance writeable"),
    change("flush-binary-logs", "flush-binary-logs/{i}", INSTANCE, "Flush binary logs"),
    change("purge-binary-logs", "purge-binary-logs/{i}/{binlog}", INSTANCE, "Purge binary logs"),
    read("last-pseudo-gtid", "last-pseudo-gtid/{i}", DETAILS, "Find the last pseudo-GTID entry"),
];

const RECOVERY: &[Command] = &[
    change("recover", "recover/{i}[/{d}]", KEY, "Recover from a failure of an instance"),
    change(
        "graceful-master-takeover",
        "graceful-master-takeover/{hint}[/{d}]",
        SUCCESSOR,
        "Replace a working primary by a replica",
    ),
    change(
        "graceful-master-takeover-auto",
        "graceful-master-takeover-auto/{hint}[/{d}]",
        SUCCESSOR,
        "Replace a working primary by the best replica",
    ),
    change(
        "force-master-failover",
        "force-master-failover/{hint}",
        SUCCESSOR,
        "Replace a cluster's primary whatever its state",
    ),
    change(
        "force-master-takeover",
        "force-master-takeover/{hint}/{d}",
        SUCCESSOR,
        "Replace a cluster's primary, whatever its state, by a chosen replica",
    ),
    change(
        "ack-cluster-recoveries",
        "ack-recovery/cluster/{hint}?comment={reason}",
        DETAILS,
        "Acknowledge the recoveries of a cluster",
    ),
    change("ack-all-recoveries", "ack-all-recoveries?comment={reason}", DETAILS, "Acknowledge all recoveries"),
    change("disable-global-recoveries", "disable-global-recoveries", DETAILS, "Switch automatic recoveries off"),
    change("enable-global-recoveries", "enable-global-recoveries", DETAILS, "Switch automatic recoveries on"),
    read("check-global-recoveries", "check-global-recoveries", DETAILS, "Show whether automatic recoveries are on"),
    read("replication-analysis", "replication-analysis", Output::Special(output::analysis), "List what is wrong"),
];

const RAFT: &[Command] = &[
    raft("raft-leader", "raft-leader", false, DETAILS, "Show the raft address of the leader"),
    read("raft-health", "raft-health", DETAILS, "Show whether the node is in its raft group"),
    raft("raft-leader-hostname", "status", false, Output::Text("/Hostname"), "Show the host name of the leader"),
    raft("raft-elect-leader", "raft-yield-hint/{hostname}", true, DETAILS, "Make another node the leader"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::v1::table::Table;

    #[test]
    fn all_commands_of_the_original_are_there_once() {
        let names: Vec<&str> = COMMANDS.iter().copied().flatten().map(|command| command.name).collect();
        let unique: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(unique.len(), names.len());
        assert_eq!(names.len(), 105 + 1 + 2, "105, one of them under two names; completions and man-page");
    }

    #[test]
    fn each_path_is_one_of_the_api_and_changes_something_only_if_the_command_does() {
        let routes = Table::new();
        for command in COMMANDS.iter().copied().flatten() {
            let (Call::Path(pattern) | Call::OfRaftLeader(pattern)) = command.call else { continue };
            let path = pattern.split('?').next().expect("a path").replace("{i}", "h/1").replace("{d}", "h/1");
            let (short, long) = (path.split('[').next().expect("a path").to_owned(), path.replace(['[', ']'], ""));
            for path in [short, long] {
                let (route, _) = routes.find(&path).unwrap_or_else(|| panic!("{}: {path}", command.name));
                // `last-pseudo-gtid` reads, and takes the right to change.
                let is_change = route.changes && command.name != "last-pseudo-gtid";
                assert_eq!(is_change, command.is_change, "{}: {path}", command.name);
            }
        }
    }

    #[test]
    fn old_names_are_known() {
        for (word, name) in [
            ("stop-slave", "stop-replica"),
            ("relocate-slaves", "relocate-replicas"),
            ("which-cluster-osc-slaves", "which-cluster-osc-replicas"),
            ("detach-slave-master-host", "detach-replica-master-host"),
            ("enslave-siblings", "take-siblings"),
            ("enslave-master", "take-master"),
            ("topology", "topology"),
        ] {
            assert_eq!(find(word).map(|command| command.name), Some(name), "{word}");
        }
        for word in ["", "nosuch", "topolog"] {
            assert!(find(word).is_none(), "{word}");
        }
    }
}
