//! The commands: name, what it is for, and what runs it. Help, dispatch and tests are made from this table.

use futures_util::future::BoxFuture;

use super::bench::{Bench, Outcome};
use super::commands::{
    access, change, domain, matching, moves, node, pools, publish, read, readiness, recover, sql, upkeep,
};

/// What runs a command.
pub type Runner = fn(Bench) -> BoxFuture<'static, Outcome>;

/// How a command is carried out.
pub enum Form {
    /// Reads.
    Read(Runner),
    /// Changes something: not with `-noop`.
    Change(Runner),
    /// The same, with the whole list of `-i` at once.
    ChangeList(Runner),
    /// Changes servers by a plan: with `-noop` it shows the plan.
    Operate(Runner),
    /// Carried out before there is a backend.
    Early,
}

/// One command.
pub struct Command {
    /// Name.
    pub name: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// How it is carried out.
    pub form: Form,
}

/// Commands that belong together.
pub struct Group {
    /// Title; empty for the last one.
    pub title: &'static str,
    /// Its commands.
    pub commands: Vec<Command>,
}

macro_rules! read {
    ($name:literal, $help:literal, $run:path) => {
        Command { name: $name, help: $help, form: Form::Read(|b| Box::pin($run(b))) }
    };
}
macro_rules! change {
    ($name:literal, $help:literal, $run:path) => {
        Command { name: $name, help: $help, form: Form::Change(|b| Box::pin($run(b))) }
    };
}
macro_rules! operate {
    ($name:literal, $help:literal, $run:path) => {
        Command { name: $name, help: $help, form: Form::Operate(|b| Box::pin($run(b))) }
    };
}
macro_rules! early {
    ($name:literal, $help:literal) => {
        Command { name: $name, help: $help, form: Form::Early }
    };
}

/// Commands that print JSON with `-json`.
pub const PRINT_JSON: &[&str] = &["cluster-readiness", "doctor"];

/// Commands that take words behind the flags.
pub const TAKE_WORDS: &[&str] = &["sql", "completions"];

/// Commands that act on nothing, so they may run where the rest is refused for a group of nodes.
pub const HARMLESS: &[&str] = &["doctor", "completions", "man-page"];

/// Commands that the original does not have.
pub const OURS: &[&str] = &[
    "cluster-readiness",
    "sql",
    "doctor",
    "completions",
    "man-page",
    "create-user",
    "set-password",
    "delete-user",
    "users",
    "create-token",
    "tokens",
    "revoke-token",
];

/// All commands, in groups.
pub fn groups() -> Vec<Group> {
    let group = |title, commands| Group { title, commands };
    vec![
        group("Smart relocation", smart_relocation()),
        group("Classic file:pos relocation", classic_relocation()),
        group(
            "Binlog server relocation",
            vec![operate!(
                "regroup-replicas-bls",
                "Regroup binlog server replicas of an instance under one of them",
                moves::regroup_binlog_servers
            )],
        ),
        group("GTID relocation", gtid_relocation()),
        group("Pseudo-GTID relocation", pseudo_gtid_relocation()),
        group("Replication, general", replication()),
        group("Replication information", replication_information()),
        group("Instance", instance()),
        group("Binary logs", binary_logs()),
        group("Pools", pools()),
        group("Information", information()),
        group(
            "Key-value",
            vec![change!(
                "submit-masters-to-kv-stores",
                "Write the primaries of clusters to the key-value stores",
                publish::submit
            )],
        ),
        group("Tags", tags()),
        group("Instance management", management()),
        group("Recovery", recovery()),
        group("Instance, meta", instance_meta()),
        group("Users and tokens", accounts()),
        group("Meta", meta()),
        group("", hidden()),
    ]
}

/// The command of this name.
pub fn find(name: &str) -> Option<Command> {
    groups().into_iter().flat_map(|group| group.commands).find(|command| command.name == name)
}

/// The names of all commands.
pub fn names() -> Vec<&'static str> {
    groups().into_iter().flat_map(|group| group.commands).map(|command| command.name).collect()
}

fn smart_relocation() -> Vec<Command> {
    vec![
        operate!("relocate", "Move a replica below another instance", change::relocate),
        operate!("relocate-below", "Old name of relocate", change::relocate),
        operate!(
            "relocate-replicas",
            "Move all or matching replicas of an instance below another one",
            change::relocate_replicas
        ),
        operate!("take-siblings", "Move the siblings of a replica below it", moves::take_siblings),
        operate!("regroup-replicas", "Make one of an instance's replicas the source of its siblings", moves::regroup),
    ]
}

