//! Webhooks: addresses that are told what happens (`docs/HOOKS.md`). Nothing waits for them: messages queue up behind
//! each address, in order, up to a bound, and are tried again for a while.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::finding::Finding;
use app::recovery::{Recovery, RecoveryState};
use chrono::{DateTime, Utc};
use ring::hmac;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::config::LiveConfig;
use crate::config::webhooks::{Webhook, WebhookEvent};
use crate::http;
use crate::node::random_hex;
use crate::tasks::Task;

/// Messages that wait for one address; the oldest goes when there are more.
const WAITING: usize = 200;

/// Pauses before each further attempt.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// One attempt may take this long.
const LIMIT: Duration = Duration::from_secs(5);

/// What waits when the service stops gets this long.
const STOPPING: Duration = Duration::from_secs(3);

/// What an address is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// What happened.
    pub event: WebhookEvent,
    /// The body.
    pub body: Value,
}

impl Message {
    /// A problem was detected, or is blocked: `why` says by what.
    pub fn about_finding(event: WebhookEvent, finding: &Finding, why: &str, node: &str, at: DateTime<Utc>) -> Self {
        let mut body = common(event, finding, node, at);
        if !why.is_empty() {
            body["reason"] = json!(why);
        }
        Self { event, body }
    }

    /// A recovery began or ended.
    pub fn about_recovery(event: WebhookEvent, recovery: &Recovery, at: DateTime<Utc>) -> Self {
        let mut body = common(event, &recovery.finding, &recovery.node, at);
        let (state, reason) = match &recovery.state {
            RecoveryState::Running => ("running", ""),
            RecoveryState::Succeeded => ("succeeded", ""),
            RecoveryState::Failed { reason } => ("failed", reason.as_str()),
        };
        body["recovery"] = json!({
            "uid": recovery.uid,
            "kind": recovery.kind,
            "actor": recovery.actor,
            "state": state,
            "reason": reason,
            "successor": recovery.successor.as_ref().map(ToString::to_string),
            "lost_replicas": recovery.lost_replicas.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "errors": recovery.errors,
            "started": recovery.started,
            "ended": recovery.ended,
        });
        Self { event, body }
    }
}

fn common(event: WebhookEvent, finding: &Finding, node: &str, at: DateTime<Utc>) -> Value {
    json!({
        "id": random_hex(),
        "event": event.as_str(),
        "at": at,
        "node": node,
        "cluster": finding.cluster,
        "cluster_alias": finding.cluster_alias,
        "instance": finding.key.to_string(),
        "code": finding.code.as_str(),
        "description": finding.description,
    })
}

/// How the messages to one address fare.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fare {
    /// Messages that wait.
    pub waiting: usize,
    /// Messages that arrived.
    pub delivered: u64,
    /// Messages given up after the last attempt.
    pub failed: u64,
    /// Messages that found no room.
    pub dropped: u64,
    /// Why the last one failed.
    pub last_error: Option<String>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Webhook, Message)>,
    at_work: bool,
    fare: Fare,
}

#[derive(Debug, Default)]
struct Shared {
    queues: Mutex<BTreeMap<String, Queue>>,
    wake: Notify,
}

/// The queues.
#[derive(Debug, Clone)]
pub struct Webhooks {
    config: Arc<LiveConfig>,
    shared: Arc<Shared>,
}

impl Webhooks {
    /// Queues for the addresses of this configuration. Nothing is sent before [`Self::deliver`] runs.
    pub fn new(config: Arc<LiveConfig>) -> Self {
        Self { config, shared: Arc::default() }
    }

    /// Queues a message for every address that wants it. Never waits.
    pub fn send(&self, message: &Message) {
        let config = self.config.current();
        let mut queues = self.lock();
        for hook in config.extensions.webhooks.list().iter().filter(|hook| hook.wants(message.event)) {
            let queue = queues.entry(hook.url.clone()).or_default();
            queue.waiting.push_back((hook.clone(), message.clone()));
            if queue.waiting.len() > WAITING {
                queue.waiting.pop_front();
                queue.fare.dropped += 1;
                tracing::error!(webhook = hook.shown(), "too many messages wait; the oldest is dropped");
            }
        }
        self.shared.wake.notify_one();
    }

