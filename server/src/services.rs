//! The rooms of the service, put together: what the service, the commands and the tests all begin with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use app::topology::Candidate;
use chrono::{DateTime, TimeDelta, Utc};

use crate::adoption::Adoption;
use crate::audit::Audit;
use crate::config::LiveConfig;
use crate::consensus::{Actor, Command, Consensus};
use crate::discovery::{Claim, Discovery};
use crate::events::EventBus;
use crate::exec::{Exec, Gate, Locks, ServerHands};
use crate::fleet::Fleet;
use crate::hooks::webhooks::Webhooks;
use crate::hooks::{Hooks, Runner};
use crate::journal::{self, Journal, Kept, Queue};
use crate::kv::{self, Publisher};
use crate::mysql::{Connector, MysqlControl, MysqlProbe, Probe};
use crate::node::Node;
use crate::recovery::{self, RecoveryService};
use crate::refactor::{self, Refactor};
use crate::registration;
use crate::settings;
use crate::store::{DetectionFilter, Store, StoreError};
use crate::tasks::Tasks;

/// Recoveries read from the backend at start: enough for pages and for the block period.
const RECOVERIES_READ: u32 = 500;

/// Detections read from the backend at start: those that are open are among the newest.
const DETECTIONS_READ: u32 = 1_000;

/// Rows of servers are written behind this often. `InstanceFlushIntervalMilliseconds` is about a buffer of the
/// original that we do not have: rows are coalesced in memory, so a longer interval costs nothing and saves writes.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// What a server claims and what expires is claimed anew after this long.
const SUGGEST_ANEW: TimeDelta = TimeDelta::minutes(10);

/// All rooms. Cheap to clone: everything is shared.
#[derive(Debug, Clone)]
pub struct Services {
    /// Configuration, exchanged at a reload.
    pub config: Arc<LiveConfig>,
    /// The live picture.
    pub fleet: Arc<Fleet>,
    /// Finding and probing servers.
    pub discovery: Arc<Discovery>,
    /// Operations.
    pub refactor: Refactor,
    /// Recoveries and findings.
    pub recovery: Arc<RecoveryService>,
    /// Commands.
    pub consensus: Arc<Consensus>,
    /// Audit.
    pub audit: Audit,
    /// Events.
    pub events: Arc<EventBus>,
    /// Background loops.
    pub tasks: Tasks,
    /// This process.
    pub node: Arc<Node>,
    /// Backend, for reads.
    pub store: Store,
    /// Backend, for writes.
    pub journal: Journal,
    /// Operations and recoveries at work, by what they hold.
    pub locks: Locks,
    /// What is to come to an end before the service does.
    pub gate: Gate,
    /// Connections to servers.
    pub connector: Arc<Connector>,
    /// Looks at servers.
    pub probe: Arc<MysqlProbe>,
    /// What other processes record in the backend.
    pub adoption: Arc<Adoption>,
    /// Webhooks.
    pub webhooks: Webhooks,
    /// Publication of primaries.
    pub publisher: Arc<Publisher>,
}

/// What has been put together but does not run yet.
#[derive(Debug)]
pub struct Assembled {
    /// The rooms.
    pub services: Services,
    queue: Queue,
}

