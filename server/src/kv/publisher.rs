//! What is published, when, and how it is kept true.
//!
//! Every write goes to all stores, whatever another store said. Writes for one name come one after the other, so that
//! an older primary never overtakes a newer one. Once a minute, and sooner after a failure, what the stores hold is
//! read and compared with the picture; nothing is remembered of earlier writes, so what others changed or removed
//! comes back.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use app::InstanceKey;
use app::topology::{Graph, Snapshot};
use chrono::Utc;
use engine::publication::{self, Known, Published};
use futures_util::future::join_all;

use super::{Addresses, Consul, ConsulSettings, Internal, KvError, KvPair, KvStore, ZooKeeper, pairs};
use crate::audit::{Act, Audit};
use crate::config::{Config, LiveConfig};
use crate::consensus::{Actor, Consensus, OutOfReach};
use crate::exec::{Holder, Locks};
use crate::fleet::Fleet;
use crate::node::Node;
use crate::store::{HostAddresses, Store};
use crate::tasks::Task;

/// What the stores hold is looked after this often (`spec/recovery.md` 7.3).
const EVERY: Duration = Duration::from_secs(60);

/// After a failure the next look comes sooner, this soon at first and then twice as late each time.
const SOONEST: Duration = Duration::from_secs(2);

/// A store may take this long for one cluster.
const STORE_LIMIT: Duration = Duration::from_secs(5);

/// A name may take this long to be resolved: publishing waits for it.
const RESOLVE_LIMIT: Duration = Duration::from_millis(500);

/// How a store took what it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Name of the store.
    pub store: &'static str,
    /// What it said.
    pub result: Result<(), KvError>,
}

/// What a publisher needs of the other rooms.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Configuration.
    pub config: Arc<LiveConfig>,
    /// The picture.
    pub fleet: Arc<Fleet>,
    /// Who leads.
    pub consensus: Arc<Consensus>,
    /// What recoveries hold.
    pub locks: Locks,
    /// This process.
    pub node: Arc<Node>,
    /// Backend, for addresses.
    pub backend: Store,
    /// Audit.
    pub audit: Audit,
}

/// Publishes primaries.
pub struct Publisher {
    config: Arc<LiveConfig>,
    fleet: Arc<Fleet>,
    consensus: Arc<Consensus>,
    locks: Locks,
    node: Arc<Node>,
    backend: Store,
    audit: Audit,
    stores: Vec<Arc<dyn KvStore>>,
    /// One publication of a name at a time.
    turns: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    addresses: Mutex<BTreeMap<String, Addresses>>,
    wake: tokio::sync::Notify,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stores: Vec<&str> = self.stores.iter().map(|store| store.name()).collect();
        f.debug_struct("Publisher").field("stores", &stores).finish_non_exhaustive()
    }
}

/// The stores of a configuration: ours always, ZooKeeper and Consul when they have an address. Changes of these keys take
/// effect at the next start.
pub fn stores_of(live: &Arc<LiveConfig>, backend: &Store) -> Vec<Arc<dyn KvStore>> {
    let config = live.current();
    let mut stores: Vec<Arc<dyn KvStore>> = vec![Arc::new(Internal::new(backend.clone()))];
    if let Some(zookeeper) = ZooKeeper::new(&config.kv.zk_address) {
        stores.push(Arc::new(zookeeper));
    }
    if !config.kv.consul_address.is_empty() {
        match Consul::new(consul(&config), Arc::clone(live)) {
            Ok(consul) => stores.push(Arc::new(consul)),
            Err(error) => {
                tracing::error!(%error, "Consul cannot be written");
                stores.push(Arc::new(Unusable(error.to_string())));
            }
        }
    }
    stores
}

fn consul(config: &Config) -> ConsulSettings {
    let kv = &config.kv;
    let ca_file = &config.extensions.consul_ca_file;
    ConsulSettings {
        address: kv.consul_address.clone(),
        scheme: kv.consul_scheme.clone(),
        token: kv.consul_acl_token.clone(),
        transactions: kv.uses_transactions(),
        ca_file: (!ca_file.is_empty()).then(|| PathBuf::from(ca_file)),
        skip_verify: config.extensions.consul_ssl_skip_verify,
    }
}

/// Stands for a store that is configured and cannot be used: each use says why.
struct Unusable(String);

