//! The command line (`spec/cli.md`). A one-shot command loads the fleet from the backend, decides, acts through the same
//! services as everything else, and leaves.

pub mod bench;
pub mod caller;
mod commands;
pub mod duration;
mod early;
pub mod flags;
pub mod help;
pub mod log;
pub mod names;
pub mod shells;
mod syslog;
pub mod table;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bench::{Bench, Failure, Outcome};
use flags::{Arguments, FlagError};
use log::Threshold;
use names::Meaning;
use table::Form;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::config::{self, Config, LiveConfig, Loaded, Sources};
use crate::lookup::split_list;
use crate::node::Node;
use crate::registration;
use crate::services::{self, Services};
use crate::settings;
use crate::store::{NodeReport, Store};

/// The backend gets this long to take what a command did.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// A recovery closes its record at most this long after its result is known.
const CLOSED_WITHIN: Duration = Duration::from_secs(60);

/// What a process prints and how it leaves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ending {
    /// For standard output.
    pub stdout: String,
    /// For standard error, after what was logged.
    pub stderr: String,
    /// Exit code.
    pub code: u8,
}

impl Ending {
    fn printed(stdout: impl Into<String>) -> Self {
        Self { stdout: stdout.into(), ..Self::default() }
    }

    fn told(stderr: impl Into<String>, code: u8) -> Self {
        Self { stderr: stderr.into(), code, ..Self::default() }
    }

    fn fatal(message: impl std::fmt::Display) -> Self {
        Self::told(log::fatal(&message.to_string()), 1)
    }
}

/// What the process knows of its surroundings.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Name of the operating system's user.
    pub user: String,
    /// Name of this machine.
    pub hostname: String,
}

/// Carries out a command line.
pub async fn run(words: Vec<String>, around: Surroundings) -> Ending {
    let arguments = match Arguments::parse(words) {
        Ok(arguments) => arguments,
        Err(FlagError::Help) => return Ending::told(flags::usage(), 0),
        Err(FlagError::Syntax(message)) => return Ending::told(format!("{message}\n{}", flags::usage()), 2),
        Err(FlagError::Conflict(message)) => return Ending::fatal(message),
    };
    if arguments.stack {
        log::tell_stacks();
    }
    let threshold = Threshold::start(log::level(arguments.verbose, arguments.debug, arguments.quiet));
    if arguments.version {
        return Ending::printed(help::version());
    }
    tracing::info!("starting orchestrator, version: {}, git commit: ", help::VERSION);
    let sources = sources(&arguments);
    let loaded = match config::load(&sources) {
        Ok(loaded) => loaded,
        Err(error) => return Ending::fatal(error),
    };
    threshold.set(log::level(arguments.verbose, arguments.debug || loaded.config.general.debug, arguments.quiet));
    for file in &loaded.files {
        tracing::info!("Read config: {file}");
    }
    if loaded.config.general.enable_syslog {
        threshold.copy_to_syslog();
    }
    let ending = dispatch(arguments, around, loaded, sources).await;
    threshold.copy_fatal(&ending.stderr);
    ending
}

fn sources(arguments: &Arguments) -> Sources {
    let file = Some(&arguments.config).filter(|file| !file.is_empty()).map(PathBuf::from);
    let sources = Sources::of_process(file).with_switches(arguments.switches);
    if arguments.enable_database_update {
        return sources.with_override("SkipOrchestratorDatabaseUpdate", false);
    }
    sources
}

async fn dispatch(arguments: Arguments, around: Surroundings, loaded: Loaded, sources: Sources) -> Ending {
    let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
    match (words.as_slice(), arguments.command.as_str()) {
        ([], "") => Ending::printed(help::BANNER),
        (["help", topic, ..], _) => Ending::printed(help::topic(topic)),
        (["help"], "") => Ending::told(help::listing(), 0),
        (["help"], command) => Ending::printed(help::topic(command)),
        (["http", ..], _) => serve(&arguments, loaded, sources).await,
        (["cli", ..], "") => Ending::fatal("No command given; see `orchestrator help`"),
        ([] | ["cli", ..], _) => command(arguments, around, loaded, sources).await,
        (_, name) if takes_words(name) => command(arguments, around, loaded, sources).await,
        _ => Ending::told(help::USAGE, 1),
    }
}