    /// How the messages fare, by address (without what may be secret in it).
    pub fn fares(&self) -> BTreeMap<String, Fare> {
        let fare = |queue: &Queue| Fare { waiting: queue.waiting.len(), ..queue.fare.clone() };
        let shown = |url: &str| Webhook { url: url.to_owned(), events: vec![], secret: "".into() }.shown();
        self.lock().iter().map(|(url, queue)| (shown(url), fare(queue))).collect()
    }

    /// The loop that sends. Addresses are served side by side, the messages of one in order.
    pub async fn deliver(&self, task: Task) {
        let client = match http::client(LIMIT, http::Trust::default()) {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(%error, "webhooks cannot be sent");
                task.idle(Err(error.to_string()));
                task.stopped().await;
                return;
            }
        };
        let mut at_work = JoinSet::new();
        loop {
            self.start_idle(&client, &mut at_work);
            tokio::select! {
                () = task.stopped() => break,
                () = self.shared.wake.notified() => {}
                Some(done) = at_work.join_next() => self.settle(done, &task),
            }
        }
        let rest = async {
            while let Some(done) = at_work.join_next().await {
                self.settle(done, &task);
                self.start_idle(&client, &mut at_work);
            }
        };
        if tokio::time::timeout(STOPPING, rest).await.is_err() {
            let left: usize = self.lock().values().map(|queue| queue.waiting.len() + usize::from(queue.at_work)).sum();
            tracing::error!(left, "stopped before all webhooks were sent");
        }
    }

    fn start_idle(&self, client: &reqwest::Client, at_work: &mut JoinSet<(String, Result<(), String>)>) {
        for (url, queue) in self.lock().iter_mut().filter(|(_, queue)| !queue.at_work) {
            let Some((hook, message)) = queue.waiting.pop_front() else { continue };
            queue.at_work = true;
            let (url, client) = (url.clone(), client.clone());
            at_work.spawn(async move { (url, insist(&client, &hook, &message).await) });
        }
    }

    fn settle(&self, done: Result<(String, Result<(), String>), tokio::task::JoinError>, task: &Task) {
        let Ok((url, result)) = done else { return };
        let mut queues = self.lock();
        let Some(queue) = queues.get_mut(&url) else { return };
        queue.at_work = false;
        match &result {
            Ok(()) => queue.fare.delivered += 1,
            Err(error) => {
                queue.fare.failed += 1;
                queue.fare.last_error = Some(error.clone());
            }
        }
        task.idle(result);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Queue>> {
        self.shared.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a message until it is taken or the attempts are used up.
async fn insist(client: &reqwest::Client, hook: &Webhook, message: &Message) -> Result<(), String> {
    let mut pauses = PAUSES.into_iter();
    loop {
        let error = match post(client, hook, message).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let Some(pause) = pauses.next() else {
            let error = format!("webhook {} was not told of {}: {error}", hook.shown(), message.event.as_str());
            tracing::error!("{error}");
            return Err(error);
        };
        tracing::warn!(webhook = hook.shown(), event = message.event.as_str(), error, "a webhook failed; trying again");
        tokio::time::sleep(pause).await;
    }
}

async fn post(client: &reqwest::Client, hook: &Webhook, message: &Message) -> Result<(), String> {
    let body = message.body.to_string();
    let id = message.body["id"].as_str().unwrap_or_default();
    let timestamp = Utc::now().timestamp().to_string();
    let mut request = client
        .post(&hook.url)
        .header("content-type", "application/json")
        .header("x-orchestrator-event", message.event.as_str())
        .header("x-orchestrator-delivery", id)
        .header("x-orchestrator-timestamp", &timestamp);
    if !hook.secret.is_empty() {
        let signature = sign(hook.secret.reveal(), &timestamp, &body);
        request = request.header("x-orchestrator-signature", format!("sha256={signature}"));
    }
    let answer = request.body(body).send().await.map_err(|error| http::told(&error))?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(format!("answered {status}")) }
}

/// HMAC-SHA256 of `<timestamp>.<body>`, in hexadecimal digits: with the time in it an old message cannot be sent again.
pub fn sign(secret: &str, timestamp: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{timestamp}.{body}").as_bytes());
    tag.as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