fn classic_relocation() -> Vec<Command> {
    vec![
        operate!("move-up", "Make a replica a sibling of its source", moves::up),
        operate!("move-up-replicas", "Move the replicas of an instance one level up", moves::up_replicas),
        operate!("move-below", "Move a replica below its sibling", moves::below),
        operate!("move-equivalent", "Move a replica by recorded equivalent coordinates", moves::equivalent),
        operate!("repoint", "Point a replica at another source without changing coordinates", moves::repoint),
        operate!("repoint-replicas", "Point the replicas of an instance at it anew", moves::repoint_replicas),
        operate!("take-master", "Let a replica and its source change places", moves::take_source),
        operate!("make-co-master", "Make an instance's source replicate from it", moves::make_co_source),
        read!("get-candidate-replica", "Show the replica best fit for promotion", moves::candidate),
    ]
}

fn gtid_relocation() -> Vec<Command> {
    vec![
        operate!("move-gtid", "Move a replica below another instance by GTID", moves::gtid),
        operate!(
            "move-replicas-gtid",
            "Move the replicas of an instance below another one by GTID",
            moves::replicas_gtid
        ),
        operate!("regroup-replicas-gtid", "Regroup the replicas of an instance by GTID", moves::regroup_gtid),
    ]
}

fn pseudo_gtid_relocation() -> Vec<Command> {
    vec![
        operate!("match", "Move a replica below another instance by pseudo-GTID", matching::below),
        operate!("match-up", "Move a replica one level up by pseudo-GTID", matching::up),
        operate!("rematch", "Attach a replica to its own source anew by pseudo-GTID", matching::again),
        operate!(
            "match-replicas",
            "Move the replicas of an instance below another one by pseudo-GTID",
            matching::replicas
        ),
        operate!(
            "match-up-replicas",
            "Move the replicas of an instance one level up by pseudo-GTID",
            matching::up_replicas
        ),
        operate!("regroup-replicas-pgtid", "Regroup the replicas of an instance by pseudo-GTID", matching::regroup),
    ]
}

fn replication() -> Vec<Command> {
    vec![
        operate!("enable-gtid", "Switch a replica to GTID", upkeep::enable_gtid),
        operate!("disable-gtid", "Switch a replica to file and position", upkeep::disable_gtid),
        read!("which-gtid-errant", "Show transactions that an instance's source does not have", read::errant_gtid),
        operate!(
            "gtid-errant-reset-master",
            "Remove errant transactions by resetting the binary log",
            upkeep::reset_errant
        ),
        operate!("skip-query", "Skip one event of a replica that stopped on an error", upkeep::skip_query),
        operate!("stop-replica", "Stop replication", change::stop),
        operate!("start-replica", "Start replication", change::start),
        operate!("restart-replica", "Stop, then start replication", change::restart),
        operate!("reset-replica", "Stop replication and forget the source", upkeep::reset),
        operate!("change-master-credentials", "Set the replication credentials anew", upkeep::set_credentials),
        operate!(
            "detach-replica-master-host",
            "Break the source's host name, to be undone by reattaching",
            change::detach
        ),
        operate!("reattach-replica-master-host", "Undo a detach", change::reattach),
        read!("master-pos-wait", "Wait until a position of the source is executed", moves::wait_for_position),
        operate!("enable-semi-sync-master", "Switch the source side of semi-sync on", upkeep::enable_semi_sync_source),
        operate!(
            "disable-semi-sync-master",
            "Switch the source side of semi-sync off",
            upkeep::disable_semi_sync_source
        ),
        operate!(
            "enable-semi-sync-replica",
            "Switch the replica side of semi-sync on",
            upkeep::enable_semi_sync_replica
        ),
        operate!(
            "disable-semi-sync-replica",
            "Switch the replica side of semi-sync off",
            upkeep::disable_semi_sync_replica
        ),
        read!(
            "restart-replica-statements",
            "Show the statements that would restart replication around another one",
            upkeep::restart_statements
        ),
    ]
}

fn replication_information() -> Vec<Command> {
    vec![
        read!(
            "can-replicate-from",
            "Show the destination if the instance may replicate from it",
            read::can_replicate_from
        ),
        read!("is-replicating", "Show the instance if it replicates", read::is_replicating),
        read!(
            "is-replication-stopped",
            "Show the instance if its replication is stopped",
            read::is_replication_stopped
        ),
    ]
}

fn instance() -> Vec<Command> {
    vec![
        operate!("set-read-only", "Make an instance read-only", change::set_read_only),
        operate!("set-writeable", "Make an instance writeable", change::set_writeable),
    ]
}