/// Words behind the flags of this command are its own.
fn takes_words(command: &str) -> bool {
    matches!(names::meaning(command, &table::names()), Meaning::Command(name) if table::TAKE_WORDS.contains(&name))
}

async fn serve(arguments: &Arguments, loaded: Loaded, sources: Sources) -> Ending {
    if let Some(ignored) = arguments.words.get(1..).filter(|rest| !rest.is_empty()) {
        tracing::error!("ignored after http: {}; flags stand before it", ignored.join(" "));
    }
    if arguments.grab_election {
        tracing::error!("-grab-election has no effect: this node is the only one of its group");
    }
    match crate::daemon::run(loaded, sources, arguments.discovery).await {
        Ok(()) => Ending::default(),
        Err(error) => Ending::fatal(format!("{error:#}")),
    }
}

async fn command(arguments: Arguments, around: Surroundings, loaded: Loaded, sources: Sources) -> Ending {
    let names = table::names();
    let meaning = names::meaning(&arguments.command, &names);
    let is_harmless = matches!(meaning, Meaning::Command(name) if table::HARMLESS.contains(&name));
    if loaded.config.raft.enabled && !arguments.ignore_raft_setup && !is_harmless {
        return Ending::fatal(
            "the configuration has \"RaftEnabled\": true: commands would act behind the group's back; use \
             orchestrator-client, or override with --ignore-raft-setup",
        );
    }
    let name = match meaning {
        Meaning::Command(name) => name,
        Meaning::Several(several) => {
            let several = several.join(", ");
            return Ending::fatal(format!("Unknown command: \"{}\". It could be any of: {several}", arguments.command));
        }
        Meaning::Unknown => {
            return Ending::fatal(format!("Unknown command: \"{}\". {}", arguments.command, help::listing()));
        }
    };
    if arguments.json && !table::PRINT_JSON.contains(&name) {
        let some = table::PRINT_JSON.join(", ");
        return Ending::fatal(format!("-json: {name} prints no JSON; commands that do: {some}"));
    }
    if let Some(ending) = early::run(name, &arguments, &loaded, &sources).await {
        return ending;
    }
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    match on_backend(name, arguments, around, loaded.config).await {
        Ok(stdout) => Ending::printed(stdout),
        Err((stdout, failure)) => Ending { stdout, ..Ending::fatal(failure) },
    }
}

/// Opens the backend, runs the command for each element of `-i`, and leaves nothing unwritten behind. A failure comes
/// with what had been printed before it.
async fn on_backend(
    name: &str,
    arguments: Arguments,
    around: Surroundings,
    config: Config,
) -> Result<String, (String, Failure)> {
    let early = |error: &dyn std::fmt::Display| (String::new(), Failure::new(error));
    let form = table::find(name).map(|command| command.form);
    if form.is_none() {
        return Err((String::new(), unknown(name)));
    }
    let backend = settings::backend(&config);
    let deployment = settings::deployment(&config);
    let live = Arc::new(LiveConfig::fixed(config).with_switches(arguments.switches));
    tracing::info!("Connecting to backend {backend}");
    let store = Store::open(&backend, &deployment).await.map_err(|error| early(&error))?;
    let node = Node::new(around.hostname.clone());
    // What changes something shows itself in any case: what it holds in the backend is its own only while it does.
    let is_read = matches!(form, Some(Form::Read(_)));
    let report = registration::report(&node, &live.current(), registration::Mode::Command(name.to_owned()));
    if !is_read {
        store.beat(&report).await.map_err(|error| early(&error))?;
    }
    let assembled = services::assemble(live, store, node).await.map_err(|error| early(&error))?;
    let services = if is_read {
        // Without a writer: a read must leave the rows alone that a running service keeps.
        assembled.services
    } else {
        // What was worked out anew at loading is not this command's to write either.
        drop(assembled.services.fleet.take_unwritten());
        assembled.write_behind()
    };
    let sign = sign_of_life(&services, &report, is_read, arguments.skip_registration);
    let result = each(name, &arguments, &around, &services).await;
    let written = if is_read { Ok(()) } else { settle(&services).await };
    if let Some(sign) = sign {
        sign.abort();
        let _aborted = sign.await;
        if let Err(error) = services.store.leave(&report.node).await {
            tracing::warn!(%error, "this command is still registered in the backend");
        }
    }
    services.store.close().await;
    match (result, written) {
        // What was ordered and not written would be forgotten: that is no success.
        (Ok(stdout), Err(failure)) => Err((stdout, failure)),
        (result, _) => result,
    }
}

