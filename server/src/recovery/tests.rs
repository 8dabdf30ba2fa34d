//! The rounds of the loop over a picture: fencing, unfinished recoveries, rows of the backend.

use std::sync::Arc;
use std::time::{Duration, Instant};

use app::InstanceKey;
use app::finding::{AnalysisCode, Facts, Finding, Severity};
use app::plan::Action;
use app::recovery::{Recovery, RecoveryKind, RecoveryState};
use app::topology::{Downtime, Instance, Replication, ThreadState};
use chrono::{TimeDelta, Utc};

use super::{Parts, RecoveryService};
use crate::config::{Config, LiveConfig};
use crate::consensus::{Actor, Command};
use crate::exec::{Exec, Purpose};
use crate::fleet::{Observation, Outcome};
use crate::hooks::{Hooks, Runner};
use crate::node::Node;
use crate::services::{self, Services};
use crate::store::{DetectionFilter, NodeReport, Store};
use crate::testing::PictureHands;
use engine::recovery::{LOST_IN_RECOVERY, Machine, RecoverySettings};

const OLD: &str = "aaaaaaaa-0000-0000-0000-000000000001";

/// A service over a picture, on a backend that others may share.
struct Desk {
    services: Services,
    hands: Arc<PictureHands>,
    recovery: Arc<RecoveryService>,
}

impl Desk {
    async fn new(store: &Store, config: &str) -> Self {
        let config = Config::from_json(config).expect("a good configuration");
        let assembled = services::assemble(Arc::new(LiveConfig::fixed(config)), store.clone(), Node::new("node")).await;
        let services = assembled.expect("the backend can be read").write_behind();
        let hands = Arc::new(PictureHands::new(Arc::clone(&services.fleet)));
        let recovery = Arc::new(RecoveryService::new(Parts {
            config: Arc::clone(&services.config),
            fleet: Arc::clone(&services.fleet),
            discovery: Arc::clone(&services.discovery),
            consensus: Arc::clone(&services.consensus),
            exec: Exec::new(hands.clone()),
            locks: services.locks.clone(),
            audit: services.audit.clone(),
            events: Arc::clone(&services.events),
            journal: services.journal.clone(),
            node: Arc::clone(&services.node),
            hooks: Hooks::new(Arc::clone(&services.config), Arc::new(Runner::default())),
            webhooks: services.webhooks.clone(),
            publisher: Arc::clone(&services.publisher),
            store: store.clone(),
        }));
        Self { services, hands, recovery }
    }

