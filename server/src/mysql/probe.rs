//! One look at one server.
//!
//! Round trips: one per poll for everything that changes by the second, one more if a lag query is set; once a
//! minute ([`SLOW_CADENCE`]) one for the survey and one for what does not change by the second (classification,
//! promotion rule, alias, domain, credentials); and as many again as statements are refused, which are then not asked
//! again before the next survey. A new connection adds its handshake and a survey.

use std::collections::{BTreeMap, HashMap};

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use app::InstanceKey;
use app::topology::{Instance, PromotionRule, Replication};
use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use engine::interpret::{
    Filters, InterpretError, Names, RawProbe, Record, Survey, interpret, interpret_binlog_server, is_first_release,
};
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::connect::Connector;
use super::error::{MysqlError, UNKNOWN_COLUMN, UNKNOWN_VARIABLE};
use super::questions::{
    BINLOG_SERVER, BINLOG_SERVER_POLL, EVERY_POLL, FIRST_BINLOG_SERVER_VARIABLES, Question, SURVEY_BINARY_LOG,
    survey_variables,
};
use super::session::{Answer, Session};
use super::user_queries::{Answers, UserQueries};

/// What does not change by the second is asked this often.
pub const SLOW_CADENCE: Duration = Duration::from_secs(60);

/// Looks at servers. A trait because the world cannot come into a test.
pub trait Probe: Send + Sync {
    /// Looks at one server once. It never fails as such: what went wrong is in the result.
    fn probe<'a>(&'a self, key: &'a InstanceKey, context: &'a ProbeContext) -> BoxFuture<'a, ProbeResult>;

    /// Lets go of everything kept for a server that is watched no more.
    fn forget(&self, key: &InstanceKey);
}

/// What is known before the look.
#[derive(Debug, Clone, Default)]
pub struct ProbeContext {
    /// The server as last seen: what this probe does not read keeps its value.
    pub last: Option<Arc<Instance>>,
    /// Ask for everything, also for what is asked at a slower cadence.
    pub thorough: bool,
}

/// What is read and how it is understood. The same for all servers.
#[derive(Debug, Clone, Default)]
pub struct ProbeSettings {
    /// How servers are named.
    pub names: Names,
    /// Who is left out.
    pub filters: Filters,
    /// Queries of the configuration.
    pub queries: UserQueries,
    /// Servers are asked whether they are MaxScale binlog servers (`SkipMaxScaleCheck` is off).
    pub looks_for_binlog_servers: bool,
    /// A line in the log for each server that is skipped for its replication user (`EnableDiscoveryFiltersLogs`).
    pub tells_of_skipped: bool,
}

/// The result of one look.
#[derive(Debug, Clone)]
pub struct ProbeResult {
    /// The key that was probed.
    pub probed: InstanceKey,
    /// It began.
    pub started: DateTime<Utc>,
    /// It ended.
    pub ended: DateTime<Utc>,
    /// How long it took.
    pub latency: Duration,
    /// Questions sent, the survey's included, the handshake's not.
    pub round_trips: u32,
    /// How it ended.
    pub outcome: ProbeOutcome,
    /// What the server refused to tell, and why: shown to operators, as a missing grant makes us blind quietly.
    pub refused: BTreeMap<&'static str, String>,
}

/// How a look ended.
#[derive(Debug, Clone)]
pub enum ProbeOutcome {
    /// Everything was read.
    Seen(Box<Seen>),
    /// The basics were read, then something failed: what was not read keeps its last value.
    Partial {
        /// What is known now.
        seen: Box<Seen>,
        /// What failed.
        error: MysqlError,
    },
    /// Nothing was read.
    Failed {
        /// What failed.
        error: ProbeError,
    },
    /// A filter says that the server is not to be looked at (`DiscoveryIgnoreReplicationUsernameFilters`).
    Skipped,
}

/// What a look saw.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The server. Names of other servers in it are not resolved.
    pub instance: Instance,
    /// Answer of `DetectPromotionRuleQuery`, when it was asked this time.
    pub promotion_rule: Option<PromotionRule>,
    /// Answer of `DetectClusterDomainQuery`, when it was asked this time.
    pub cluster_domain: Option<String>,
}

/// Why a look saw nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// Connection or statement.
    #[error(transparent)]
    Mysql(#[from] MysqlError),
    /// The rows make no server.
    #[error(transparent)]
    Interpret(#[from] InterpretError),
}

impl ProbeError {
    /// Nothing was heard from the server.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Mysql(error) if error.is_silence())
    }
}

/// Looks at real servers over a connection that is kept between looks.
#[derive(Debug)]
pub struct MysqlProbe {
    connector: Arc<Connector>,
    settings: ArcSwap<ProbeSettings>,
    servers: Mutex<HashMap<InstanceKey, Arc<tokio::sync::Mutex<Kept>>>>,
}

