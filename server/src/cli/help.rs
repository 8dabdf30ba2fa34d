//! Help (`spec/cli.md` 9).

use std::fmt::Write as _;

use super::names;
use super::table::{self, Form};

/// Version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a bare call prints on standard output.
pub const BANNER: &str = "
orchestrator: watches, draws and repairs MySQL and MariaDB replication

Run the service:          orchestrator http
Run a command:            orchestrator -c <command> [flags]
List the commands:        orchestrator help
Read about one of them:   orchestrator help relocate
";

/// What a wrong word prints on standard error.
pub const USAGE: &str = "\
Usage:
  orchestrator [flags] http
      the service: page, API, discovery and recovery; flags go before the word
  orchestrator [flags] -c <command> [flags]
      one command, see `orchestrator help`
  orchestrator help [<command>]
      help
";

/// `-version`: version and git commit, one a line.
pub fn version() -> String {
    format!("{VERSION}\n{}\n", option_env!("GIT_COMMIT").unwrap_or_default())
}

/// The list of commands.
pub fn listing() -> String {
    let mut text = String::from("Available commands (-c):\n");
    for group in table::groups() {
        // Writing to a text cannot fail.
        let _infallible = writeln!(text, "{}:", group.title);
        for command in group.commands {
            let _infallible = writeln!(text, "\t{:<40}{}", command.name, command.help);
        }
    }
    text.push_str("Run 'orchestrator help <command>' for detailed help on a command\n\n");
    text.push_str(USAGE);
    text
}

/// Help about one command, by its name or an old one.
pub fn topic(name: &str) -> String {
    let (command, old) = match names::old_name(name) {
        Some(command) => (table::find(command), format!("Old name of {command}. ")),
        None => (table::find(name), String::new()),
    };
    let about = match command {
        Some(command) => format!("{old}{}{}", about(&command), usage(command.name)),
        None => String::new(),
    };
    format!("{name}:\n{about}\n")
}

fn about(command: &table::Command) -> String {
    let note = match command.form {
        Form::Operate(_) => " With -noop the plan is shown and not carried out.",
        Form::Change(_) | Form::ChangeList(_) => " Changes something: refused with -noop.",
        Form::Read(_) | Form::Early => "",
    };
    format!("{}.{note}", command.help)
}

/// How a command is called, and what is good to know about it.
fn usage(name: &str) -> String {
    match ARGUMENTS.iter().find(|(names, ..)| names.split_whitespace().any(|one| one == name)) {
        Some((_, arguments, "")) => format!("\n  orchestrator -c {name} {arguments}"),
        Some((_, arguments, more)) => format!("\n  orchestrator -c {name} {arguments}\n{more}"),
        None => format!("\n  orchestrator -c {name}"),
    }
}