    async fn alone() -> Self {
        let store = Store::in_memory().await.expect("a store");
        Self::new(&store, r#"{"BackendDB": "sqlite", "SQLite3DataFile": ":memory:"}"#).await
    }

    fn see(&self, instance: Instance) {
        let (probed, now) = (instance.key.clone(), Utc::now());
        let outcome = Outcome::Seen(Box::new(instance));
        self.services.fleet.observe(Observation { probed, started: now, ended: now, outcome });
    }

    fn miss(&self, name: &str) {
        let now = Utc::now();
        let outcome = Outcome::Failed { error: "connection refused".to_owned() };
        self.services.fleet.observe(Observation { probed: key(name), started: now, ended: now, outcome });
    }

    /// The server was left behind by a recovery a minute ago.
    async fn leave_behind(&self, name: &str) {
        let begin = Utc::now() - TimeDelta::minutes(1);
        let end = begin + TimeDelta::days(365);
        let downtime = Downtime { owner: "orchestrator".into(), reason: LOST_IN_RECOVERY.into(), begin, end };
        let command = Command::BeginDowntime { key: key(name), downtime };
        self.services.consensus.submit(command, &Actor::system()).await.expect("accepted");
    }

    fn is_fenced(&self, name: &str) -> bool {
        let seen = self.services.fleet.get(&key(name)).expect("known");
        seen.read_only && seen.super_read_only == Some(true)
    }

    async fn within(&self, what: &str, limit: Duration, check: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !check().await {
            assert!(began.elapsed() < limit, "{what}: not within {limit:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn key(name: &str) -> InstanceKey {
    InstanceKey::new(name, 3306)
}

fn server(name: &str, executed: &str) -> Instance {
    Instance {
        version: "8.4.3".to_owned(),
        super_read_only: Some(false),
        executed_gtid: executed.to_owned(),
        gtid_mode: "ON".to_owned(),
        ..Instance::unseen(key(name))
    }
}

fn replica(name: &str, source: &str) -> Instance {
    let replication = Replication {
        source: key(source),
        receiver: ThreadState::Running,
        applier: ThreadState::Running,
        auto_position: true,
        ..Default::default()
    };
    Instance { replication, read_only: true, super_read_only: Some(true), ..server(name, "") }
}

fn record(node: &Node, failed: &str, successor: Option<&str>) -> Recovery {
    let now = Utc::now();
    let finding = Finding {
        key: key(failed),
        source: InstanceKey::default(),
        cluster: format!("{failed}:3306"),
        cluster_alias: format!("{failed}:3306"),
        cluster_domain: String::new(),
        code: AnalysisCode::DeadSource,
        description: String::new(),
        structure: vec![],
        severity: Severity::Broken,
        actionable: true,
        downtime_end: None,
        replicas_downtimed: false,
        facts: Facts::default(),
        evidence: vec![],
    };
    Recovery {
        id: 0,
        uid: node.new_uid(now),
        kind: RecoveryKind::Source,
        cluster: finding.cluster.clone(),
        cluster_alias: finding.cluster_alias.clone(),
        finding,
        actor: Actor::system().name,
        state: if successor.is_some() { RecoveryState::Succeeded } else { RecoveryState::Running },
        successor: successor.map(key),
        successor_alias: String::new(),
        lost_replicas: vec![],
        participants: vec![],
        errors: vec![],
        considered: vec![],
        steps: vec![],
        story: vec![],
        started: now,
        ended: successor.map(|_| now),
        node: node.hostname.clone(),
        node_token: node.token.clone(),
        acknowledged: None,
        detection_id: 0,
        hooks: vec![],
        command: String::new(),
        aftermath: None,
    }
}

#[tokio::test]
async fn a_returning_source_is_fenced_while_the_fence_of_another_hangs() {
    let desk = Desk::alone().await;
    for name in ["hung", "db1"] {
        desk.see(server(name, ""));
        desk.leave_behind(name).await;
    }
    desk.hands.hang(&key("hung"));
    let began = Instant::now();
    desk.recovery.round().await;
    assert!(began.elapsed() < Duration::from_millis(500), "the loop waited: {:?}", began.elapsed());
    desk.within("db1 is fenced", Duration::from_secs(1), async || desk.is_fenced("db1")).await;
    assert!(!desk.is_fenced("hung"));
    // Rounds go on, and nobody begins anew with the server that somebody is busy with.
    for _ in 0..5 {
        desk.recovery.round().await;
    }
    let tries = desk.hands.acts().iter().filter(|(at, _)| *at == key("hung")).count();
    assert_eq!(tries, 1, "{:?}", desk.hands.acts());
}

#[tokio::test]
async fn what_a_returned_source_wrote_alone_is_listed() {
    let desk = Desk::alone().await;
    desk.see(server("db1", &format!("{OLD}:1-105")));
    desk.see(server("db3", &format!("{OLD}:1-100,bbbbbbbb-0000-0000-0000-000000000003:1-9")));
    desk.leave_behind("db1").await;
    // db2 took the place of db1, and db3 that of db2.
    let node = &desk.services.node;
    desk.recovery.registry().put(record(node, "db1", Some("db2")));
    tokio::time::sleep(Duration::from_millis(2)).await;
    desk.recovery.registry().put(record(node, "db2", Some("db3")));
    desk.recovery.round().await;
    let extra = format!("{OLD}:101-105");
    let tagged = async || {
        let tags = desk.services.fleet.annotations().tags.get(&key("db1")).cloned().unwrap_or_default();
        tags.get("extra-transactions") == Some(&extra)
    };
    desk.within("the tag", Duration::from_secs(1), tagged).await;
    let audited = async || {
        let rows = desk.services.audit.page(Some(&key("db1")), 0).await.expect("readable");
        rows.iter().any(|row| row.kind == "fence" && row.message.contains(&extra))
    };
    desk.within("the audit", Duration::from_secs(1), audited).await;
    assert!(desk.is_fenced("db1"));
    let first = desk.hands.acts().first().cloned();
    assert_eq!(first, Some((key("db1"), Action::SetReadOnly { on: true, super_too: true })));
}

#[tokio::test]
async fn what_a_returned_source_wrote_alone_is_written_down_in_full() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::in_memory().await.expect("a store");
    let config = serde_json::json!({
        "BackendDB": "sqlite", "SQLite3DataFile": ":memory:", "ExtraTransactionsDirectory": folder.path().join("extra"),
    });
    let desk = Desk::new(&store, &config.to_string()).await;
    // More than a tag holds.
    let gaps = (0..60).map(|n| (200 + 2 * n).to_string()).collect::<Vec<_>>().join(":");
    desk.see(server("db1", &format!("{OLD}:1-100:{gaps}")));
    desk.see(server("db2", &format!("{OLD}:1-100")));
    desk.leave_behind("db1").await;
    desk.recovery.registry().put(record(&desk.services.node, "db1", Some("db2")));
    desk.hands.answer("SHOW BINARY LOGS", &["Log_name"], &[&["binlog.000007"], &["binlog.000008"]]);
    let (before, first) = (format!("{OLD}:1-100"), format!("SET @@SESSION.GTID_NEXT= '{OLD}:200'"));
    let columns = ["Log_name", "Pos", "Event_type", "Server_id", "End_log_pos", "Info"];
    let rows: [&[&str]; 4] = [
        &["binlog.000008", "4", "Previous_gtids", "1", "100", &before],
        &["binlog.000008", "100", "Gtid", "1", "150", &first],
        &["binlog.000008", "150", "Query", "1", "200", "create table left_alone (id int)"],
        &["binlog.000008", "200", "Rotate", "1", "250", "binlog.000009;pos=4"],
    ];
    desk.hands.answer("SHOW BINLOG EVENTS IN 'binlog.000008' FROM 4 ", &columns, &rows);
    desk.recovery.round().await;
    let text = || {
        let files = std::fs::read_dir(folder.path().join("extra")).ok()?;
        let file =
            files.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|e| e == "txt"))?;
        std::fs::read_to_string(file).ok()
    };
    let events = async || text().is_some_and(|text| text.contains("events:"));
    desk.within("the file with its events", Duration::from_secs(10), events).await;
    let text = text().expect("there");
    assert!(
        text.contains(&format!("transactions: {OLD}:{gaps}\n")) && text.contains("replaced by: db2:3306"),
        "{text}"
    );
    assert!(text.contains("events:\nbinlog.000008 100 Gtid "), "{text}");
    assert!(text.ends_with("binlog.000008 150 Query create table left_alone (id int)\n"), "{text}");
    assert!(!text.contains("Rotate") && !text.contains("Previous_gtids"), "{text}");
    let command = "mysqlbinlog --read-from-remote-server --host='db1' --port=3306 --include-gtids=";
    assert!(text.contains(command) && text.contains("' 'binlog.000008'\n"), "{text}");
    let audited = async || {
        let rows = desk.services.audit.page(Some(&key("db1")), 0).await.expect("readable");
        rows.iter().any(|row| row.kind == "fence" && row.message.contains("written down in"))
    };
    desk.within("the audit", Duration::from_secs(1), audited).await;
}

const REJOINS: &str = r#"{"BackendDB": "sqlite", "SQLite3DataFile": ":memory:", "RejoinReturningSource": true}"#;

/// db1 was replaced by db2 and is back, with these transactions; db3 replicates from db2.
async fn returned(executed: &str) -> Desk {
    let store = Store::in_memory().await.expect("a store");
    let desk = Desk::new(&store, REJOINS).await;
    let logs = |mut server: Instance, id: u64| {
        (server.log_bin, server.log_replica_updates, server.server_id) = (true, true, id);
        server
    };
    let mut old = logs(server("db1", executed), 1);
    (old.read_only, old.super_read_only) = (true, Some(true));
    desk.see(old);
    desk.see(logs(server("db2", &format!("{OLD}:1-100,bbbbbbbb-0000-0000-0000-000000000003:1-9")), 2));
    desk.see(logs(replica("db3", "db2"), 3));
    desk.leave_behind("db1").await;
    desk.recovery.registry().put(record(&desk.services.node, "db1", Some("db2")));
    desk.recovery.round().await;
    desk
}

#[tokio::test]
async fn a_returned_source_with_nothing_of_its_own_becomes_a_replica_where_that_is_wanted() {
    let desk = returned(&format!("{OLD}:1-90")).await;
    let follows = async || {
        let seen = desk.services.fleet.get(&key("db1")).expect("known");
        seen.replication.source == key("db2") && seen.replication.is_running()
    };
    desk.within("it replicates", Duration::from_secs(2), follows).await;
    let is_lost = || desk.services.fleet.annotations().active_downtime(&key("db1"), Utc::now()).is_some();
    desk.within("it is taken back", Duration::from_secs(2), async || {
        desk.recovery.round().await;
        !is_lost()
    })
    .await;
}

#[tokio::test]
async fn a_returned_source_with_something_of_its_own_is_left_alone_and_that_is_told() {
    let desk = returned(&format!("{OLD}:1-105")).await;
    let told = async || {
        let rows = desk.services.audit.page(Some(&key("db1")), 0).await.expect("readable");
        rows.iter().any(|row| row.kind == "rejoin" && row.message.contains(&format!("{OLD}:101-105")))
    };
    desk.within("the audit", Duration::from_secs(2), told).await;
    desk.recovery.round().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(desk.hands.acts(), [], "nothing is done to it");
}

#[tokio::test]
async fn a_recovery_of_a_process_that_lives_is_left_to_it_and_that_of_a_dead_one_is_claimed_once() {
    let store = Store::in_memory().await.expect("a store");
    let config = r#"{"BackendDB": "sqlite", "SQLite3DataFile": ":memory:"}"#;
    let (first, heir) = (Desk::new(&store, config).await, Desk::new(&store, config).await);
    let report = |desk: &Desk| NodeReport { node: desk.services.node.identity(), ..NodeReport::default() };
    let running = record(&first.services.node, "db1", None);
    let uid = running.uid.clone();
    first.recovery.registry().put(running.clone());
    store.record_recovery(&running).await.expect("recorded");
    store.save_recovery(&running, &serde_json::json!("no machine"), Utc::now()).await.expect("saved");
    store.beat(&report(&first)).await.expect("beat");

    heir.recovery.look_after_unfinished(&store).await.expect("readable");
    let seen = heir.recovery.registry().find(&uid).expect("it holds its cluster here too");
    assert!(seen.is_running());
    assert_eq!(seen.node_token, first.services.node.token);

    store.leave(&report(&first).node).await.expect("left");
    heir.recovery.look_after_unfinished(&store).await.expect("readable");
    let taken = store.load_recovery(&uid).await.expect("readable").expect("there");
    assert_eq!(taken.node_token, heir.services.node.token);
    // Its machine cannot be read: it is given up, and blocks nobody.
    assert!(!heir.recovery.registry().find(&uid).expect("there").is_running());

    // Should the first one live after all, it lets go, and what it saves late changes nothing.
    assert!(!first.recovery.registry().is_lost(&uid));
    store.save_recovery(&running, &serde_json::json!("late"), Utc::now()).await.expect("no error");
    let held = store.load_recovery(&uid).await.expect("readable").expect("there");
    assert_eq!(held.node_token, heir.services.node.token);
}

#[tokio::test]
async fn a_process_learns_that_its_recovery_was_claimed() {
    let store = Store::in_memory().await.expect("a store");
    let config = r#"{"BackendDB": "sqlite", "SQLite3DataFile": ":memory:"}"#;
    let desk = Desk::new(&store, config).await;
    let running = record(&desk.services.node, "db1", None);
    desk.recovery.registry().put(running.clone());
    store.record_recovery(&running).await.expect("recorded");
    store.save_recovery(&running, &serde_json::Value::Null, Utc::now()).await.expect("saved");
    let other = Node::new("other");
    store.beat(&NodeReport { node: other.identity(), ..NodeReport::default() }).await.expect("beat");
    let own = desk.services.node.identity();
    assert!(store.claim_recovery(&running.uid, &own, &other.identity(), Utc::now()).await.expect("claimed"));
    desk.recovery.look_after_unfinished(&store).await.expect("readable");
    assert!(desk.recovery.registry().is_lost(&running.uid));
    assert_eq!(desk.recovery.registry().find(&running.uid).expect("there").node_token, other.token);
    // The other one ends it.
    let mut ended = store.load_recovery(&running.uid).await.expect("readable").expect("there");
    ended.state = RecoveryState::Failed { reason: "no replica".to_owned() };
    ended.ended = Some(Utc::now());
    store.save_recovery(&ended, &serde_json::Value::Null, Utc::now()).await.expect("saved");
    desk.recovery.look_after_unfinished(&store).await.expect("readable");
    assert!(!desk.recovery.registry().find(&running.uid).expect("there").is_running(), "it holds the cluster no more");
}

#[tokio::test]
async fn the_first_trouble_of_a_server_is_a_change_and_a_detection_once() {
    let desk = Desk::alone().await;
    desk.see(server("db1", ""));
    desk.see(replica("db2", "db1"));
    desk.recovery.round().await;
    desk.miss("db1");
    for _ in 0..3 {
        desk.recovery.round().await;
    }
    let store = &desk.services.store;
    let changed = async || store.analysis_changes().await.expect("readable").len() == 1;
    desk.within("the change", Duration::from_secs(2), changed).await;
    let changes = store.analysis_changes().await.expect("readable");
    assert_eq!((changes[0].key.clone(), changes[0].analysis.as_str()), (key("db1"), "UnreachableMaster"));
    let detections = store.detections(&DetectionFilter::All, 0, 20).await.expect("readable");
    assert_eq!(detections.len(), 1, "{detections:?}");
    assert_eq!(detections[0].analysis, "UnreachableMaster");
    let held = desk.recovery.held_because(&key("db1"));
    assert_eq!(held, None, "there is no recovery for it that anything could hold");
}

#[tokio::test]
async fn a_storm_holds_every_cluster_and_says_so_until_a_person_decides() {
    let store = Store::in_memory().await.expect("a store");
    let config = r#"{"BackendDB": "sqlite", "SQLite3DataFile": ":memory:", "RecoverMasterClusterFilters": ["*"],
                     "RecoveryStormClusters": 2, "RecoveryHoldOffSeconds": 1, "HostnameResolveMethod": "none"}"#;
    let desk = Desk::new(&store, config).await;
    for cluster in ["a", "b", "c"] {
        desk.see(server(&format!("{cluster}1"), ""));
        desk.see(replica(&format!("{cluster}2"), &format!("{cluster}1")));
    }
    desk.recovery.round().await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    for cluster in ["a", "b", "c"] {
        desk.miss(&format!("{cluster}1"));
        let mut lost = replica(&format!("{cluster}2"), &format!("{cluster}1"));
        lost.replication.receiver = ThreadState::Other;
        lost.replication.receiver_errno = 2003;
        desk.see(lost);
    }
    desk.recovery.round().await;
    assert!(desk.recovery.registry().list().is_empty(), "nothing begins by itself");
    for cluster in ["a", "b", "c"] {
        let held = desk.recovery.held_because(&key(&format!("{cluster}1"))).expect("it is held");
        assert!(held.contains("RecoveryStormClusters (2)"), "{held}");
    }
}

