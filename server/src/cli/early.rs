//! Commands that need no opened backend.

use super::flags::{self, Arguments};
use super::shells::{Program, SHELLS};
use super::{Ending, help, table};
use crate::config::{Loaded, Secrets, Sources};

/// Carries such a command out; `None` for every other.
pub async fn run(name: &str, arguments: &Arguments, loaded: &Loaded, sources: &Sources) -> Option<Ending> {
    Some(match name {
        "help" => Ending::told(help::listing(), 0),
        "dump-config" => Ending::printed(format!("{}\n", loaded.config.to_json_line(Secrets::Reveal))),
        "continuous" => match crate::daemon::run_without_http(loaded.clone(), sources.clone()).await {
            Ok(()) => Ending::default(),
            Err(error) => Ending::fatal(format!("{error:#}")),
        },
        "doctor" => doctor(arguments, loaded).await,
        "completions" => completions(&arguments.words),
        "man-page" => Ending::printed(program().manual(help::VERSION)),
        _ => return None,
    })
}

async fn doctor(arguments: &Arguments, loaded: &Loaded) -> Ending {
    let report = match crate::doctor::examine(loaded, &arguments.instance).await {
        Ok(report) => report,
        Err(error) => return Ending::fatal(error),
    };
    let stdout = if arguments.json {
        match serde_json::to_string_pretty(&report) {
            Ok(json) => format!("{json}\n"),
            Err(error) => return Ending::fatal(error),
        }
    } else {
        report.text()
    };
    Ending { stdout, code: u8::from(report.must_act()), ..Ending::default() }
}

fn completions(words: &[String]) -> Ending {
    let shells = SHELLS.join(", ");
    match words {
        [shell] => match program().completions(shell) {
            Some(text) => Ending::printed(text),
            None => Ending::fatal(format!("shell {shell:?} is not known: expected one of {shells}")),
        },
        _ => Ending::fatal(format!("completions needs one shell: expected -c completions SHELL, one of {shells}")),
    }
}

/// This program, for shells and the manual page.
pub fn program() -> Program {
    let commands = |group: table::Group| {
        (group.title, group.commands.into_iter().map(|command| (command.name, command.help)).collect())
    };
    Program {
        name: "orchestrator",
        about: "watches, draws and repairs MySQL and MariaDB replication",
        synopsis: &["orchestrator [FLAGS] http", "orchestrator [FLAGS] -c COMMAND", "orchestrator help [COMMAND]"],
        words: &["http", "help", "cli"],
        flags: flags::for_shells(),
        groups: table::groups().into_iter().map(commands).collect(),
        sections: &[
            (
                "EXIT STATUS",
                "0: done. 1: not done; the last line on standard error says why. 2: the flags were not understood.",
            ),
            (
                "FILES",
                "/etc/orchestrator.conf.json, then conf/orchestrator.conf.json and orchestrator.conf.json in the working \
                 directory, each on top of the one before; with -config that file and no other.",
            ),
            ("SEE ALSO", "orchestrator-client(8)"),
        ],
    }
}