impl KvStore for Unusable {
    fn name(&self) -> &'static str {
        "consul"
    }

    fn put<'a>(&'a self, _: &'a [KvPair]) -> futures_util::future::BoxFuture<'a, Result<(), KvError>> {
        Box::pin(std::future::ready(Err(KvError(self.0.clone()))))
    }

    fn read<'a>(
        &'a self,
        _: &'a str,
        _: &'a [String],
    ) -> futures_util::future::BoxFuture<'a, Result<Vec<BTreeMap<String, String>>, KvError>> {
        Box::pin(std::future::ready(Err(KvError(self.0.clone()))))
    }
}

impl Publisher {
    /// A publisher to these stores; the first of them is the one that is asked what is published.
    pub fn new(parts: Parts, stores: Vec<Arc<dyn KvStore>>) -> Self {
        let Parts { config, fleet, consensus, locks, node, backend, audit } = parts;
        let (turns, addresses) = (Mutex::default(), Mutex::default());
        let wake = tokio::sync::Notify::new();
        Self { config, fleet, consensus, locks, node, backend, audit, stores, turns, addresses, wake }
    }

    /// Publishes a primary that was just proven, and says how each store took it. What failed is tried again by
    /// [`keep_true`].
    pub async fn publish(&self, alias: &str, primary: &InstanceKey) -> Vec<Stored> {
        let turn = self.turn(alias);
        let _turn = turn.lock().await;
        self.write(alias, primary).await
    }

    /// Whether the actor may have the primary of this cluster published, or those of all.
    ///
    /// # Errors
    /// [`OutOfReach`] with the limit.
    pub fn may_submit(&self, cluster: Option<&str>, actor: &Actor) -> Result<(), OutOfReach> {
        match cluster {
            Some(name) => actor.reaches_cluster(&self.fleet.snapshot(), name),
            None => actor.reaches_everything("the primaries of all clusters"),
        }
    }

    /// Writes the primaries of all clusters, or of one, without looking at what the stores hold. Gives the pairs.
    ///
    /// # Errors
    /// What failed, store by store; what other stores took stays.
    pub async fn submit(&self, cluster: Option<&str>, actor: &Actor) -> Result<Vec<KvPair>, KvError> {
        let began = Instant::now();
        let snapshot = self.fleet.snapshot();
        self.may_submit(cluster, actor).map_err(|error| KvError(error.to_string()))?;
        let names = cluster.map_or_else(|| publication::clusters(&snapshot), |name| vec![name.to_owned()]);
        let mut written = Vec::new();
        let mut failures = Vec::new();
        for name in &names {
            // What is published does not stand in the way of a person's word.
            let known = self.known(&snapshot, name, &self.locks.list());
            let found = publication::primary_of(&snapshot, &Graph::new(&snapshot), name, &known);
            let Ok(Published { alias, primary, .. }) = found else { continue };
            let prefix = self.prefix();
            let addresses = self.addresses_of(&primary.hostname).await;
            written.extend(pairs(&prefix, &alias, &primary, &addresses));
            failures.extend(failures_of(&alias, &self.publish(&alias, &primary).await));
        }
        let result = if failures.is_empty() { Ok(written) } else { Err(KvError(failures.join("; "))) };
        let message = match &result {
            Ok(written) => format!("{} pairs written", written.len()),
            Err(error) => format!("failed: {error}"),
        };
        let act = Act::new("submit-masters-to-kv-stores", actor, message).of(cluster.unwrap_or_default());
        self.audit.log(act.ended_well(result.is_ok()).since(began));
        result
    }

    /// Looks whether the stores hold what they should, and writes what they do not.
    ///
    /// # Errors
    /// What failed, store by store.
    pub async fn repair(&self) -> Result<(), KvError> {
        let published = self.published().await?;
        let wanted = self.wanted(&self.fleet.snapshot(), &published);
        let mut failures = Vec::new();
        let prefix = self.prefix();
        let groups = join_all(wanted.iter().map(async |Published { alias, primary, .. }| {
            pairs(&prefix, alias, primary, &self.addresses_of(&primary.hostname).await)
        }))
        .await;
        for store in &self.stores {
            let stale = match self.stale(store.as_ref(), &groups).await {
                Ok(stale) => stale,
                Err(error) => {
                    failures.push(format!("{}: {error}", store.name()));
                    continue;
                }
            };
            for published in stale.iter().filter_map(|at| wanted.get(*at)) {
                failures.extend(self.mend(store, published).await);
            }
        }
        failures.dedup();
        if failures.is_empty() { Ok(()) } else { Err(KvError(failures.join("; "))) }
    }