#[tokio::test]
async fn an_unfinished_recovery_that_cannot_be_read_is_closed() {
    let desk = Desk::alone().await;
    let store = &desk.services.store;
    let gone = Node::new("gone");
    let record = record(&gone, "db1", None);
    store.record_recovery(&record).await.expect("recorded");
    store.save_recovery(&record, &serde_json::Value::Null, Utc::now()).await.expect("saved");
    store.spoil_recovery(&record.uid).await.expect("spoilt");
    desk.recovery.look_after_unfinished(store).await.expect("it is no error of the loop");
    assert!(store.unfinished_recoveries().await.expect("readable").is_empty());
    assert!(desk.recovery.registry().find(&record.uid).is_none());
}

/// A source that nobody reaches any more, and a replica that has lost it.
fn lose_source(desk: &Desk) {
    desk.see(Instance { log_bin: true, log_replica_updates: true, ..server("db1", &format!("{OLD}:1-5")) });
    let well = || {
        let mut well = replica("db2", "db1");
        well.executed_gtid = format!("{OLD}:1-5");
        (well.log_bin, well.log_replica_updates, well.binlog_format) = (true, true, "ROW".to_owned());
        well
    };
    desk.see(well());
    desk.miss("db1");
    let mut lost = well();
    (lost.replication.receiver, lost.replication.receiver_errno) = (ThreadState::Other, 2003);
    desk.see(lost);
}

