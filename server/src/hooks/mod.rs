//! Hooks: commands of operators around detections, recoveries and takeovers (`spec/config.md` 8), and webhooks.
//!
//! A list runs one after the other, in order. Every run is recorded before it begins and again when it has ended, so
//! that one which was cut off with its node is seen as such: it is run again then, and told that it is (`ORC_HOOK_ATTEMPT`);
//! one that has ended is never run twice.

mod entry;
mod redact;
mod shell;
mod values;
pub mod webhooks;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use app::InstanceKey;
use app::recovery::{HookList, HookRun};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;

use crate::config::{Config, LiveConfig};
use entry::Entry;
use redact::Redactor;
pub use shell::ShellRunner;
pub use values::{Successor, Values, ValuesOf};

/// A hook as it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Program that runs the script (`ProcessesShellCommand`).
    pub shell: String,
    /// Text of the script.
    pub script: String,
    /// Positional arguments.
    pub arguments: Vec<String>,
    /// Variables besides those of this process.
    pub environment: Vec<(String, String)>,
    /// Time after which it is killed with everything it started; `None` = no limit.
    pub limit: Option<Duration>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ended {
    /// Exit code, if it has one.
    pub exit_code: Option<i32>,
    /// What went wrong; empty when nothing did.
    pub error: String,
    /// The beginning of what it wrote, standard output and error together.
    pub output: String,
}

/// Runs commands. A trait because the world cannot come into a test.
pub trait HookRunner: Send + Sync {
    /// Runs a command to its end, or to its limit.
    fn run(&self, call: Call) -> BoxFuture<'static, Ended>;
}

/// Where runs are recorded.
pub trait Book: Sync {
    /// A run begins or has ended; returns when that is recorded. The same list, number and attempt mean the same run.
    fn record<'a>(&'a self, run: &'a HookRun) -> BoxFuture<'a, ()>;

    /// A line for the story.
    fn tell(&self, line: String);

    /// What was recorded before this node took over; empty for what begins now.
    fn earlier(&self) -> Vec<HookRun>;
}

/// A hook of a list failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("hook {number} of {list} failed: {error}")]
pub struct HookFailed {
    /// The list.
    pub list: HookList,
    /// Its place in it, from 1.
    pub number: u32,
    /// What went wrong.
    pub error: String,
}

/// Runs lists of hooks.
#[derive(Clone)]
pub struct Hooks {
    config: Arc<LiveConfig>,
    runner: Arc<dyn HookRunner>,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

impl Hooks {
    /// Hooks of this configuration, run by `runner`.
    pub fn new(config: Arc<LiveConfig>, runner: Arc<dyn HookRunner>) -> Self {
        Self { config, runner }
    }

    /// There is something in the list.
    pub fn has(&self, list: HookList) -> bool {
        !commands(&self.config.current(), list).is_empty()
    }

    /// Runs a list: in order, one after the other; asynchronous ones are started and left. Lists that something waits for
    /// end at the first failure, the others go on and the first failure is returned.
    ///
    /// # Errors
    /// [`HookFailed`]: the first hook that failed.
    pub async fn run(&self, list: HookList, values: &Values, book: &dyn Book) -> Result<(), HookFailed> {
        let config = self.config.current();
        let items = commands(&config, list);
        if items.is_empty() {
            return Ok(());
        }
        let course = Course { hooks: self, config: &config, list, values, book, redactor: Redactor::new(&config) };
        let of = items.len();
        book.tell(format!("Running {of} {list} hooks"));
        let mut first = Ok(());
        for (at, item) in items.iter().enumerate() {
            let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
            let Err(error) = course.one(&Entry::parse(item), number, of).await else { continue };
            let failed = HookFailed { list, number, error };
            if list.stops_at_failure() {
                book.tell(format!("Not running further {list} hooks"));
                return Err(failed);
            }
            first = first.and(Err(failed));
        }
        book.tell(format!("done running {list} hooks"));
        first
    }

    /// Runs `PostTakeMasterProcesses`: no placeholders, two arguments, two variables with ports (`spec/config.md` 8.6).
    /// Failures are in the log only.
    pub async fn after_take_source(&self, successor: &InstanceKey, demoted: &InstanceKey) {
        let config = self.config.current();
        let redactor = Redactor::new(&config);
        for script in commands(&config, HookList::PostTakeSource) {
            let call = Call {
                shell: config.hooks.shell_command.clone(),
                script: script.clone(),
                arguments: vec![successor.to_string(), demoted.to_string()],
                environment: vec![
                    ("ORC_SUCCESSOR_HOST".to_owned(), successor.to_string()),
                    ("ORC_FAILED_HOST".to_owned(), demoted.to_string()),
                ],
                limit: limit_of(&config, HookList::PostTakeSource, false),
            };
            let ended = self.runner.run(call).await;
            let (command, output) = (redactor.clean(script), redactor.clean(&ended.output));
            if ended.error.is_empty() {
                tracing::info!(list = %HookList::PostTakeSource, command, output, "hook completed");
            } else {
                tracing::error!(list = %HookList::PostTakeSource, command, output, error = ended.error, "hook failed");
            }
        }
    }
}

/// One list on its way.
struct Course<'a> {
    hooks: &'a Hooks,
    config: &'a Config,
    list: HookList,
    values: &'a Values,
    book: &'a dyn Book,
    redactor: Redactor,
}