/// What is kept between looks at one server.
#[derive(Debug, Default)]
struct Kept {
    session: Option<Session>,
    survey: Arc<Survey>,
    surveyed: Option<Instant>,
    old_receivers: bool,
    refused: BTreeMap<Question, String>,
    refused_queries: BTreeMap<&'static str, String>,
    asked_slowly: Option<Instant>,
    credentials_available: Option<bool>,
    /// The version that a MaxScale binlog server gives; `None` for any other server.
    binlog_server: Option<String>,
}

impl MysqlProbe {
    /// A probe that connects through `connector`.
    pub fn new(connector: Arc<Connector>, settings: ProbeSettings) -> Self {
        Self { connector, settings: ArcSwap::from_pointee(settings), servers: Mutex::default() }
    }

    /// Replaces the settings, from the next look on.
    pub fn update(&self, settings: ProbeSettings) {
        self.settings.store(Arc::new(settings));
    }

    fn kept(&self, key: &InstanceKey) -> Arc<tokio::sync::Mutex<Kept>> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(servers.entry(key.clone()).or_default())
    }

    async fn look(&self, key: &InstanceKey, context: &ProbeContext) -> ProbeResult {
        let kept = self.kept(key);
        // One look at a time: a second one waits for its turn on the connection.
        let mut kept = kept.lock().await;
        let started = Utc::now();
        let clock = Instant::now();
        let mut look = Look { probe: self, key, context, settings: self.settings.load_full(), round_trips: 0 };
        let outcome = look.run(&mut kept).await.unwrap_or_else(|error| ProbeOutcome::Failed { error });
        let latency = clock.elapsed();
        self.connector.sweep(key);
        let refused = kept.refused.iter().map(|(question, why)| (question.purpose(), why.clone()));
        let refused = refused.chain(kept.refused_queries.iter().map(|(name, why)| (*name, why.clone()))).collect();
        let round_trips = look.round_trips;
        let mut result =
            ProbeResult { probed: key.clone(), started, ended: Utc::now(), latency, round_trips, outcome, refused };
        if let ProbeOutcome::Seen(seen) = &mut result.outcome {
            seen.instance.check.latency_ns = i64::try_from(latency.as_nanos()).unwrap_or(i64::MAX);
        }
        result
    }
}

impl Probe for MysqlProbe {
    fn probe<'a>(&'a self, key: &'a InstanceKey, context: &'a ProbeContext) -> BoxFuture<'a, ProbeResult> {
        Box::pin(self.look(key, context))
    }

    fn forget(&self, key: &InstanceKey) {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        self.connector.forget(key);
    }
}

/// One look in progress.
struct Look<'a> {
    probe: &'a MysqlProbe,
    key: &'a InstanceKey,
    context: &'a ProbeContext,
    settings: Arc<ProbeSettings>,
    round_trips: u32,
}