const RECOVERS: &str = r#"{"BackendDB": "sqlite", "SQLite3DataFile": ":memory:", "RecoverMasterClusterFilters": ["*"],
                           "RecoveryHoldOffSeconds": 1, "HostnameResolveMethod": "none",
                           "PreFailoverProcesses": ["sleep 0.4"]}"#;

#[tokio::test]
async fn a_process_that_its_shared_backend_does_not_hear_begins_nothing_and_says_why() {
    let store = Store::in_memory().await.expect("a store");
    let desk = Desk::new(&store, RECOVERS).await;
    let long_ago = Instant::now().checked_sub(Duration::from_secs(3)).expect("the machine runs longer");
    desk.recovery.lease.renew(long_ago, true);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    lose_source(&desk);
    desk.recovery.round().await;
    assert!(desk.recovery.registry().list().is_empty());
    let held = desk.recovery.held_because(&key("db1")).expect("it is held");
    assert!(held.contains("has not heard this process"), "{held}");
    desk.recovery.lease.renew(Instant::now(), true);
    desk.recovery.round().await;
    assert_eq!(desk.recovery.registry().list().len(), 1, "heard again, it acts");
}

/// The backend ceases to hear the process while a hook runs: whether the recovery is another one's by then decides.
async fn unheard_in_the_middle(claimed: bool) -> (Desk, Arc<Recovery>) {
    let store = Store::in_memory().await.expect("a store");
    let desk = Desk::new(&store, RECOVERS).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    lose_source(&desk);
    let lately = Instant::now().checked_sub(Duration::from_millis(1_800)).expect("the machine runs longer");
    desk.recovery.lease.renew(lately, true);
    desk.recovery.round().await;
    let begun = desk.recovery.registry().list().first().cloned().expect("it has begun");
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(desk.hands.acts(), [], "nothing was done unheard");
    assert!(desk.recovery.registry().find(&begun.uid).expect("there").is_running());
    if claimed {
        desk.recovery.registry().lose(&begun.uid);
    } else {
        desk.recovery.lease.renew(Instant::now(), true);
    }
    (desk, begun)
}