    /// What our own store says is published.
    async fn published(&self) -> Result<BTreeMap<String, String>, KvError> {
        let Some(internal) = self.stores.first() else { return Ok(BTreeMap::new()) };
        let prefix = self.prefix();
        let read = tokio::time::timeout(STORE_LIMIT, internal.read(prefix.trim_start_matches('/'), &[])).await;
        let places = read.map_err(|_| KvError(late(internal.name())))??;
        Ok(places.into_iter().next().unwrap_or_default())
    }

    /// The primaries to publish now.
    fn wanted(&self, snapshot: &Snapshot, published: &BTreeMap<String, String>) -> Vec<Published> {
        let graph = Graph::new(snapshot);
        let (prefix, held) = (self.prefix(), self.locks.list());
        let decide = |cluster: &String| {
            let mut known = self.known(snapshot, cluster, &held);
            let key = format!("{}{}", prefix.trim_start_matches('/'), known.alias);
            known.published = published.get(&key).cloned().unwrap_or_default();
            publication::primary_of(snapshot, &graph, cluster, &known)
        };
        publication::clusters(snapshot)
            .iter()
            .filter_map(|cluster| match decide(cluster) {
                Ok(published) => Some(published),
                Err(refused) => {
                    tracing::debug!(cluster, reason = refused.reason, "no primary is published");
                    None
                }
            })
            .collect()
    }

    /// Positions of the groups of which a store holds anything but what it should, wherever it distributes to.
    async fn stale(&self, store: &dyn KvStore, groups: &[Vec<KvPair>]) -> Result<Vec<usize>, KvError> {
        let keys: Vec<String> = groups.iter().flatten().map(|pair| pair.key.clone()).collect();
        if keys.is_empty() {
            return Ok(vec![]);
        }
        let prefix = self.prefix();
        let prefix = prefix.trim_start_matches('/');
        // A server more takes a little longer; a store that hangs is left after a while all the same.
        let limit = STORE_LIMIT * u32::try_from(1 + groups.len() / 100).unwrap_or(1);
        let places =
            tokio::time::timeout(limit, store.read(prefix, &keys)).await.map_err(|_| KvError(late(store.name())))??;
        let holds = |pair: &KvPair| places.iter().all(|held| held.get(&pair.key) == Some(&pair.value));
        let stale = groups.iter().enumerate().filter(|(_, group)| !group.iter().all(holds));
        Ok(stale.map(|(at, _)| at).collect())
    }

    /// Writes one cluster's pairs into one store, unless the primary is another one by now.
    async fn mend(&self, store: &Arc<dyn KvStore>, published: &Published) -> Option<String> {
        let turn = self.turn(&published.alias);
        let _turn = turn.lock().await;
        if !self.is_still(published) {
            return None;
        }
        let addresses = self.addresses_of(&published.primary.hostname).await;
        let pairs = pairs(&self.prefix(), &published.alias, &published.primary, &addresses);
        let result = put(store.as_ref(), &pairs).await;
        let (store, alias, primary) = (store.name(), &published.alias, &published.primary);
        match result {
            Ok(()) => {
                tracing::info!(store, alias, instance = %primary, "the store held something else; published anew");
                None
            }
            Err(error) => Some(format!("{store}: {alias}: {error}")),
        }
    }

    /// It is the primary to publish, now as before.
    fn is_still(&self, published: &Published) -> bool {
        let snapshot = self.fleet.snapshot();
        let known = self.known(&snapshot, &published.cluster, &self.locks.list());
        let known = Known { published: published.primary.to_string(), ..known };
        let now = publication::primary_of(&snapshot, &Graph::new(&snapshot), &published.cluster, &known);
        now.as_ref() == Ok(published)
    }

    async fn write(&self, alias: &str, primary: &InstanceKey) -> Vec<Stored> {
        let addresses = self.addresses_of(&primary.hostname).await;
        let pairs = pairs(&self.prefix(), alias, primary, &addresses);
        let results = join_all(self.stores.iter().map(|store| put(store.as_ref(), &pairs))).await;
        let stored: Vec<Stored> =
            self.stores.iter().zip(results).map(|(store, result)| Stored { store: store.name(), result }).collect();
        for failure in failures_of(alias, &stored) {
            tracing::error!(alias, instance = %primary, "publication failed: {failure}");
            self.wake.notify_one();
        }
        stored
    }