/// Keeps the command registered while it is at work.
fn sign_of_life(services: &Services, report: &NodeReport, is_read: bool, skip: bool) -> Option<JoinHandle<()>> {
    let (store, report) = (services.store.clone(), report.clone());
    match (is_read, skip) {
        (true, true) => None,
        (true, false) => Some(tokio::spawn(registration::show(store, report))),
        (false, _) => Some(tokio::spawn(crate::recovery::keep_heard(Arc::clone(&services.recovery), store, report))),
    }
}

/// Waits until what was begun has ended and the backend has it.
async fn settle(services: &Services) -> Result<(), Failure> {
    // A recovery renames its cluster and closes its record after its result is known. It holds its locks until then.
    until(CLOSED_WITHIN, || services.locks.is_idle()).await;
    until(WRITTEN_WITHIN, || services.journal.state().pending == 0).await;
    services.tasks.stop();
    services.tasks.wait().await;
    services.audit.flush().await;
    let state = services.journal.state();
    let rows = u64::try_from(services.fleet.count_unwritten()).unwrap_or(u64::MAX);
    let missing = state.pending.saturating_add(rows);
    if missing == 0 {
        return Ok(());
    }
    let why = state.error.unwrap_or_else(|| "it did not answer in time".to_owned());
    Err(Failure::new(format!("what was done is done, but {missing} changes are not in the backend database: {why}")))
}

async fn until(limit: Duration, done: impl Fn() -> bool) {
    let end = Instant::now() + limit;
    while !done() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn each(
    name: &str,
    arguments: &Arguments,
    around: &Surroundings,
    services: &Services,
) -> Result<String, (String, Failure)> {
    let takes_list = matches!(table::find(name).map(|command| command.form), Some(Form::ChangeList(_)));
    let mut elements: Vec<String> = if takes_list {
        vec![arguments.instance.clone()]
    } else {
        split_list(&arguments.instance).map(str::to_owned).collect()
    };
    if elements.is_empty() {
        elements.push(String::new());
    }
    let services = Arc::new(services.clone());
    let mut printed = String::new();
    for instance in elements {
        let bench = Bench {
            services: Arc::clone(&services),
            config: services.config.current(),
            arguments: Arguments { instance, ..arguments.clone() },
            user: around.user.clone(),
            hostname: around.hostname.clone(),
        };
        match perform(name, bench).await {
            Ok(text) => printed.push_str(&text),
            Err(failure) => return Err((printed, failure)),
        }
    }
    Ok(printed)
}

/// Runs one command once.
///
/// # Errors
/// The text of its FATAL line.
pub async fn perform(name: &str, bench: Bench) -> Outcome {
    let Some(command) = table::find(name) else { return Err(unknown(name)) };
    match command.form {
        Form::Change(_) | Form::ChangeList(_) if bench.arguments.noop => {
            Err(Failure::new(format!("noop: {name} was not carried out")))
        }
        Form::Read(run) | Form::Change(run) | Form::ChangeList(run) | Form::Operate(run) => run(bench).await,
        Form::Early => Err(Failure::new(format!("{name} takes no backend"))),
    }
}

fn unknown(name: &str) -> Failure {
    Failure::new(format!("Unknown command: \"{name}\""))
}