#[tokio::test]
async fn a_recovery_waits_while_the_process_is_not_heard_and_goes_on_when_it_is_still_its_own() {
    let (desk, begun) = unheard_in_the_middle(false).await;
    let ended = async || !desk.recovery.registry().find(&begun.uid).expect("there").is_running();
    desk.within("the end", Duration::from_secs(3), ended).await;
    let promoted = (key("db2"), Action::SetReadOnly { on: false, super_too: true });
    assert!(desk.hands.acts().contains(&promoted), "{:?}", desk.hands.acts());
}

#[tokio::test]
async fn a_recovery_that_was_claimed_while_the_process_was_not_heard_is_let_go_of() {
    let (desk, _) = unheard_in_the_middle(true).await;
    desk.recovery.lease.renew(Instant::now(), true);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(desk.hands.acts(), [], "not one step more");
}

#[tokio::test]
async fn a_lost_replica_below_the_fenced_old_source_is_not_taken_back() {
    let desk = Desk::alone().await;
    let mut old = server("db1", "");
    (old.read_only, old.super_read_only) = (true, Some(true));
    desk.see(old);
    desk.see(server("db3", ""));
    desk.see(replica("below-old", "db1"));
    desk.see(replica("below-new", "db3"));
    for name in ["db1", "below-old", "below-new"] {
        desk.leave_behind(name).await;
    }
    desk.recovery.round().await;
    let is_lost = |name: &str| desk.services.fleet.annotations().active_downtime(&key(name), Utc::now()).is_some();
    desk.within("the other one is", Duration::from_secs(1), async || !is_lost("below-new")).await;
    desk.recovery.round().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(is_lost("below-old") && is_lost("db1"));
}

