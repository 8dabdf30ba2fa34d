//! Hooks: commands and addresses of operators around detections, recoveries and takeovers (`spec/config.md` 8), and webhooks.
//!
//! A list runs one after the other, in order. A command gets a document on standard input, an address gets the same one as
//! a POST. Every run is recorded before it begins and again when it has ended, so
//! that one which was cut off with its node is seen as such: it is run again then, and told that it is (`ORC_HOOK_ATTEMPT`);
//! one that has ended is never run twice.

mod entry;
mod post;
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
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::json;

use crate::config::hook_list::HookItem;
use crate::config::webhooks::shown;
use crate::config::{Config, LiveConfig};
use entry::Entry;
use post::Poster;
use redact::Redactor;
pub use values::{Successor, Values, ValuesOf};

/// What a hook says is kept up to this many bytes; the rest is read and thrown away, so that it can go on.
const OUTPUT_KEPT: usize = 16 * 1024;

/// One attempt of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What is done.
    pub work: Work,
    /// Time after which it is killed with everything it started, or nobody waits for the answer any more; `None` = no limit.
    pub limit: Option<Duration>,
}

/// What a hook is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// A command.
    Script(Script),
    /// An address.
    Post(Post),
}

/// A command as it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Program that runs it (`ProcessesShellCommand`).
    pub shell: String,
    /// Its text.
    pub text: String,
    /// Positional arguments.
    pub arguments: Vec<String>,
    /// Variables besides those of this process.
    pub environment: Vec<(String, String)>,
    /// Standard input.
    pub document: String,
}

/// An address as it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The address.
    pub url: String,
    /// Headers by name.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
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

/// Runs hooks. A trait because the world cannot come into a test.
pub trait HookRunner: Send + Sync {
    /// Runs one attempt to its end, or to its limit.
    fn run(&self, call: Call) -> BoxFuture<'static, Ended>;
}

/// Runs commands as processes of this machine, and calls addresses.
#[derive(Debug, Clone, Default)]
pub struct Runner {
    poster: Arc<Poster>,
}