/// Reads the backend's memory and puts the rooms together. Nothing runs yet: see [`Assembled::run`].
///
/// # Errors
/// [`StoreError`] when the backend cannot be read.
pub async fn assemble(config: Arc<LiveConfig>, store: Store, node: Node) -> Result<Assembled, StoreError> {
    let events = Arc::new(EventBus::default());
    let fleet = Arc::new(Fleet::new(Arc::clone(&events)));
    fleet.set_rules(settings::attribution(&config.current()));
    // Before the picture is read: what is recorded meanwhile is news then.
    let adoption = Arc::new(Adoption::since(store.load_memberships(Utc::now()).await?));
    fleet.load(store.load_instances().await?, store.load_annotations().await?);
    let (journal, queue) = journal::journal();
    let enabled = !store.are_recoveries_disabled().await?;
    let audit = Audit::new(journal.clone(), store.clone(), Arc::clone(&config));
    let consensus = Consensus::single(Arc::clone(&fleet), journal.clone(), audit.clone(), Arc::clone(&events), enabled);
    let consensus = Arc::new(consensus);
    consensus.accounts().adopt(store.load_accounts().await?);
    let connector = Arc::new(Connector::new(settings::connect(&config.current())));
    let probe = Arc::new(MysqlProbe::new(Arc::clone(&connector), settings::probe(&config.current())));
    let look: Arc<dyn Probe> = probe.clone();
    let pace = settings::discovery(&config.current());
    let discovery = Arc::new(Discovery::new(look, Arc::clone(&connector), Arc::clone(&fleet), pace));
    crate::names::load(discovery.resolver(), &store).await?;
    let control = Arc::new(MysqlControl::new(Arc::clone(&connector)));
    let (looks, picture, keys) = (Arc::clone(&discovery), Arc::clone(&fleet), Arc::clone(&config));
    let hands = ServerHands::new(control, looks, picture, keys, Arc::clone(&consensus));
    let exec = Exec::new(Arc::new(hands));
    let gate = exec.gate().clone();
    let node = Arc::new(node);
    let locks = Locks::shared(store.clone(), node.identity());
    let hooks = Hooks::new(Arc::clone(&config), Arc::new(Runner::default()));
    let refactor = Refactor::new(refactor::Parts {
        fleet: Arc::clone(&fleet),
        consensus: Arc::clone(&consensus),
        exec: exec.clone(),
        locks: locks.clone(),
        audit: audit.clone(),
        events: Arc::clone(&events),
        config: Arc::clone(&config),
        hooks: hooks.clone(),
    });
    let webhooks = Webhooks::new(Arc::clone(&config));
    let publisher_parts = kv::Parts {
        config: Arc::clone(&config),
        fleet: Arc::clone(&fleet),
        consensus: Arc::clone(&consensus),
        locks: locks.clone(),
        node: Arc::clone(&node),
        backend: store.clone(),
        audit: audit.clone(),
    };
    let publisher = Arc::new(Publisher::new(publisher_parts, kv::stores_of(&config, &store)));
    let recovery = Arc::new(RecoveryService::new(recovery::Parts {
        config: Arc::clone(&config),
        fleet: Arc::clone(&fleet),
        discovery: Arc::clone(&discovery),
        consensus: Arc::clone(&consensus),
        exec,
        locks: locks.clone(),
        audit: audit.clone(),
        events: Arc::clone(&events),
        journal: journal.clone(),
        node: Arc::clone(&node),
        hooks,
        webhooks: webhooks.clone(),
        publisher: Arc::clone(&publisher),
        store: store.clone(),
    }));
    recovery.registry().load(store.load_recoveries(0, RECOVERIES_READ).await?);
    recovery.load_detections(&store.detections(&DetectionFilter::All, 0, DETECTIONS_READ).await?);
    let services = Services {
        config,
        fleet,
        discovery,
        refactor,
        recovery,
        consensus,
        audit,
        events,
        tasks: Tasks::default(),
        node,
        store,
        journal,
        locks,
        gate,
        connector,
        probe,
        adoption,
        webhooks,
        publisher,
    };
    Ok(Assembled { services, queue })
}

impl Assembled {
    /// Starts what every form of the program needs: writing behind.
    pub fn write_behind(self) -> Services {
        let Self { services, queue, .. } = self;
        start_writer(&services, queue);
        start_webhooks(&services);
        services
    }

    /// Starts every background loop of the service.
    pub fn run(self) -> Services {
        let Self { services, queue } = self;
        start_writer(&services, queue);
        start_webhooks(&services);
        take_claims(&services);
        services.discovery.start(&services.tasks);
        show_up(&services);
        let recovery = Arc::clone(&services.recovery);
        services.tasks.spawn("recovery", move |task| recovery::watch(Arc::clone(&recovery), task));
        let publisher = Arc::clone(&services.publisher);
        services.tasks.spawn("key-value stores", move |task| kv::keep_true(Arc::clone(&publisher), task));
        crate::housekeeping::start(&services);
        crate::pseudo_gtid::start(&services);
        services
    }
}

fn start_webhooks(services: &Services) {
    let webhooks = services.webhooks.clone();
    services.tasks.spawn("webhooks", move |task| {
        let webhooks = webhooks.clone();
        async move { webhooks.deliver(task).await }
    });
}

