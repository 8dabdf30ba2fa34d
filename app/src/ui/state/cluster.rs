//! The cluster on the screen: a signal for each server, so that what changes about one redraws that one.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use leptos::prelude::*;

use super::live::Link;
use super::remote::Remote;
use crate::InstanceKey;
use crate::api::{ClusterSettings, ClusterSummary, ClusterView, ServerView};
use crate::finding::Finding;
use crate::readiness::HeldBack;
use crate::recovery::Recovery;
use crate::topology::Snapshot;
use crate::ui::infra::api::{self, ApiError, path};
use crate::ui::infra::clock::Clock;
use crate::ui::model::move_targets;
use crate::ui::model::readiness::Shown;
use crate::ui::model::recovery::upsert;
use crate::ui::model::shape::Row;
use crate::ui::model::sparkline::{Sample, keep};

/// A server's signal.
pub type ServerSignal = ArcRwSignal<ServerView>;

/// The cluster on the screen.
#[derive(Clone, Copy)]
pub struct OpenCluster {
    /// Name in the address; `None` when no cluster is open.
    pub asked: RwSignal<Option<String>>,
    /// Its summary, once read.
    pub summary: RwSignal<Option<ClusterSummary>>,
    /// Its servers.
    pub servers: RwSignal<BTreeMap<InstanceKey, ServerSignal>>,
    /// What is wrong.
    pub findings: RwSignal<Vec<Finding>>,
    /// Why nothing acts on it.
    pub held: RwSignal<Vec<HeldBack>>,
    /// Latest recoveries, newest first.
    pub recoveries: RwSignal<Vec<Recovery>>,
    /// What would happen if a source died now; read while it is shown.
    pub readiness: Remote<Shown>,
    /// Settings to judge by.
    pub settings: RwSignal<ClusterSettings>,
    /// Why the latest reading failed.
    pub error: RwSignal<Option<ApiError>>,
    /// Who hangs below whom; changes only when that does.
    pub rows: Memo<Vec<Row>>,
    /// Lag of each replica as this page has seen it.
    lags: StoredValue<BTreeMap<InstanceKey, Vec<Sample>>>,
    turn: StoredValue<u64>,
}

impl OpenCluster {
    /// None open.
    pub fn new() -> Self {
        let servers = RwSignal::new(BTreeMap::<InstanceKey, ServerSignal>::new());
        let rows = Memo::new(move |_| servers.with(|map| map.values().map(|s| s.with(Row::of)).collect::<Vec<Row>>()));
        Self {
            asked: RwSignal::new(None),
            summary: RwSignal::new(None),
            servers,
            findings: RwSignal::new(Vec::new()),
            held: RwSignal::new(Vec::new()),
            recoveries: RwSignal::new(Vec::new()),
            readiness: Remote::new(),
            settings: RwSignal::new(ClusterSettings::default()),
            error: RwSignal::new(None),
            rows,
            lags: StoredValue::new(BTreeMap::new()),
            turn: StoredValue::new(0),
        }
    }

    /// Another cluster, or none, is asked for. What is shown of the former goes.
    pub fn open(self, name: Option<String>) {
        if self.asked.get_untracked() == name {
            return;
        }
        self.asked.set(name);
        self.turn.update_value(|turn| *turn += 1);
        self.summary.set(None);
        self.servers.set(BTreeMap::new());
        self.lags.set_value(BTreeMap::new());
        self.findings.set(Vec::new());
        self.held.set(Vec::new());
        self.recoveries.set(Vec::new());
        self.readiness.clear();
        self.error.set(None);
    }

    /// Reads the whole cluster.
    pub async fn read(self, link: Link, clock: Clock) {
        let Some(name) = self.asked.get_untracked() else { return };
        let turn = self.turn.get_value() + 1;
        self.turn.set_value(turn);
        let mut answer = api::get::<ClusterView>(&path(&["clusters", &name])).await;
        // The name of a cluster is that of its topmost server: after a failover it is known by another one.
        if answer.as_ref().is_err_and(ApiError::is_not_found) {
            let members: Vec<InstanceKey> = self.servers.with_untracked(|map| map.keys().cloned().collect());
            for member in members {
                let Ok(server) = api::get::<ServerView>(&path(&["servers", &member.to_string()])).await else {
                    continue;
                };
                answer = api::get::<ClusterView>(&path(&["clusters", &server.instance.cluster_name])).await;
                if answer.is_ok() {
                    break;
                }
            }
        }
        link.heard(answer.as_ref().err());
        if self.turn.get_value() != turn || self.asked.get_untracked().as_ref() != Some(&name) {
            return;
        }
        match answer {
            Ok(view) => {
                clock.server_says(view.at);
                self.apply(view);
            }
            Err(error) => self.error.set(Some(error)),
        }
    }