fn binary_logs() -> Vec<Command> {
    vec![
        operate!("flush-binary-logs", "Flush binary logs", upkeep::flush_binary_logs),
        operate!("purge-binary-logs", "Purge binary logs", upkeep::purge_binary_logs),
        read!("last-pseudo-gtid", "Find the last pseudo-GTID entry", matching::last),
        read!("locate-gtid-errant", "Find the binary logs that hold errant transactions", upkeep::locate_errant),
        read!("last-executed-relay-entry", "Find the last executed relay log event", matching::last_relay),
        read!("correlate-relaylog-pos", "Find an event in a sibling's relay log", matching::correlate_relay),
        read!("find-binlog-entry", "Find an entry in the binary logs", matching::find),
        read!(
            "correlate-binlog-pos",
            "Find the matching position in another instance's binary logs",
            matching::correlate
        ),
    ]
}

fn pools() -> Vec<Command> {
    vec![
        Command {
            name: "submit-pool-instances",
            help: "Replace the instances of a pool",
            form: Form::ChangeList(|b| Box::pin(pools::submit(b))),
        },
        read!("cluster-pool-instances", "List the pools of clusters", pools::of_clusters),
        read!(
            "which-heuristic-cluster-pool-instances",
            "List the instances of a cluster that are in a pool",
            pools::heuristic
        ),
    ]
}

fn information() -> Vec<Command> {
    vec![
        read!("find", "Find instances by regular expression", read::find),
        read!("search", "Search instances by text", read::search),
        read!("all-instances", "List all instances", read::all_instances),
        read!("clusters", "List all clusters", read::clusters),
        read!("clusters-alias", "List all clusters with their aliases", read::clusters_alias),
        read!("all-clusters-masters", "List the writeable primary of each cluster", read::primaries),
        read!("topology", "Draw the tree of a cluster", read::topology),
        read!("topology-tabulated", "Draw the tree of a cluster in columns", read::topology_tabulated),
        read!("topology-tags", "Draw the tree of a cluster with tags", read::topology_tags),
        read!("which-instance", "Show the full key of an instance", read::which_instance),
        read!("which-cluster", "Show the cluster of an instance", read::which_cluster),
        read!("which-cluster-alias", "Show the alias of a cluster", read::which_cluster_alias),
        read!("which-cluster-domain", "Show the domain of a cluster", read::which_cluster_domain),
        read!(
            "which-heuristic-domain-instance",
            "Show the instance registered as writer of a cluster's domain",
            domain::which
        ),
        read!("which-cluster-master", "Show the primary of a cluster", read::which_cluster_primary),
        read!("which-cluster-instances", "List the instances of a cluster", read::which_cluster_instances),
        read!(
            "which-cluster-osc-replicas",
            "List replicas by which a schema change can judge lag",
            read::control_replicas
        ),
        read!("which-cluster-gh-ost-replicas", "List replicas fit for gh-ost", read::online_change_replicas),
        read!("which-master", "Show the source of an instance", read::which_source),
        read!("which-downtimed-instances", "List instances in downtime", read::downtimed),
        read!("which-replicas", "List the replicas of an instance", read::which_replicas),
        read!("which-lost-in-recovery", "List instances that a recovery lost", read::lost_in_recovery),
        read!("instance-status", "Show the status of an instance", read::instance_status),
        read!("get-cluster-heuristic-lag", "Show the largest lag among a cluster's sample replicas", read::cluster_lag),
    ]
}

fn tags() -> Vec<Command> {
    vec![
        read!("tags", "List the tags of an instance", read::tags),
        read!("tag-value", "Show the value of a tag", read::tag_value),
        read!("tagged", "List instances by tags", read::tagged),
        change!("tag", "Set a tag", change::tag),
        change!("untag", "Remove a tag", change::untag),
        change!("untag-all", "Remove a tag from all instances that have it with a value", change::untag_all),
    ]
}

fn management() -> Vec<Command> {
    vec![
        change!("discover", "Look at an instance and remember it", change::discover),
        change!("forget", "Forget an instance", change::forget),
        change!("begin-maintenance", "Hold an instance for maintenance", change::begin_maintenance),
        change!("end-maintenance", "Release an instance", change::end_maintenance),
        read!("in-maintenance", "Show the instance if it is held for maintenance", read::in_maintenance),
        change!("begin-downtime", "Begin a downtime of an instance", change::begin_downtime),
        change!("end-downtime", "End the downtime of an instance", change::end_downtime),
    ]
}