/// A recovery that another process, gone by now, had begun and stored before its first step.
async fn left_unfinished(store: &Store, heir: &Desk) -> String {
    let gone = Node::new("node");
    let mut left = record(&gone, "db1", None);
    left.finding.description = "cannot be reached".to_owned();
    let snapshot = heir.services.fleet.snapshot();
    let (machine, _) = Machine::begin(&left.finding, &snapshot, &RecoverySettings::default(), Utc::now());
    let machine = serde_json::to_value(&machine).expect("can be stored");
    store.record_recovery(&left).await.expect("recorded");
    store.save_recovery(&left, &machine, Utc::now()).await.expect("saved");
    left.uid
}

#[tokio::test]
async fn a_recovery_that_is_taken_up_waits_for_a_server_that_somebody_has_in_his_hands() {
    let store = Store::in_memory().await.expect("a store");
    let heir = Desk::new(&store, RECOVERS).await;
    lose_source(&heir);
    let uid = left_unfinished(&store, &heir).await;
    let busy = heir.services.locks.take(&[key("db2").to_string()], "relocate db2").expect("free");
    heir.recovery.look_after_unfinished(&store).await.expect("readable");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let known = || heir.recovery.registry().find(&uid).expect("it holds its cluster");
    assert!(known().is_running() && heir.hands.acts().is_empty(), "{:?}", known().state);
    drop(busy);
    heir.within("the end", Duration::from_secs(10), async || !known().is_running()).await;
    assert_eq!(known().successor, Some(key("db2")), "{:?}", known().state);
}