    /// Reads what would happen if a source died now.
    pub async fn read_readiness(self, link: Link) {
        // The name may have changed with a failover; the cluster as it was read knows it.
        let Some(name) = self.name_once().or_else(|| self.asked.get_untracked()) else { return };
        self.readiness.read(link, &path(&["clusters", &name, "readiness"])).await;
    }

    /// What is known of readiness was told longer ago than this.
    pub fn readiness_is_older(self, now: DateTime<Utc>, age: TimeDelta) -> bool {
        self.readiness.value.with_untracked(|told| told.as_ref().is_none_or(|told| now - told.at > age))
    }

    /// Reads one server of the cluster.
    pub async fn read_server(self, link: Link, clock: Clock, key: InstanceKey) {
        let answer = api::get::<ServerView>(&path(&["servers", &key.to_string()])).await;
        link.heard(answer.as_ref().err());
        match answer {
            Ok(view) => self.put(view),
            // Forgotten, or something is wrong: the whole cluster tells which.
            Err(_) => Box::pin(self.read(link, clock)).await,
        }
    }

    /// A server was read.
    pub fn put(self, view: ServerView) {
        self.note_lag(&view);
        let signal = self.servers.with_untracked(|map| map.get(&view.instance.key).cloned());
        if let Some(signal) = signal {
            let moved_away =
                self.summary.with_untracked(|s| s.as_ref().is_some_and(|s| s.name != view.instance.cluster_name));
            if !moved_away && signal.with_untracked(|known| *known != view) {
                signal.set(view);
            }
        }
    }

    fn apply(self, view: ClusterView) {
        let ClusterView { summary, servers, findings, held, recoveries, settings, .. } = view;
        set_if_changed(self.summary, Some(summary));
        set_if_changed(self.findings, findings);
        set_if_changed(self.held, held);
        set_if_changed(self.recoveries, recoveries);
        set_if_changed(self.settings, settings);
        set_if_changed(self.error, None);
        let known = self.servers.get_untracked();
        let same_keys = known.len() == servers.len() && servers.iter().all(|s| known.contains_key(&s.instance.key));
        let mut next = BTreeMap::new();
        for server in servers {
            self.note_lag(&server);
            let key = server.instance.key.clone();
            let signal = match known.get(&key) {
                Some(signal) => {
                    if signal.with_untracked(|now| *now != server) {
                        signal.set(server);
                    }
                    signal.clone()
                }
                None => ArcRwSignal::new(server),
            };
            next.insert(key, signal);
        }
        if !same_keys {
            self.servers.set(next);
        }
    }

    fn note_lag(self, view: &ServerView) {
        let server = &view.instance;
        if let (true, Some(at)) = (server.is_replica(), server.check.last_checked) {
            let lag = server.lag.filter(|_| server.check.is_valid());
            self.lags.update_value(|lags| keep(lags.entry(server.key.clone()).or_default(), (at, lag)));
        }
    }

    /// Lag of a server as this page has seen it, oldest first.
    pub fn lag_samples(self, key: &InstanceKey) -> Vec<Sample> {
        self.lags.with_value(|lags| lags.get(key).cloned().unwrap_or_default())
    }

    /// The record of a recovery of this cluster changed.
    pub fn put_recovery(self, recovery: &Recovery) {
        let ours = self.summary.with_untracked(|s| {
            s.as_ref().is_some_and(|s| s.name == recovery.cluster || s.alias == recovery.cluster_alias)
        });
        if ours {
            self.recoveries.update(|list| upsert(list, recovery.clone()));
        }
    }

    /// A server's signal.
    pub fn server(self, key: &InstanceKey) -> Option<ServerSignal> {
        self.servers.with(|map| map.get(key).cloned())
    }

    /// The server is shown; does not redraw.
    pub fn shows(self, key: &InstanceKey) -> bool {
        self.servers.with_untracked(|map| map.contains_key(key))
    }

    /// Name of the cluster, once read; does not redraw.
    pub fn name_once(self) -> Option<String> {
        self.summary.with_untracked(|s| s.as_ref().map(|s| s.name.clone()))
    }

    /// All servers at this moment, as the rules want them; does not redraw.
    pub fn snapshot(self, clock: Clock) -> Snapshot {
        let servers: Vec<ServerView> =
            self.servers.with_untracked(|map| map.values().map(|s| s.get_untracked()).collect());
        move_targets::snapshot(&servers, clock.now_once())
    }
}

fn set_if_changed<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|known| *known != value) {
        signal.set(value);
    }
}