    fn known(&self, snapshot: &Snapshot, cluster: &str, held: &BTreeMap<String, Holder>) -> Known {
        let annotations = &snapshot.annotations;
        let config = self.config.current();
        let alias =
            annotations.cluster_alias_overrides.get(cluster).or_else(|| annotations.cluster_aliases.get(cluster));
        let alias = alias.map(String::as_str).filter(|alias| !alias.is_empty() && *alias != cluster);
        let alias = alias.or_else(|| config.classification.cluster_name_to_alias.alias_of(cluster));
        Known {
            alias: alias.unwrap_or(cluster).to_owned(),
            published: String::new(),
            in_recovery: held.contains_key(&format!("cluster {cluster}")),
        }
    }

    fn prefix(&self) -> String {
        self.config.current().kv.cluster_primary_prefix.clone()
    }

    fn turn(&self, alias: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(alias.to_owned()).or_default())
    }

    /// The addresses of a host: resolved now, else as last known, else none.
    async fn addresses_of(&self, hostname: &str) -> Addresses {
        if let Ok(address) = hostname.parse::<IpAddr>() {
            return Addresses::of([address]);
        }
        let found = tokio::time::timeout(RESOLVE_LIMIT, tokio::net::lookup_host((hostname, 0))).await;
        if let Ok(Ok(found)) = found {
            let addresses = Addresses::of(found.map(|address| address.ip()));
            self.remember(hostname, &addresses);
            return addresses;
        }
        let known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(hostname).cloned().unwrap_or_default()
    }

    fn remember(&self, hostname: &str, addresses: &Addresses) {
        let mut known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(hostname) == Some(addresses) {
            return;
        }
        known.insert(hostname.to_owned(), addresses.clone());
        let (backend, hostname) = (self.backend.clone(), hostname.to_owned());
        let row = HostAddresses { ipv4: addresses.ipv4.clone(), ipv6: addresses.ipv6.clone() };
        tokio::spawn(async move {
            if let Err(error) = backend.write_addresses(&hostname, &row, Utc::now()).await {
                tracing::warn!(hostname, %error, "the addresses of a host could not be kept");
            }
        });
    }

    /// What the last process knew of addresses.
    async fn recall(&self) {
        match self.backend.load_addresses().await {
            Ok(rows) => {
                let mut known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
                for (hostname, HostAddresses { ipv4, ipv6 }) in rows {
                    known.entry(hostname).or_insert(Addresses { ipv4, ipv6 });
                }
            }
            Err(error) => tracing::warn!(%error, "the last known addresses of hosts cannot be read"),
        }
    }
}

/// The loop that keeps the stores true: on the node that leads, from the third poll on, like recoveries.
pub async fn keep_true(publisher: Arc<Publisher>, task: Task) {
    publisher.recall().await;
    let mut failed_in_a_row = 0;
    loop {
        let pause = match failed_in_a_row {
            0 => EVERY,
            n => (SOONEST * 2_u32.saturating_pow(n - 1)).min(EVERY),
        };
        tokio::select! {
            () = task.stopped() => return,
            () = publisher.wake.notified() => tokio::time::sleep(SOONEST).await,
            () = tokio::time::sleep(first(&publisher, pause)) => {}
        }
        let settle = publisher.config.current().discovery.poll_interval() * 3;
        let age = (Utc::now() - publisher.node.started).to_std().unwrap_or_default();
        if !publisher.consensus.is_leader() || age < settle {
            continue;
        }
        task.busy();
        let result = publisher.repair().await;
        match &result {
            Ok(()) => failed_in_a_row = 0,
            Err(error) => {
                failed_in_a_row = (failed_in_a_row + 1).min(8);
                tracing::error!(%error, "the key-value stores do not hold all that is published");
            }
        }
        task.idle(result.map_err(|error| error.to_string()));
    }
}

/// The first look comes as soon as this node may act.
fn first(publisher: &Publisher, pause: Duration) -> Duration {
    let settle = publisher.config.current().discovery.poll_interval() * 3;
    let age = (Utc::now() - publisher.node.started).to_std().unwrap_or_default();
    if age < settle { (settle - age).min(pause) } else { pause }
}

async fn put(store: &dyn KvStore, pairs: &[KvPair]) -> Result<(), KvError> {
    match tokio::time::timeout(STORE_LIMIT, store.put(pairs)).await {
        Ok(result) => result,
        Err(_) => Err(KvError(format!("no answer within {} s", STORE_LIMIT.as_secs()))),
    }
}

fn late(store: &str) -> String {
    format!("{store}: no answer within {} s", STORE_LIMIT.as_secs())
}

fn failures_of(alias: &str, stored: &[Stored]) -> Vec<String> {
    let failure = |s: &Stored| s.result.as_ref().err().map(|error| format!("{}: {alias}: {error}", s.store));
    stored.iter().filter_map(failure).collect()
}
