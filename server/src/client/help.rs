//! Help of the client.

use std::fmt::Write as _;

use super::{flags, table};
use crate::cli::shells::Program;

const USAGE: &str = "\
Usage: orchestrator-client -c COMMAND [options]
  Examples:
    orchestrator-client -c discover -i db1.example:3306
    orchestrator-client -c topology -a orders
    orchestrator-client -c relocate -i db3.example -d db2.example
    orchestrator-client -c begin-downtime -i db3.example -r \"new disk\" -u 2h

  The service is at ORCHESTRATOR_API (default http://localhost:3000). With several addresses, separated by blanks, the
  leader's is taken. ORCHESTRATOR_INSTANCE is the default of -i. Who asks: ORCHESTRATOR_AUTH_USER and
  ORCHESTRATOR_AUTH_PASSWORD, or ORCHESTRATOR_AUTH_USER_HEADER, or ORCHESTRATOR_AUTH_TOKEN (a bearer token).

";

/// Usage, options, commands.
pub fn text() -> String {
    let mut text = format!("{USAGE}Options:\n{}\nCommands:\n", flags::listing());
    let commands = || table::COMMANDS.iter().copied().flatten();
    let width = commands().map(|command| command.name.len()).max().unwrap_or_default();
    for command in commands() {
        // Writing to a text cannot fail.
        let _infallible = writeln!(text, "  {:<width$}  {}", command.name, command.help);
    }
    text
}

/// The client, for shells and the manual page.
pub fn program() -> Program {
    let commands = table::COMMANDS.iter().copied().flatten().map(|command| (command.name, command.help)).collect();
    Program {
        name: "orchestrator-client",
        about: "commands to a running orchestrator, over HTTP",
        synopsis: &["orchestrator-client -c COMMAND [OPTIONS]"],
        words: &[],
        flags: flags::for_shells(),
        groups: vec![("", commands)],
        sections: &[
            (
                "ENVIRONMENT",
                "ORCHESTRATOR_API: address of the service, or several separated by blanks; the leader is asked. \
                 ORCHESTRATOR_INSTANCE: default of -i. ORCHESTRATOR_AUTH_USER and ORCHESTRATOR_AUTH_PASSWORD: who asks. \
                 ORCHESTRATOR_AUTH_USER_HEADER: a header to send, Name:value. ORCHESTRATOR_AUTH_TOKEN: a bearer token.",
            ),
            ("EXIT STATUS", "0: done. 1: not done; standard error says why."),
            ("FILES", "/etc/profile.d/orchestrator-client.sh is run first if it exists, and may set those variables."),
            ("SEE ALSO", "orchestrator(8)"),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_commands_and_options_are_listed_in_columns() {
        let text = text();
        assert!(text.starts_with("Usage: orchestrator-client -c COMMAND"));
        for name in ["topology ", "which-heuristic-cluster-pool-instances  List", "raft-elect-leader "] {
            assert!(text.contains(&format!("\n  {name}")), "{name}");
        }
        assert!(text.contains("-R, --promotion-rule"));
        let column = |name: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(name)).expect(name);
            line.len() - line.trim_start().trim_start_matches(name).trim_start().len()
        };
        assert_eq!(column("topology-tabulated"), column("raft-health"));
    }
}
