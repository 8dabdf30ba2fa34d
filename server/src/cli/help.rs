//! Help (`spec/cli.md` 9).

use std::fmt::Write as _;

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
            let note = if matches!(command.form, Form::NotBuilt) { " (not built yet)" } else { "" };
            let _infallible = writeln!(text, "\t{:<40}{}{note}", command.name, command.help);
        }
    }
    text.push_str("Run 'orchestrator help <command>' for detailed help on a command\n\n");
    text.push_str(USAGE);
    text
}

/// Help about one command, by its literal name.
pub fn topic(name: &str) -> String {
    let about = match table::find(name) {
        Some(command) => match command.form {
            Form::NotBuilt => format!("{}. Not built yet in this release.", command.help),
            Form::Operate(_) => {
                format!("{}. With -noop the plan is shown and not carried out.{}", command.help, flags(name))
            }
            Form::Change(_) | Form::ChangeList(_) => {
                format!("{}. Changes something: refused with -noop.{}", command.help, flags(name))
            }
            Form::Read(_) | Form::Early => format!("{}.{}", command.help, flags(name)),
        },
        None => String::new(),
    };
    format!("{name}:\n{about}\n")
}

/// How a command is called, for those that take more than an instance.
fn flags(name: &str) -> &'static str {
    match name {
        "relocate" | "relocate-below" => "\n  orchestrator -c relocate -i replica.to.move -d instance.below",
        "relocate-replicas" => {
            "\n  orchestrator -c relocate-replicas -i instance.whose.replicas.move -d instance.below [-pattern REGEX]"
        }
        "begin-downtime" => "\n  orchestrator -c begin-downtime -i instance -reason TEXT [-duration 30m] [-owner NAME]",
        "register-candidate" => "\n  orchestrator -c register-candidate -i instance -promotion-rule prefer",
        "graceful-master-takeover" | "graceful-master-takeover-auto" => {
            "\n  orchestrator -c graceful-master-takeover -alias cluster [-d instance.to.promote]"
        }
        "force-master-takeover" => "\n  orchestrator -c force-master-takeover -alias cluster -d instance.to.promote",
        "recover" | "recover-lite" => "\n  orchestrator -c recover -i failed.instance [-d instance.to.promote]",
        "ack-all-recoveries" => "\n  orchestrator -c ack-all-recoveries -reason TEXT",
        "ack-cluster-recoveries" => "\n  orchestrator -c ack-cluster-recoveries -alias cluster -reason TEXT",
        "ack-instance-recoveries" => "\n  orchestrator -c ack-instance-recoveries -i failed.instance -reason TEXT",
        "cluster-readiness" => "\n  orchestrator -c cluster-readiness [-alias cluster | -i instance] [-json]",
        "create-user" => {
            "\n  orchestrator -c create-user -user NAME [-role viewer|operator|admin] [-clusters a,b*] < file.with.password"
        }
        "set-password" => "\n  orchestrator -c set-password -user NAME < file.with.password",
        "delete-user" => "\n  orchestrator -c delete-user -user NAME",
        "create-token" => {
            "\n  orchestrator -c create-token -name NAME [-user MAKER] [-role viewer|operator|admin] [-clusters a,b*] [-days N]"
        }
        "revoke-token" => "\n  orchestrator -c revoke-token -name IDENTITY",
        "find" => "\n  orchestrator -c find -pattern REGEX",
        "search" => "\n  orchestrator -c search -pattern TEXT",
        "topology" | "topology-tabulated" | "topology-tags" => {
            "\n  orchestrator -c topology [-alias cluster | -i instance]"
        }
        "tag" | "untag" => "\n  orchestrator -c tag -i instance -tag name=value",
        "tagged" => "\n  orchestrator -c tagged -tag name,name=value,~name",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listing_has_its_form() {
        let listing = listing();
        assert!(listing.starts_with(
            "Available commands (-c):\nSmart relocation:\n\trelocate                                Move"
        ));
        assert!(listing.contains("\n:\n\thelp"), "the last group has no name");
        assert!(listing.contains("not built yet"));
        assert_eq!(topic("nosuch"), "nosuch:\n\n");
        assert!(topic("relocate").starts_with("relocate:\nMove a replica below another instance"));
        assert_eq!(version().lines().count(), 2);
        assert!(BANNER.starts_with('\n') && BANNER.contains("help relocate"));
    }
}