impl HookRunner for Runner {
    fn run(&self, call: Call) -> BoxFuture<'static, Ended> {
        let poster = Arc::clone(&self.poster);
        async move {
            match call.work {
                Work::Script(script) => shell::run(&script, call.limit).await,
                Work::Post(post) => poster.run(post, call.limit).await,
            }
        }
        .boxed()
    }
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
        !items(&self.config.current(), list).is_empty()
    }

    /// Runs a list: in order, one after the other; asynchronous ones are started and left. Lists that something waits for
    /// end at the first failure, the others go on and the first failure is returned. Hooks that are optional fail in the
    /// record only.
    ///
    /// # Errors
    /// [`HookFailed`]: the first hook that failed and is not optional.
    pub async fn run(&self, list: HookList, values: &Values, book: &dyn Book) -> Result<(), HookFailed> {
        let config = self.config.current();
        let items = items(&config, list);
        if items.is_empty() {
            return Ok(());
        }
        let course = Course { hooks: self, config: &config, list, values, book, redactor: Redactor::new(&config) };
        let of = items.len();
        book.tell(format!("Running {of} {list} hooks"));
        let mut first = Ok(());
        for (at, item) in items.iter().enumerate() {
            let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
            let entry = Entry::of(item, list, &config);
            let Err(error) = course.one(&entry, number, of).await else { continue };
            if entry.optional {
                book.tell(format!("{list} hook {number} of {of} is optional; going on"));
                continue;
            }
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
    /// Failures are in the log only; asynchronous ones are started and left.
    pub async fn after_take_source(&self, successor: &InstanceKey, demoted: &InstanceKey) {
        let config = self.config.current();
        let redactor = Redactor::new(&config);
        for item in items(&config, HookList::PostTakeSource) {
            let entry = Entry::of(item, HookList::PostTakeSource, &config);
            let shell = config.hooks.shell_command.clone();
            let taken = TakenSource { entry, shell, successor: successor.clone(), demoted: demoted.clone() };
            let asynchronous = taken.entry.asynchronous;
            let work = taken.tell(Arc::clone(&self.runner), redactor.clone());
            if asynchronous {
                tokio::spawn(work);
            } else {
                work.await;
            }
        }
    }
}

/// A hook that is told that one server took the place of another.
struct TakenSource {
    entry: Entry,
    shell: String,
    successor: InstanceKey,
    demoted: InstanceKey,
}

impl TakenSource {
    /// Runs it, with all of its attempts.
    async fn tell(self, runner: Arc<dyn HookRunner>, redactor: Redactor) {
        let (list, entry) = (HookList::PostTakeSource, &self.entry);
        let command = shown_of(entry, &entry.text, &redactor);
        for attempt in 1..=entry.attempts {
            let ended = runner.run(Call { work: self.work(), limit: entry.limit }).await;
            let output = redactor.clean(&ended.output);
            if ended.error.is_empty() {
                tracing::info!(%list, command, output, "hook completed");
                return;
            }
            tracing::error!(%list, command, attempt, output, error = redactor.clean(&ended.error), "hook failed");
            if attempt < entry.attempts {
                tokio::time::sleep(Entry::pause(attempt)).await;
            }
        }
    }

    fn work(&self) -> Work {
        let Self { entry, shell, successor, demoted } = self;
        let document = json!({
            "hook": HookList::PostTakeSource.as_str(),
            "successorHost": successor.hostname, "successorPort": successor.port,
            "failedHost": demoted.hostname, "failedPort": demoted.port,
        });
        if entry.is_address {
            return Work::Post(post_of(entry, entry.text.clone(), HookList::PostTakeSource, &document));
        }
        Work::Script(Script {
            shell: shell.clone(),
            text: entry.text.clone(),
            arguments: vec![successor.to_string(), demoted.to_string()],
            environment: vec![
                ("ORC_SUCCESSOR_HOST".to_owned(), successor.to_string()),
                ("ORC_FAILED_HOST".to_owned(), demoted.to_string()),
            ],
            document: document.to_string(),
        })
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
    /// Runs one hook with all of its attempts, unless it has been run before this node took over.
    async fn one(&self, entry: &Entry, number: u32, of: usize) -> Result<(), String> {
        let list = self.list;
        let earlier = self.book.earlier().into_iter().rfind(|run| run.list == list && run.number == number);
        let mut attempt = match &earlier {
            None => 1,
            Some(run) if run.is_failure() && !run.asynchronous && run.attempt < entry.attempts => {
                self.book
                    .tell(format!("{list} hook {number} of {of} had failed before the interruption; trying again"));
                run.attempt.saturating_add(1)
            }
            Some(run) if run.ended.is_some() || run.asynchronous => {
                self.book.tell(format!("{list} hook {number} of {of} was run before the interruption; not run again"));
                return if run.is_failure() { Err(run.error.clone()) } else { Ok(()) };
            }
            Some(run) => {
                let attempt = run.attempt.saturating_add(1);
                let line = format!("{list} hook {number} of {of} was cut off by the interruption; its end is unknown");
                self.book.tell(format!("{line}, so it is run again (attempt {attempt})"));
                attempt
            }
        };
        if entry.asynchronous {
            self.leave(entry, number, of, attempt).await;
            return Ok(());
        }
        loop {
            let failed = match self.attempt(entry, number, of, attempt).await {
                Err(error) if attempt < entry.attempts => error,
                result => return result,
            };
            let pause = Entry::pause(attempt);
            self.book.tell(format!("{list} hook {number} of {of} is tried again in {} s: {failed}", pause.as_secs()));
            tokio::time::sleep(pause).await;
            attempt = attempt.saturating_add(1);
        }
    }

    /// One attempt, recorded before and after.
    async fn attempt(&self, entry: &Entry, number: u32, of: usize, attempt: u32) -> Result<(), String> {
        let list = self.list;
        let (call, mut run) = self.prepare(entry, number, attempt);
        self.book.tell(format!("Running {list} hook {number} of {of}: {}", run.command));
        self.book.record(&run).await;
        let ended = self.hooks.runner.run(call).await;
        put_end(&mut run, &ended, &self.redactor);
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

    /// Nobody waits for an asynchronous hook; how it ends is in the log.
    async fn leave(&self, entry: &Entry, number: u32, of: usize, first: u32) {
        let (call, mut run) = self.prepare(entry, number, first);
        self.book.tell(format!("Running {} hook {number} of {of}: {}", self.list, run.command));
        self.book.record(&run).await;
        let (runner, redactor, attempts) = (Arc::clone(&self.hooks.runner), self.redactor.clone(), entry.attempts);
        tokio::spawn(async move {
            loop {
                let ended = runner.run(call.clone()).await;
                put_end(&mut run, &ended, &redactor);
                log(&run);
                if !run.is_failure() || run.attempt >= attempts {
                    return;
                }
                tokio::time::sleep(Entry::pause(run.attempt)).await;
                run.attempt = run.attempt.saturating_add(1);
            }
        });
    }

    /// What is to be done, and its record.
    fn prepare(&self, entry: &Entry, number: u32, attempt: u32) -> (Call, HookRun) {
        let mut document = self.values.document();
        document.insert("hook".to_owned(), self.list.as_str().into());
        document.insert("attempt".to_owned(), attempt.into());
        let document = serde_json::Value::from(document);
        let (text, work) = if entry.is_address {
            let url = self.values.fill_address(&entry.text);
            (url.clone(), Work::Post(post_of(entry, url, self.list, &document)))
        } else {
            let text = self.values.fill(&entry.text);
            let mut environment = self.values.environment();
            environment.push(("ORC_HOOK".to_owned(), self.list.to_string()));
            environment.push(("ORC_HOOK_ATTEMPT".to_owned(), attempt.to_string()));
            let shell = self.config.hooks.shell_command.clone();
            let script =
                Script { shell, text: text.clone(), arguments: vec![], environment, document: document.to_string() };
            (text, Work::Script(script))
        };
        let run = HookRun {
            list: self.list,
            number,
            command: shown_of(entry, &text, &self.redactor),
            asynchronous: entry.asynchronous,
            attempt,
            started: Utc::now(),
            ended: None,
            exit_code: None,
            error: String::new(),
            output: String::new(),
        };
        (Call { work, limit: entry.limit }, run)
    }
}

/// The request that an address gets: the same body as a command has on standard input, signed if a key is given.
fn post_of(entry: &Entry, url: String, list: HookList, document: &serde_json::Value) -> Post {
    let body = document.to_string();
    let timestamp = Utc::now().timestamp().to_string();
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("x-orchestrator-hook", list.to_string()),
        ("x-orchestrator-timestamp", timestamp.clone()),
    ];
    if !entry.secret.is_empty() {
        let signature = webhooks::sign(&entry.secret, &timestamp, &body);
        headers.push(("x-orchestrator-signature", format!("sha256={signature}")));
    }
    Post { url, headers, body }
}

/// What people see of a hook: addresses carry tokens in path and query.
fn shown_of(entry: &Entry, text: &str, redactor: &Redactor) -> String {
    if entry.is_address { format!("POST {}", shown(text)) } else { redactor.clean(text) }
}

fn put_end(run: &mut HookRun, ended: &Ended, redactor: &Redactor) {
    run.ended = Some(Utc::now());
    run.exit_code = ended.exit_code;
    run.output = redactor.clean(&ended.output);
    run.error = redactor.clean(&ended.error);
}

fn log(run: &HookRun) {
    let HookRun { list, number, attempt, command, error, output, .. } = run;
    let took = duration(run.started, run.ended);
    if error.is_empty() {
        tracing::info!(%list, number, attempt, command, output, took, "hook completed");
    } else {
        tracing::error!(%list, number, attempt, command, output, took, error, "hook failed");
    }
}

fn duration(started: DateTime<Utc>, ended: Option<DateTime<Utc>>) -> String {
    let took = ended.map_or_else(Duration::default, |ended| (ended - started).to_std().unwrap_or_default());
    format!("{:.3}s", took.as_secs_f64())
}

/// The items of a list.
fn items(config: &Config, list: HookList) -> &[HookItem] {
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
    .list()
}

/// The items of all lists.
fn all_items(config: &Config) -> impl Iterator<Item = &HookItem> {
    use HookList as L;
    const ALL: [HookList; 10] = [
        L::OnFailureDetection,
        L::PreGracefulTakeover,
        L::PreFailover,
        L::Fencing,
        L::PostSourceFailover,
        L::PostIntermediateFailover,
        L::PostFailover,
        L::PostUnsuccessfulFailover,
        L::PostGracefulTakeover,
        L::PostTakeSource,
    ];
    ALL.into_iter().flat_map(|list| items(config, list))
}

/// Which hooks a recovery stops for. `announced`: its detection has been told already.
pub fn settings(config: &Config, announced: bool) -> engine::recovery::HookSettings {
    use engine::recovery::FencingPolicy;
    let entries = |list| items(config, list).iter().map(move |item| Entry::of(item, list, config));
    let any = |list| !items(config, list).is_empty();
    let longest = |list| entries(list).map(|entry| entry.longest()).fold(Duration::ZERO, Duration::saturating_add);
    let detection = !announced && any(HookList::OnFailureDetection);
    let told = if detection { longest(HookList::OnFailureDetection) } else { Duration::ZERO };
    let lists = [HookList::PreFailover, HookList::PreGracefulTakeover, HookList::Fencing];
    let limit = lists.into_iter().map(longest).max().unwrap_or_default().saturating_add(told);
    let fencing = match entries(HookList::Fencing).all(|entry| entry.optional) {
        true => FencingPolicy::Optional,
        false => FencingPolicy::Required,
    };
    engine::recovery::HookSettings {
        skipped: false,
        detection,
        pre_failover: any(HookList::PreFailover) || detection,
        pre_takeover: any(HookList::PreGracefulTakeover),
        fencing: any(HookList::Fencing).then_some(fencing),
        limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
    }
}