#[tokio::test]
async fn a_recovery_that_was_killed_before_anything_was_on_record_is_begun_anew() {
    let store = Store::in_memory().await.expect("a store");
    let (killed, next) = (Desk::new(&store, RECOVERS).await, Desk::new(&store, RECOVERS).await);
    // All that it left behind: its last sign of life, and holds on the servers in the backend.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    store.beat(&NodeReport { node: killed.services.node.identity(), ..NodeReport::default() }).await.expect("beat");
    let servers = vec![key("db1"), key("db2")];
    let held = killed.services.locks.take_servers(servers, "recovery", Purpose::Recovery).await.expect("free");
    std::mem::forget(held);
    lose_source(&next);
    next.recovery.round().await;
    // It may be alive, unless this machine took longer than others wait for a sign of life.
    if next.recovery.registry().list().is_empty() {
        let why = next.recovery.held_because(&key("db1")).expect("said");
        assert!(why.contains("is held by"), "{why}");
    }

    let begins = async || {
        next.recovery.round().await;
        !next.recovery.registry().list().is_empty()
    };
    next.within("it is known to be gone", Duration::from_secs(30), begins).await;
    let begun = next.recovery.registry().list().first().cloned().expect("begun");
    let known = || next.recovery.registry().find(&begun.uid).expect("known");
    next.within("the end", Duration::from_secs(10), async || !known().is_running()).await;
    assert_eq!(known().successor, Some(key("db2")), "{:?}", known().state);
}
