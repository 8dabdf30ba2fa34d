//! The client: the commands over HTTP, for machines that have neither configuration nor backend (`spec/api.md` 5). It
//! is one program where the original is a script that needs others.

mod endpoints;
mod environment;
mod flags;
mod help;
mod http;
mod output;
mod request;
mod table;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use app::InstanceKey;
use reqwest::Url;

use crate::cli::Ending;
use crate::cli::help::VERSION;
use endpoints::{EndpointError, masked};
use environment::{Environment, ProfileError};
use flags::{Arguments, FlagError};
use http::{Answer, Credentials, CredentialsError, Http, HttpError};
use output::{Refusal, ShapeError};
use request::{Request, RequestError};
use table::{Call, Command};

pub use environment::PROFILE;
pub use http::PAUSES;

/// What the process knows of its surroundings.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The environment's variables.
    pub variables: HashMap<String, String>,
    /// A file that may set some of them, see [`PROFILE`].
    pub profile: PathBuf,
    /// Name of the operating system's user.
    pub user: String,
    /// Number of this process.
    pub pid: u32,
    /// Pauses between tries, see [`PAUSES`].
    pub pauses: Vec<Duration>,
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error(transparent)]
    Flags(#[from] FlagError),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error("no command given: expected is -c COMMAND; see -c help")]
    NoCommand,
    #[error("unknown command {0:?}; see -c help")]
    UnknownCommand(String),
    #[error("shell {0:?} is not known: expected is -c completions SHELL, one of bash, zsh, fish")]
    Shell(String),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("{command} takes the leader of a raft group, and {base} says that it is {state:?}")]
    NotRaftLeader { command: &'static str, base: String, state: String },
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The service's own words: what goes to standard error, and what to standard output.
    #[error("{message}")]
    Refused { message: String, stdout: String },
}

/// Carries out a command line.
pub async fn run(words: Vec<String>, around: Surroundings) -> Ending {
    let pid = around.pid;
    match perform(words, around).await {
        Ok(stdout) => Ending { stdout, ..Ending::default() },
        Err(Failure::Flags(FlagError::Help)) => Ending { stdout: help::text(), ..Ending::default() },
        Err(Failure::Refused { message, stdout }) => Ending { stdout, stderr: format!("{message}\n"), code: 1 },
        Err(failure) => {
            Ending { stderr: format!("orchestrator-client[{pid}]: {failure}\n"), code: 1, ..Ending::default() }
        }
    }
}

async fn perform(words: Vec<String>, around: Surroundings) -> Result<String, Failure> {
    let environment = Environment::read(&around.variables, &around.profile)?;
    let arguments = Arguments::parse(words, &environment, &around.user)?;
    let command = match arguments.command.as_str() {
        "" => return Err(Failure::NoCommand),
        word => table::find(word).ok_or_else(|| Failure::UnknownCommand(word.to_owned()))?,
    };
    match command.call {
        Call::Help => return Ok(help::text()),
        Call::Manual => return Ok(help::program().manual(VERSION)),
        Call::Completions => {
            let shell = arguments.shell.as_str();
            return help::program().completions(shell).ok_or_else(|| Failure::Shell(shell.to_owned()));
        }
        _ => {}
    }
    // What is missing is told before anybody is asked.
    check(command, &arguments)?;
    let credentials = Credentials::of(&arguments, &environment)?;
    let given = if arguments.api.trim().is_empty() { &environment.api } else { &arguments.api };
    let bases = endpoints::bases(given)?;
    let http = Http::new(&bases, credentials, around.pauses)?;
    let base = endpoints::choose(&http, bases).await?;
    if let Call::WhichApi = command.call {
        return Ok(format!("{base}\n"));
    }
    if let Call::OfRaftLeader(_) = command.call {
        expect_raft_leader(command, &http, &base).await?;
    }
    let url = address(command, &arguments, &base)?;
    let answer = http.get(&url, command.is_change).await?;
    print(command, &arguments, &url, &answer)
}

fn check(command: &Command, arguments: &Arguments) -> Result<(), RequestError> {
    address(command, arguments, environment::DEFAULT_API).map(drop)
}

fn address(command: &Command, arguments: &Arguments, base: &str) -> Result<Url, RequestError> {
    match command.call {
        Call::Path(pattern) | Call::OfRaftLeader(pattern) => Request::of(pattern, arguments)?.address(base),
        Call::Verbatim => request::verbatim(base, &arguments.path),
        Call::Help | Call::Completions | Call::Manual | Call::WhichApi => Request::default().address(base),
    }
}

/// Commands about a raft group's leader are for the leader.
async fn expect_raft_leader(command: &Command, http: &Http, base: &str) -> Result<(), Failure> {
    let url = Request { parts: vec!["raft-state".to_owned()], query: None }.address(base)?;
    let answer = http.get(&url, false).await?;
    if let Some(refusal) = answer.refusal() {
        return Err(refused(refusal));
    }
    match answer.json.as_str() {
        Some(state) if state.contains("Leader") => Ok(()),
        state => Err(Failure::NotRaftLeader {
            command: command.name,
            base: masked(base),
            state: state.unwrap_or_default().to_owned(),
        }),
    }
}

fn print(command: &Command, arguments: &Arguments, url: &Url, answer: &Answer) -> Result<String, Failure> {
    if let Some(refusal) = answer.refusal() {
        let refused = refused(refusal);
        return Err(match (command.call, refused) {
            // Whoever asks for JSON gets it, errors too.
            (Call::Verbatim, Failure::Refused { message, .. }) => {
                Failure::Refused { message, stdout: format!("{}\n", answer.line()) }
            }
            (_, refused) => refused,
        });
    }
    let asked = InstanceKey::parse(arguments.instance.trim(), arguments.default_port);
    let asked = asked.map(|key| key.to_string()).unwrap_or_default();
    let shape = || ShapeError { address: masked(url.as_str()), answer: http::excerpt(&answer.text) };
    Ok(command.output.of(answer, &asked).ok_or_else(shape)?)
}

fn refused(refusal: Refusal) -> Failure {
    let stdout = refusal.details.map(|details| format!("{details}\n")).unwrap_or_default();
    Failure::Refused { message: refusal.message, stdout }
}