impl Look<'_> {
    async fn run(&mut self, kept: &mut Kept) -> Result<ProbeOutcome, ProbeError> {
        let reused = self.connect(kept).await?;
        if let Some(version) = kept.binlog_server.clone() {
            return self.look_at_binlog_server(kept, &version).await;
        }
        let mut answers = self.ask_everything(kept).await;
        let again = match answers.first() {
            // The server closed the kept connection since the last poll: it was restarted, or thought it idle.
            Some((Question::Variables, Err(MysqlError::Lost { .. }))) => reused,
            // A plugin was removed since the survey.
            Some((Question::Variables, Err(error))) => error.number() == Some(UNKNOWN_VARIABLE),
            _ => false,
        };
        if again {
            kept.surveyed = None;
            self.connect(kept).await?;
            answers = self.ask_everything(kept).await;
        }
        let (mut raw, mut error) = self.sort_answers(answers, kept);
        if raw.variables.is_none() {
            return Err(match error {
                Some(error) => error.into(),
                None => InterpretError::NoVariables.into(),
            });
        }
        let mut asked = Answers::default();
        if error.is_none() {
            asked = self.ask_user_queries(kept).await;
            error = asked.silence.take();
        }
        raw.lag = asked.lag;
        raw.classification = std::mem::take(&mut asked.classification);
        raw.credentials_available =
            if self.settings.queries.credentials_are_queried { Some(true) } else { kept.credentials_available };

        let mut last = self.context.last.as_deref().cloned().unwrap_or_else(|| Instance::unseen(self.key.clone()));
        last.key = self.key.clone();
        let instance = interpret(&raw, &kept.survey, &self.settings.names, &self.settings.filters, &last)?;
        let unwanted = |channel: &&Replication| !self.settings.filters.admits_user(&channel.user);
        let skipped = instance.channels.iter().chain([&instance.replication]).find(unwanted);
        if let Some(Replication { user, .. }) = skipped {
            if self.settings.tells_of_skipped {
                tracing::info!(instance = %self.key, user, "skipped: DiscoveryIgnoreReplicationUsernameFilters match its user");
            }
            return Ok(ProbeOutcome::Skipped);
        }
        let seen =
            Box::new(Seen { instance, promotion_rule: asked.promotion_rule, cluster_domain: asked.cluster_domain });
        Ok(match error {
            None => ProbeOutcome::Seen(seen),
            Some(error) => ProbeOutcome::Partial { seen, error },
        })
    }

    /// Makes sure of a connection and of a survey. `true` when the connection was there already.
    async fn connect(&mut self, kept: &mut Kept) -> Result<bool, MysqlError> {
        let lifetime = self.probe.connector.settings().lifetime;
        let usable =
            kept.session.as_ref().is_some_and(|s| !s.is_broken() && (lifetime.is_zero() || s.age() < lifetime));
        if !usable {
            kept.session = None;
            kept.surveyed = None;
            kept.session = Some(self.probe.connector.open(self.key).await?);
        }
        if self.context.thorough || kept.surveyed.is_none_or(|at| at.elapsed() >= SLOW_CADENCE) {
            match self.survey(kept).await {
                Err(MysqlError::Lost { .. }) if usable => {
                    kept.session = Some(self.probe.connector.open(self.key).await?);
                    self.survey(kept).await?;
                }
                other => other?,
            }
        }
        Ok(usable)
    }

    /// Reads a binlog server, which knows few statements and takes them one at a time.
    async fn look_at_binlog_server(&mut self, kept: &mut Kept, version: &str) -> Result<ProbeOutcome, ProbeError> {
        let mut raw = RawProbe::default();
        let first_release = is_first_release(version);
        if first_release {
            raw.variables = Some(self.first_release_variables(kept).await?);
        }
        for (question, statement) in BINLOG_SERVER_POLL {
            if first_release && question == Question::Variables {
                continue;
            }
            match self.batch(kept, &[statement]).await.pop() {
                Some(Ok(rows)) => place(&mut raw, question, rows),
                Some(Err(error)) if question != Question::Channels && error.is_refusal() => {}
                Some(Err(error)) => {
                    kept.surveyed = None;
                    return Err(error.into());
                }
                None => {}
            }
        }
        let mut last = self.context.last.as_deref().cloned().unwrap_or_else(|| Instance::unseen(self.key.clone()));
        last.key = self.key.clone();
        let instance = interpret_binlog_server(version, &raw, &self.settings.filters, &last)?;
        Ok(ProbeOutcome::Seen(Box::new(Seen { instance, promotion_rule: None, cluster_domain: None })))
    }

    async fn first_release_variables(&mut self, kept: &mut Kept) -> Result<Record, MysqlError> {
        let [host, id] = FIRST_BINLOG_SERVER_VARIABLES;
        let host = self.batch(kept, &[host]).await.pop().unwrap_or_else(|| Ok(Vec::new()))?;
        let id = match self.batch(kept, &[id]).await.pop() {
            Some(Err(error)) if !error.is_refusal() => return Err(error),
            answer => answer.and_then(Result::ok).unwrap_or_default(),
        };
        let cell = |rows: &[Record]| rows.first().and_then(Record::scalar).map(str::to_owned);
        Ok(Record::new([("hostname".to_owned(), cell(&host)), ("server_id".to_owned(), cell(&id))]))
    }

    /// Asks whether this is a binlog server. No other server refuses the question.
    async fn survey_binlog_server(&mut self, kept: &mut Kept) -> Result<(), MysqlError> {
        kept.binlog_server = None;
        if !self.settings.looks_for_binlog_servers {
            return Ok(());
        }
        let rows = match self.batch(kept, &[BINLOG_SERVER]).await.pop() {
            Some(Err(error)) if !error.is_refusal() => return Err(error),
            answer => answer.and_then(Result::ok).unwrap_or_default(),
        };
        let version = |row: &Record| {
            let named = row.get("Variable_name").is_some_and(|name| name.eq_ignore_ascii_case("MAXSCALE_VERSION"));
            named.then(|| row.text(&["Value"]))
        };
        kept.binlog_server = rows.iter().find_map(version);
        Ok(())
    }

    async fn survey(&mut self, kept: &mut Kept) -> Result<(), MysqlError> {
        self.survey_binlog_server(kept).await?;
        if kept.binlog_server.is_some() {
            kept.surveyed = Some(Instant::now());
            return Ok(());
        }
        let mut answers = self.batch(kept, &[survey_variables(), SURVEY_BINARY_LOG.to_owned()]).await.into_iter();
        let variables = answers.next().unwrap_or_else(|| Ok(Vec::new()))?;
        // A server that knows the statement may refuse it for want of a grant: that is not a syntax error.
        let binary_log_status = !matches!(answers.next(), Some(Err(error)) if error.number() == Some(1064));
        let survey = Arc::new(Survey::new(&variables, binary_log_status));
        if kept.survey != survey {
            kept.old_receivers = false;
        }
        self.probe.connector.remember(self.key, Some(Arc::clone(&survey)));
        kept.survey = survey;
        kept.surveyed = Some(Instant::now());
        // What was refused may have been granted since.
        kept.refused.clear();
        Ok(())
    }

    async fn ask_everything(&mut self, kept: &mut Kept) -> Vec<(Question, Answer)> {
        let questions: Vec<(Question, String)> = EVERY_POLL
            .into_iter()
            .filter(|question| !kept.refused.contains_key(question))
            .filter_map(|question| Some((question, question.statement(&kept.survey, kept.old_receivers)?)))
            .collect();
        let statements: Vec<&str> = questions.iter().map(|(_, statement)| statement.as_str()).collect();
        let answers = self.batch(kept, &statements).await;
        questions.into_iter().map(|(question, _)| question).zip(answers).collect()
    }

    /// Sorts answers into their places; the first failure of what cannot be done without is returned beside them.
    fn sort_answers(&self, answers: Vec<(Question, Answer)>, kept: &mut Kept) -> (RawProbe, Option<MysqlError>) {
        let mut raw = RawProbe::default();
        let mut failure = None;
        for (question, answer) in answers {
            match answer {
                Ok(rows) => place(&mut raw, question, rows),
                Err(error) if question == Question::Receivers && error.number() == Some(UNKNOWN_COLUMN) => {
                    // The tables of 5.7 have fewer columns: ask for those from the next poll on.
                    kept.old_receivers = true;
                }
                Err(error) if question.is_optional() && error.is_refusal() => {
                    kept.refused.insert(question, error.to_string());
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        (raw, failure)
    }

    async fn ask_user_queries(&mut self, kept: &mut Kept) -> Answers {
        let slowly = self.context.thorough || kept.asked_slowly.is_none_or(|at| at.elapsed() >= SLOW_CADENCE);
        let depth = self.context.last.as_ref().map_or(0, |last| last.depth);
        let queries = self.settings.queries.due(slowly, depth);
        let own = slowly
            .then(|| Question::Credentials.statement(&kept.survey, false))
            .flatten()
            .filter(|_| !self.settings.queries.credentials_are_queried);
        let mut statements: Vec<&str> = own.as_deref().into_iter().collect();
        statements.extend(queries.iter().map(|query| query.text.as_str()));
        if statements.is_empty() {
            return Answers::default();
        }
        let mut replies = if queries.iter().any(|query| query.stands_alone()) {
            let mut replies = Vec::with_capacity(statements.len());
            for statement in &statements {
                replies.extend(self.batch(kept, &[*statement]).await);
            }
            replies
        } else {
            self.batch(kept, &statements).await
        };
        let rest = replies.split_off(usize::from(own.is_some()));
        match replies.pop() {
            Some(Ok(rows)) => {
                let available = rows.first().and_then(Record::scalar).is_some_and(engine::interpret::is_on);
                kept.credentials_available = Some(available);
            }
            Some(Err(error)) if error.is_refusal() => {
                kept.credentials_available = Some(false);
                kept.refused.insert(Question::Credentials, error.to_string());
            }
            _ => {}
        }
        if slowly {
            kept.asked_slowly = Some(Instant::now());
            kept.refused_queries.clear();
        }
        Answers::collect(&queries, rest, &mut kept.refused_queries)
    }

    async fn batch<S: AsRef<str>>(&mut self, kept: &mut Kept, statements: &[S]) -> Vec<Answer> {
        let limit = self.probe.connector.settings().probe_timeout;
        let Some(session) = kept.session.as_mut() else { return Vec::new() };
        let before = session.round_trips();
        let answers = session.batch(statements, limit).await;
        self.round_trips += session.round_trips() - before;
        answers
    }
}

fn place(raw: &mut RawProbe, question: Question, rows: Vec<Record>) {
    match question {
        Question::Variables => raw.variables = rows.into_iter().next(),
        Question::Status => raw.status = Some(rows),
        Question::BinaryLog => raw.binary_log = Some(rows),
        Question::RegisteredReplicas => raw.registered_replicas = Some(rows),
        Question::DumpThreads => raw.dump_threads = Some(rows),
        Question::GroupMembers => raw.group_members = Some(rows),
        Question::Receivers => raw.receivers = Some(rows),
        Question::Channels => raw.channels = Some(rows),
        Question::Credentials => {}
    }
}