fn start_writer(services: &Services, queue: Queue) {
    let (store, fleet) = (services.store.clone(), Arc::clone(&services.fleet));
    let node = services.node.identity();
    let interval = FLUSH_INTERVAL;
    // The queue can be worked off by one loop only; one that panicked finds it where it was.
    let queue = Arc::new(tokio::sync::Mutex::new(queue));
    let recovery = Arc::clone(&services.recovery);
    services.tasks.spawn_last("journal", move |task| {
        let (queue, store, node, fleet) = (Arc::clone(&queue), store.clone(), node.clone(), Arc::clone(&fleet));
        let recovery = Arc::clone(&recovery);
        async move {
            let on_recovery: journal::OnRecovery = Box::new(move |uid, kept| match kept {
                Kept::Under(id) => recovery.registry().set_id(uid, id),
                Kept::Elsewhere => recovery.registry().lose(uid),
            });
            let mut queue = queue.lock().await;
            journal::write_behind(task, &mut queue, store, node, fleet, interval, on_recovery).await;
        }
    });
}

/// Shows the other processes on the backend that this one lives, and takes up what those left that do not.
fn show_up(services: &Services) {
    let (recovery, store) = (Arc::clone(&services.recovery), services.store.clone());
    let report = registration::report(&services.node, &services.config.current(), registration::Mode::Service);
    services
        .tasks
        .spawn("node", move |task| recovery::keep_up(Arc::clone(&recovery), store.clone(), report.clone(), task));
}

/// What servers say of themselves becomes a fact of record.
fn take_claims(services: &Services) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    services.discovery.on_claim(Box::new(move |claim| {
        // The service is stopping when nobody listens.
        let _ = sender.send(claim);
    }));
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let (consensus, fleet) = (Arc::clone(&services.consensus), Arc::clone(&services.fleet));
    services.tasks.spawn("claims", move |task| {
        let (receiver, consensus, fleet) = (Arc::clone(&receiver), Arc::clone(&consensus), Arc::clone(&fleet));
        async move {
            let mut receiver = receiver.lock().await;
            let mut domains = BTreeMap::new();
            loop {
                let claim = tokio::select! {
                    () = task.stopped() => return,
                    claim = receiver.recv() => claim,
                };
                let Some(claim) = claim else { return };
                let Some(command) = command_for(claim, &fleet.snapshot().annotations, &mut domains, Utc::now()) else {
                    continue;
                };
                let result = consensus.submit(command, &Actor::system().because("a server says so of itself")).await;
                task.idle(result.map_err(|error| error.to_string()));
            }
        }
    });
}

/// The command that makes a claim true; `None` when it is true already. Promotion rules and domains are claimed anew now and
/// then, because they expire. `domains` holds when each cluster's domain was claimed last.
fn command_for(
    claim: Claim,
    annotations: &app::topology::Annotations,
    domains: &mut BTreeMap<String, DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<Command> {
    match claim {
        Claim::PromotionRule { key, rule } => {
            let known = annotations.candidates.get(&key);
            let fresh = known.is_some_and(|c| c.rule == rule && now - c.last_suggested < SUGGEST_ANEW);
            (!fresh).then_some(Command::RegisterCandidate { key, candidate: Candidate { rule, last_suggested: now } })
        }
        Claim::ClusterDomain { cluster, domain } => {
            let known = annotations.cluster_domains.get(&cluster) == Some(&domain);
            let fresh = known && domains.get(&cluster).is_some_and(|at| now - *at < SUGGEST_ANEW);
            (!fresh).then(|| {
                domains.insert(cluster.clone(), now);
                Command::SetClusterDomain { cluster, domain }
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use app::topology::Annotations;

    use super::*;

    #[test]
    fn a_domain_is_claimed_anew_before_it_expires() {
        let mut annotations = Annotations::default();
        let (mut domains, start) = (BTreeMap::new(), DateTime::<Utc>::UNIX_EPOCH);
        let mut claimed = |annotations: &Annotations, minutes| {
            let claim = Claim::ClusterDomain { cluster: "db1:3306".to_owned(), domain: "orders.example".to_owned() };
            command_for(claim, annotations, &mut domains, start + TimeDelta::minutes(minutes)).is_some()
        };
        assert!(claimed(&annotations, 0));
        annotations.cluster_domains.insert("db1:3306".to_owned(), "orders.example".to_owned());
        assert!(!claimed(&annotations, 9));
        assert!(claimed(&annotations, 10));
        assert!(!claimed(&annotations, 11));
        annotations.cluster_domains.clear();
        assert!(claimed(&annotations, 12), "it is gone, whatever was said");
    }
}