/// Commands, what they take, and more about them. Those that are not here take nothing.
const ARGUMENTS: &[(&str, &str, &str)] = &[
    (
        "relocate relocate-below",
        "-i replica.to.move -d instance.below",
        "By GTID where both have it. What cannot be done is refused, with the rule that forbids it.",
    ),
    (
        "relocate-replicas",
        "-i instance.whose.replicas.move -d instance.below [-pattern REGEX]",
        "Prints those that were moved. The instance need not be alive; -pattern is for host:port.",
    ),
    (
        "take-siblings take-master make-co-master move-up rematch match-up enable-gtid disable-gtid gtid-errant-reset-master skip-query \
         stop-replica start-replica restart-replica reset-replica change-master-credentials detach-replica-master-host \
         reattach-replica-master-host enable-semi-sync-replica disable-semi-sync-replica",
        "-i replica",
        "",
    ),
    (
        "enable-semi-sync-master disable-semi-sync-master set-read-only set-writeable which-gtid-errant locate-gtid-errant \
         last-executed-relay-entry which-instance which-cluster which-master which-replicas instance-status is-replicating \
         is-replication-stopped in-maintenance end-maintenance end-downtime deregister-hostname-unresolve tags discover forget resolve",
        "-i instance",
        "",
    ),
    (
        "regroup-replicas regroup-replicas-gtid regroup-replicas-pgtid regroup-replicas-bls get-candidate-replica",
        "-i instance.whose.replicas.are.meant",
        "",
    ),
    ("move-below", "-i replica -d sibling", ""),
    ("move-gtid match move-equivalent", "-i replica -d instance.below", ""),
    ("move-up-replicas match-up-replicas", "-i instance.whose.replicas.move [-pattern REGEX]", ""),
    ("move-replicas-gtid match-replicas", "-i instance.whose.replicas.move -d instance.below [-pattern REGEX]", ""),
    ("repoint", "-i replica [-d source]", "Without -d: at the source that it has."),
    (
        "repoint-replicas",
        "-i instance.whose.replicas.are.pointed [-d source] [-pattern REGEX]",
        "Without -d: at that instance.",
    ),
    ("master-pos-wait", "-i replica -binlog file:position", "Waits as long as it takes."),
    ("restart-replica-statements", "-i replica [-statement SQL]", "Nothing is sent to the server."),
    ("can-replicate-from", "-i instance -d instance.above", "Prints the latter if it is allowed, else nothing."),
    ("internal-suggest-promoted-replacement", "-i failed.instance -d promoted.instance", ""),
    ("flush-binary-logs", "-i instance [-binlog FILE]", "With -binlog: until that file is reached."),
    (
        "purge-binary-logs",
        "-i instance -binlog FILE",
        "Refused while a known replica has not executed what is before it.",
    ),
    ("last-pseudo-gtid", "-i instance [-strict]", ""),
    ("find-binlog-entry", "-i instance -pattern TEXT", ""),
    ("correlate-relaylog-pos correlate-binlog-pos", "-i instance -d other.instance [-binlog file:position]", ""),
    ("submit-pool-instances", "-pool NAME -i instance,instance", "Without instances the pool is emptied."),
    ("which-heuristic-cluster-pool-instances", "[-alias cluster | -i instance] [-pool NAME]", ""),
    ("find", "-pattern REGEX", "The expression is for host:port and not anchored."),
    ("search", "-pattern TEXT", "In host, port, server id, cluster, version and alias."),
    (
        "topology topology-tabulated",
        "[-alias cluster | -i instance] [-pattern REGEX]",
        "With -pattern: as snapshot-topologies stored it last, of those whose Unix time matches.",
    ),
    (
        "topology-tags which-cluster-alias which-cluster-domain which-heuristic-domain-instance which-cluster-master \
         which-cluster-instances which-cluster-osc-replicas which-cluster-gh-ost-replicas get-cluster-heuristic-lag \
         set-heuristic-domain-instance",
        "[-alias cluster | -i instance]",
        "",
    ),
    (
        "which-downtimed-instances submit-masters-to-kv-stores",
        "[-alias cluster | -i instance]",
        "Of all clusters if none is named.",
    ),
    (
        "create-user",
        "-user NAME [-role viewer|operator|admin] [-clusters a,b*] < file.with.password",
        "Without -clusters: all clusters.",
    ),
    ("set-password", "-user NAME < file.with.password", ""),
    ("delete-user", "-user NAME", ""),
    (
        "create-token",
        "-name NAME [-user MAKER] [-role viewer|operator|admin] [-clusters a,b*] [-days N]",
        "It can never do more than its maker.",
    ),
    ("revoke-token", "-name IDENTITY", ""),
    ("cluster-readiness", "[-alias cluster | -i instance] [-json]", ""),
    ("tag", "-i instance -tag name[=value]", ""),
    ("untag", "-i instance -tag name[=value]", "With a value: only where the tag has it."),
    ("untag-all", "-tag name=value", ""),
    ("tag-value", "-i instance -tag name", ""),
    ("tagged", "-tag name,name=value,~name", "All terms have to hold; ~ or ! negates one."),
    (
        "begin-downtime begin-maintenance",
        "-i instance -reason TEXT [-duration 30m] [-owner NAME]",
        "10 minutes without -duration.",
    ),
    (
        "recover recover-lite",
        "-i failed.instance [-d instance.to.promote] [-accept-loss-of GTIDS]",
        "Prints who was promoted; nothing when there was nothing to do.",
    ),
    ("force-master-failover", "-alias cluster [-accept-loss-of GTIDS]", ""),
    ("force-master-takeover", "-alias cluster -d instance.to.promote [-accept-loss-of GTIDS]", ""),
    (
        "graceful-master-takeover graceful-master-takeover-auto",
        "-alias cluster [-d instance.to.promote]",
        "Prints the new primary and its position.",
    ),
    ("ack-all-recoveries", "-reason TEXT", ""),
    ("ack-cluster-recoveries", "-alias cluster -reason TEXT", ""),
    ("ack-instance-recoveries", "-i failed.instance -reason TEXT", ""),
    ("register-candidate", "-i instance [-promotion-rule prefer]", "prefer, neutral, prefer_not or must_not."),
    ("register-hostname-unresolve", "-i instance -hostname NAME", "An empty name removes it."),
    ("access-token", "[-owner NAME]", ""),
    (
        "custom-command",
        "-hostname NAME -pattern COMMAND",
        "This program works without agents, so it says that there is none.",
    ),
    (
        "sql",
        "-i instance [-duration 10s] \"STATEMENT\"",
        "SELECT, SHOW, EXPLAIN, DESCRIBE or WITH ... SELECT, in a read-only transaction. Nothing else is sent: no second statement,\n\
         no INTO, no locks, and no function that may do more than compute. At most 1000 rows are shown.",
    ),
    (
        "doctor",
        "[-i instance,instance] [-json]",
        "Reads the configuration, looks at the backend and at the servers on record (or those of -i), and changes nothing.\n\
         Exit code 1: something must be done.",
    ),
    ("completions", "bash|zsh|fish", "For bash: source <(orchestrator -c completions bash)"),
    ("help", "", "See also: orchestrator help COMMAND"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_its_help_under_its_names() {
        for command in table::groups().into_iter().flat_map(|group| group.commands) {
            let topic = topic(command.name);
            assert!(topic.contains(&format!("\n  orchestrator -c {}", command.name)), "{topic}");
        }
        let known = table::names();
        for (names, ..) in ARGUMENTS {
            for name in names.split_whitespace() {
                assert!(known.contains(&name), "{name} is no command");
            }
        }
    }

    #[test]
    fn the_listing_has_its_form() {
        let listing = listing();
        assert!(listing.starts_with(
            "Available commands (-c):\nSmart relocation:\n\trelocate                                Move"
        ));
        assert!(listing.contains("\n:\n\thelp"), "the last group has no name");
        assert_eq!(topic("nosuch"), "nosuch:\n\n");
        assert!(topic("relocate").starts_with("relocate:\nMove a replica below another instance"));
        assert_eq!(version().lines().count(), 2);
        assert!(topic("stop-slave").starts_with("stop-slave:\nOld name of stop-replica. Stop replication."));
        assert!(BANNER.starts_with('\n') && BANNER.contains("help relocate"));
    }
}