impl Course<'_> {
    /// Runs one hook, unless it has been run before this node took over.
    async fn one(&self, entry: &Entry, number: u32, of: usize) -> Result<(), String> {
        let list = self.list;
        let earlier = self.book.earlier().into_iter().rfind(|run| run.list == list && run.number == number);
        if let Some(run) = earlier.as_ref().filter(|run| run.ended.is_some() || run.asynchronous) {
            self.book.tell(format!("{list} hook {number} of {of} was run before the interruption; not run again"));
            return if run.is_failure() { Err(run.error.clone()) } else { Ok(()) };
        }
        let attempt = earlier.map_or(1, |run| run.attempt.saturating_add(1));
        if attempt > 1 {
            let line = format!("{list} hook {number} of {of} was cut off by the interruption; its end is unknown");
            self.book.tell(format!("{line}, so it is run again (attempt {attempt})"));
        }
        let script = self.values.fill(&entry.command);
        let mut run = HookRun {
            list,
            number,
            command: self.redactor.clean(&script),
            asynchronous: entry.asynchronous,
            attempt,
            started: Utc::now(),
            ended: None,
            exit_code: None,
            error: String::new(),
            output: String::new(),
        };
        self.book.tell(format!("Running {list} hook {number} of {of}: {}", run.command));
        self.book.record(&run).await;
        let ended = self.hooks.runner.run(self.call(script, entry.asynchronous, attempt));
        if entry.asynchronous {
            leave(ended, run, self.redactor.clone());
            return Ok(());
        }
        let ended = ended.await;
        run.ended = Some(Utc::now());
        run.exit_code = ended.exit_code;
        run.output = self.redactor.clean(&ended.output);
        run.error = self.redactor.clean(&ended.error);
        log(&run);
        let took = duration(run.started, run.ended);
        let (outcome, result) = match (run.error.as_str(), run.output.trim()) {
            ("", _) => (format!("Completed {list} hook {number} of {of} in {took}"), Ok(())),
            (error, "") => (format!("Execution of {list} hook failed in {took}: {error}"), Err(error.to_owned())),
            (error, output) => {
                (format!("Execution of {list} hook failed in {took}: {error} {output}"), Err(error.to_owned()))
            }
        };
        self.book.tell(outcome);
        self.book.record(&run).await;
        result
    }

    fn call(&self, script: String, asynchronous: bool, attempt: u32) -> Call {
        let mut environment = self.values.environment();
        environment.push(("ORC_HOOK".to_owned(), self.list.to_string()));
        environment.push(("ORC_HOOK_ATTEMPT".to_owned(), attempt.to_string()));
        let limit = limit_of(self.config, self.list, asynchronous);
        let shell = self.config.hooks.shell_command.clone();
        Call { shell, script, arguments: vec![], environment, limit }
    }
}

/// Nobody waits for an asynchronous hook; how it ends is in the log.
fn leave(ended: BoxFuture<'static, Ended>, mut run: HookRun, redactor: Redactor) {
    tokio::spawn(async move {
        let ended = ended.await;
        run.ended = Some(Utc::now());
        run.exit_code = ended.exit_code;
        run.output = redactor.clean(&ended.output);
        run.error = redactor.clean(&ended.error);
        log(&run);
    });
}

fn log(run: &HookRun) {
    let HookRun { list, number, command, error, output, .. } = run;
    let took = duration(run.started, run.ended);
    if error.is_empty() {
        tracing::info!(%list, number, command, output, took, "hook completed");
    } else {
        tracing::error!(%list, number, command, output, took, error, "hook failed");
    }
}

fn duration(started: DateTime<Utc>, ended: Option<DateTime<Utc>>) -> String {
    let took = ended.map_or_else(Duration::default, |ended| (ended - started).to_std().unwrap_or_default());
    format!("{:.3}s", took.as_secs_f64())
}

/// The commands of a list.
fn commands(config: &Config, list: HookList) -> &[String] {
    let hooks = &config.hooks;
    match list {
        HookList::OnFailureDetection => &hooks.on_failure_detection,
        HookList::PreGracefulTakeover => &hooks.pre_graceful_takeover,
        HookList::PreFailover => &hooks.pre_failover,
        HookList::Fencing => &config.extensions.fencing,
        HookList::PostSourceFailover => &hooks.post_primary_failover,
        HookList::PostIntermediateFailover => &hooks.post_intermediate_source_failover,
        HookList::PostFailover => &hooks.post_failover,
        HookList::PostUnsuccessfulFailover => &hooks.post_unsuccessful_failover,
        HookList::PostGracefulTakeover => &hooks.post_graceful_takeover,
        HookList::PostTakeSource => &hooks.post_take_primary,
    }
}

/// What is waited for with writes standing still gets less time than what comes afterwards.
fn limit_of(config: &Config, list: HookList, asynchronous: bool) -> Option<Duration> {
    let keys = &config.extensions;
    let waits = list.stops_at_failure() && !asynchronous;
    let seconds = if waits { keys.hook_timeout_seconds } else { keys.post_hook_timeout_seconds };
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// Which hooks a recovery stops for. `announced`: its detection has been told already.
pub fn settings(config: &Config, announced: bool) -> engine::recovery::HookSettings {
    let count = |list| commands(config, list).len();
    let detection = if announced { 0 } else { count(HookList::OnFailureDetection) };
    let lists = [HookList::PreFailover, HookList::PreGracefulTakeover, HookList::Fencing];
    let longest = lists.into_iter().map(count).max().unwrap_or(0) + detection;
    engine::recovery::HookSettings {
        skipped: false,
        detection: detection > 0,
        pre_failover: count(HookList::PreFailover) + detection > 0,
        pre_takeover: count(HookList::PreGracefulTakeover) > 0,
        fencing: (count(HookList::Fencing) > 0)
            .then(|| engine::recovery::FencingPolicy::parse(&config.extensions.fencing_policy).unwrap_or_default()),
        limit_ms: u64::try_from(longest)
            .unwrap_or(u64::MAX)
            .saturating_mul(config.extensions.hook_timeout_seconds)
            .saturating_mul(1000),
    }
}