fn recovery() -> Vec<Command> {
    vec![
        change!("recover", "Recover from a failure of an instance", recover::recover),
        change!("recover-lite", "Recover without hooks", recover::recover_lite),
        change!("force-master-failover", "Replace a cluster's primary whatever its state", recover::force_failover),
        change!(
            "force-master-takeover",
            "Replace a cluster's primary, whatever its state, by a chosen replica",
            recover::force_takeover
        ),
        change!("graceful-master-takeover", "Replace a working primary by a replica", recover::takeover),
        change!(
            "graceful-master-takeover-auto",
            "Replace a working primary by the best replica",
            recover::takeover_auto
        ),
        read!("replication-analysis", "List what is wrong", read::replication_analysis),
        read!(
            "cluster-readiness",
            "Show what would happen if a source of a cluster died now, and why nothing happened",
            readiness::cluster_readiness
        ),
        change!("ack-all-recoveries", "Acknowledge all recoveries", recover::acknowledge_all),
        change!("ack-cluster-recoveries", "Acknowledge the recoveries of a cluster", recover::acknowledge_cluster),
        change!("ack-instance-recoveries", "Acknowledge the recoveries of an instance", recover::acknowledge_instance),
        change!("disable-global-recoveries", "Switch automatic recoveries off", recover::disable),
        change!("enable-global-recoveries", "Switch automatic recoveries on", recover::enable),
        read!("check-global-recoveries", "Show whether automatic recoveries are on", read::check_global_recoveries),
    ]
}

fn instance_meta() -> Vec<Command> {
    vec![
        change!("register-candidate", "Say how welcome an instance is as a new primary", change::register_candidate),
        change!(
            "register-hostname-unresolve",
            "Register a virtual host name for an instance",
            change::register_unresolved
        ),
        change!(
            "deregister-hostname-unresolve",
            "Remove the virtual host name of an instance",
            change::deregister_unresolved
        ),
        change!("set-heuristic-domain-instance", "Register a cluster's primary as writer of its domain", domain::set),
    ]
}

fn meta() -> Vec<Command> {
    vec![
        change!("snapshot-topologies", "Store the topologies as they are now", node::snapshot_topologies),
        early!("continuous", "Run the service without page and API"),
        read!("active-nodes", "List services and commands at work", node::active_nodes),
        change!("access-token", "Make an access token", node::access_token),
        read!("resolve", "Resolve the name of an instance and connect to it", node::resolve),
        change!("reset-hostname-resolve-cache", "Forget resolved host names", node::reset_resolve_cache),
        early!("dump-config", "Show the configuration in force, as JSON"),
        read!("show-resolve-hosts", "List resolved host names", node::resolved_hosts),
        read!("show-unresolve-hosts", "List virtual host names", read::unresolved_hosts),
        change!("redeploy-internal-db", "Deploy the backend's schema anew", node::redeploy),
        read!(
            "internal-suggest-promoted-replacement",
            "Show who would be better than a promoted instance",
            moves::suggest_replacement
        ),
        change!("custom-command", "Run a command on an agent", node::custom_command),
        read!("bulk-instances", "List the keys of all instances", read::bulk_instances),
        read!("bulk-promotion-rules", "List all promotion rules", read::bulk_promotion_rules),
        read!("sql", "Ask an instance by one statement that only reads", sql::run),
        early!("doctor", "Tell what will be different here, and what is missing, without changing anything"),
        early!("completions", "Print what makes a shell complete this program: bash, zsh or fish"),
        early!("man-page", "Print the manual page"),
    ]
}

fn accounts() -> Vec<Command> {
    vec![
        change!("create-user", "Make a user; the password comes on standard input", access::create_user),
        change!("set-password", "Set a user's password, from standard input; their sessions end", access::set_password),
        change!("delete-user", "Remove a user with their sessions and tokens", access::delete_user),
        read!("users", "List users with their role and clusters", access::users),
        change!("create-token", "Make an API token and print it, this once", access::create_token),
        read!("tokens", "List API tokens and when they were used", access::tokens),
        change!("revoke-token", "Make an API token good for nothing", access::revoke_token),
    ]
}

fn hidden() -> Vec<Command> {
    vec![early!("help", "Show this list")]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn all_commands_of_the_original_are_there_once() {
        let names = names();
        let unique: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(unique.len(), names.len());
        assert_eq!(names.len(), 127 + 1 + OURS.len(), "127, help and ours");
        let named = [OURS, PRINT_JSON, TAKE_WORDS, HARMLESS].concat();
        assert!(named.iter().all(|name| unique.contains(name)));
        assert!(find("relocate").is_some_and(|c| matches!(c.form, Form::Operate(_))));
        assert!(find("nosuch").is_none());
    }
}
