//! One story through every table group, told on every backend: SQLite in memory, SQLite in a file,
//! MariaDB and MySQL.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod store_accounts;
mod store_limits;
mod support;

use std::sync::Arc;

use app::InstanceKey;
use app::api::AuditOutcome;
use app::finding::{AnalysisCode, Facts, Finding, Severity};
use app::plan::{Action, Step, StepState};
use app::recovery::{AcknowledgeScope, Acknowledgement, Recovery, RecoveryKind, RecoveryState, StepRecord, StoryLine};
use app::topology::{Check, Downtime, Equivalence, Instance, LogPlace, PromotionRule, ThreadState};
use chrono::{DateTime, Duration, SubsecRound, Utc};
use orchestrator::store::{
    AuditEntry, BackendSettings, Deployment, DetectionFilter, HostAddresses, MySqlSettings, NewDetection,
    NewMaintenance, NodeIdentity, NodeReport, PAGE_SIZE, PurgePolicy, RecoveryFilter, Registered, RegistrationRules,
    ResolvedName, ServerHolds, Store, WantedHolds,
};
use store_limits::{a_backend_that_goes_away_is_said_to_be_so, reopened, values_too_large_for_a_column_cost_no_row};
use support::Sandbox;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_in_memory() {
    tell(&Store::in_memory().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_sqlite_file() {
    let dir = tempfile::tempdir().unwrap();
    let settings = BackendSettings::Sqlite { path: dir.path().join("orchestrator.db") };
    tell(&Store::open(&settings, &Deployment::of_version("1.0")).await.unwrap()).await;
    reopened(&settings).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb() {
    on_a_server("mariadb").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mysql() {
    on_a_server("mysql").await;
}

async fn on_a_server(flavor: &'static str) {
    let sandbox = Sandbox::start_with(flavor, 1, support::NOT_DURABLE);
    let port = sandbox.ports[0];
    let settings = server_settings(port);
    let store = Store::open(&settings, &Deployment::of_version("1.0")).await.unwrap();
    tell(&store).await;
    values_too_large_for_a_column_cost_no_row(&store).await;
    reopened(&settings).await;
    a_backend_that_goes_away_is_said_to_be_so(&store, &sandbox).await;
}

fn server_settings(port: u16) -> BackendSettings {
    BackendSettings::MySql(MySqlSettings {
        host: "127.0.0.1".to_owned(),
        port,
        user: "root".to_owned(),
        password: "root_password".to_owned(),
        ..MySqlSettings::default()
    })
}

/// The moment of the story: whole seconds, because that is what the compatible columns hold.
fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(0)
}

fn key(host: &str) -> InstanceKey {
    InstanceKey::new(host, 3306)
}

fn node(token: &str) -> NodeIdentity {
    NodeIdentity { hostname: "orc1".to_owned(), token: token.to_owned() }
}

async fn tell(store: &Store) {
    store.ping().await.unwrap();
    servers_are_written_in_batches_and_read_back(store).await;
    what_operators_said_is_kept(store).await;
    holds_are_exclusive(store).await;
    who_is_forgotten_stays_out_until_admitted(store).await;
    what_one_process_holds_no_other_takes(store).await;
    names_are_kept(store).await;
    tags_and_pools_are_kept(store).await;
    equal_moments_are_kept(store).await;
    the_audit_knows_who(store).await;
    one_detection_is_active_at_a_time(store).await;
    one_recovery_begins_at_a_time(store).await;
    a_recovery_survives_its_process(store).await;
    switches_and_small_tables(store).await;
    store_accounts::accounts_are_kept(store).await;
    one_node_is_active(store).await;
    the_old_is_thrown_away(store).await;
}

fn server(host: &str) -> Instance {
    let at = Utc::now();
    let mut i = Instance::unseen(key(host));
    i.version = "8.0.36".to_owned();
    i.server_id = 7;
    i.cluster_name = "db1:3306".to_owned();
    i.log_bin = true;
    i.executed_gtid = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5".to_owned();
    i.replication.source = key("db1");
    i.replication.receiver = ThreadState::Running;
    i.replication.applier = ThreadState::Running;
    i.replication.read.file = "binlog.000003".to_owned();
    i.replication.receiver_error = "error \"1236\"\nK\u{f6}ln".to_owned();
    i.replication.tls.ca_file = "/etc/mysql/ca.pem".to_owned();
    i.replication.relay = app::BinlogCoordinates::relay("relay.000002", 4);
    i.replicas = vec![key("db8"), InstanceKey::new("2001:db8::1", 3307)];
    i.super_read_only = Some(true);
    i.check = Check {
        last_checked: Some(at),
        last_attempted: Some(at - Duration::milliseconds(20)),
        last_seen: Some(at),
        partial_success: true,
        latency_ns: 20_000_000,
        error: String::new(),
        unanswered_since: None,
    };
    i
}

async fn servers_are_written_in_batches_and_read_back(store: &Store) {
    // More than one statement and more than one transaction.
    let servers: Vec<Arc<Instance>> = (0..1_203).map(|n| Arc::new(server(&format!("db{n:04}")))).collect();
    let report = store.write_instances(&servers).await.unwrap();
    assert_eq!((report.written, report.dropped), (1_203, vec![]));
    let loaded = store.load_instances().await.unwrap();
    assert_eq!(loaded.len(), 1_203);
    for (loaded, written) in loaded.iter().zip(&servers) {
        assert_eq!(loaded, written);
    }
    // A second write is an upsert; a server that was not seen this time was seen before all the same.
    let mut changed = server("db0001");
    changed.read_only = true;
    changed.check.last_seen = None;
    changed.replication.source = key("//db1");
    store.write_instances(&[Arc::new(changed.clone())]).await.unwrap();
    let loaded = store.load_instances().await.unwrap();
    assert_eq!(loaded.len(), 1_203);
    let read = loaded.iter().find(|i| i.key == changed.key).unwrap();
    assert_eq!(read.replication.source, key("//db1"));
    assert!(read.read_only);
    assert_eq!(read.check.last_seen.map(|t| t.timestamp()), servers[1].check.last_seen.map(|t| t.timestamp()));
    // Forgetting.
    let keys: Vec<InstanceKey> = servers.iter().skip(3).map(|i| i.key.clone()).collect();
    assert_eq!(store.delete_instances(&keys).await.unwrap(), 1_200);
    assert_eq!(store.delete_instances(&keys[..1]).await.unwrap(), 0);
    assert_eq!(store.load_instances().await.unwrap().len(), 3);
    // A thin picture of the three.
    let at = now();
    assert_eq!(store.snapshot_topologies(at).await.unwrap(), 3);
    assert!(store.snapshot_topologies(at).await.unwrap_err().is_conflict());
}

async fn what_operators_said_is_kept(store: &Store) {
    let at = now();
    let downtime = |reason: &str, minutes| Downtime {
        owner: "ann".to_owned(),
        reason: reason.to_owned(),
        begin: at,
        end: at + Duration::minutes(minutes),
    };
    store.begin_downtime(&key("db1"), &downtime("disk", 10)).await.unwrap();
    store.begin_downtime(&key("db1"), &downtime("new disk", 20)).await.unwrap();
    store.begin_downtime(&key("db2"), &downtime("lost-in-recovery", 5)).await.unwrap();
    store.begin_downtime(&key("db3"), &downtime("over", -1)).await.unwrap();
    assert_eq!(store.renew_downtime("lost-in-recovery", at, at + Duration::days(365)).await.unwrap(), 1);
    assert_eq!(store.expire_downtime(at).await.unwrap(), vec![key("db3")]);
    store.register_candidate(&key("db1"), PromotionRule::Prefer, at).await.unwrap();
    store.register_candidate(&key("db1"), PromotionRule::MustNot, at).await.unwrap();
    store.register_candidate(&key("db2"), PromotionRule::Prefer, at - Duration::hours(2)).await.unwrap();
    assert_eq!(store.expire_candidates(at - Duration::hours(1)).await.unwrap(), 1);
    for (cluster, injected) in [("db1:3306", at), ("db2:3306", at), ("db1:3306", at - Duration::hours(2))] {
        store.put_injected(cluster, injected).await.unwrap();
    }
    let injected = store.injected_since(at - Duration::hours(1)).await.unwrap();
    assert_eq!(injected.into_iter().collect::<Vec<_>>(), ["db2:3306"], "what was recorded last counts");
    let said = store.load_annotations().await.unwrap();
    assert_eq!(said.downtime.len(), 2);
    assert_eq!(said.downtime[&key("db1")], downtime("new disk", 20));
    assert_eq!(said.downtime[&key("db2")].end, at + Duration::days(365));
    assert_eq!(said.promotion_rule(&key("db1")), PromotionRule::MustNot);
    assert_eq!(said.candidates.len(), 1);
    assert!(store.end_downtime(&key("db1")).await.unwrap());
    assert!(!store.end_downtime(&key("db1")).await.unwrap());
}

async fn holds_are_exclusive(store: &Store) {
    let at = now();
    let hold = |host: &str, explicitly_bounded| NewMaintenance {
        key: key(host),
        owner: "ann".to_owned(),
        reason: "relocate".to_owned(),
        begin: at,
        end: at + Duration::minutes(10),
        node: node("gone"),
        explicitly_bounded,
    };
    let id = store.begin_maintenance(&hold("db1", true)).await.unwrap().expect("the hold is free");
    assert_eq!(store.begin_maintenance(&hold("db1", true)).await.unwrap(), None);
    assert_eq!(store.load_annotations().await.unwrap().maintenance[&key("db1")].id, id);
    assert!(store.end_maintenance(&key("db1"), at).await.unwrap());
    assert!(!store.end_maintenance(&key("db1"), at).await.unwrap());
    let again = store.begin_maintenance(&hold("db1", true)).await.unwrap().expect("free again");
    assert!(store.end_maintenance_by_id(again, at).await.unwrap());
    // The process that holds db2 is not among the living.
    store.begin_maintenance(&hold("db2", false)).await.unwrap().unwrap();
    store.begin_maintenance(&hold("db3", true)).await.unwrap().unwrap();
    assert_eq!(store.expire_maintenance(at).await.unwrap(), 1);
    assert_eq!(store.expire_maintenance(at + Duration::minutes(11)).await.unwrap(), 1);
    assert!(store.load_annotations().await.unwrap().maintenance.is_empty());
}

async fn who_is_forgotten_stays_out_until_admitted(store: &Store) {
    let (at, command, service) = (now(), node("command"), node("service"));
    let rows = [Arc::new(server("gone1")), Arc::new(server("gone2"))];
    let names = |instances: Vec<Arc<Instance>>| -> Vec<String> {
        instances.iter().map(|i| i.key.hostname.clone()).filter(|host| host.starts_with("gone")).collect()
    };
    assert_eq!(store.write_instances(&rows).await.unwrap().written, 2);
    assert!(store.forget_instance(&key("gone1"), at + Duration::minutes(30), &command, at).await.unwrap());
    assert!(!store.forget_instance(&key("gone3"), at, &command, at).await.unwrap());
    assert_eq!(names(store.load_instances().await.unwrap()), ["gone2"]);

    let report = store.write_instances(&rows).await.unwrap();
    assert_eq!((report.written, report.barred), (1, vec![key("gone1")]), "no process may bring it back");
    assert_eq!(names(store.load_instances().await.unwrap()), ["gone2"]);
    let words = store.load_memberships(at).await.unwrap();
    assert_eq!(words.len(), 1, "a word that is over says nothing: {words:?}");
    assert_eq!((words[0].is_member, words[0].node_token.as_str()), (false, "command"));

    store.admit_instance(&key("gone1"), &service, at).await.unwrap();
    assert_eq!(store.write_instances(&rows).await.unwrap().written, 2);
    let words = store.load_memberships(at).await.unwrap();
    assert_eq!((words[0].is_member, words[0].node_token.as_str()), (true, "service"));
    store.delete_instances(&[key("gone1"), key("gone2")]).await.unwrap();
    let purged = store.purge(&PurgePolicy::default(), at + Duration::hours(2)).await.unwrap();
    assert_eq!(purged.of("orchestrator_membership"), 2);
}

async fn what_one_process_holds_no_other_takes(store: &Store) {
    let at = now();
    let beat = |token: &str| NodeReport { node: node(token), mode: "CLIMode".to_owned(), ..NodeReport::default() };
    for token in ["service", "command"] {
        store.beat(&beat(token)).await.unwrap();
    }
    let wanted = |hosts: &[&str], token: &str| WantedHolds {
        keys: hosts.iter().map(|host| key(host)).collect(),
        operation: format!("relocate by {token}"),
        node: node(token),
        despite_maintenance: false,
        previous: None,
    };
    let taken = |holds: ServerHolds| match holds {
        ServerHolds::Taken(ids) => ids,
        held @ ServerHolds::HeldBy { .. } => panic!("{held:?}"),
    };
    let first = taken(store.take_holds(&wanted(&["h2", "h1"], "service"), at).await.unwrap());
    assert_eq!(first.len(), 2);
    let second = store.take_holds(&wanted(&["h3", "h2"], "command"), at).await.unwrap();
    let by_service =
        ServerHolds::HeldBy { key: key("h2"), operation: "relocate by service on orc1".to_owned(), since: at };
    assert_eq!(second, by_service);
    // Nothing was taken half: h3 is free, and holds are no maintenance that analysis would look away from.
    let third = taken(store.take_holds(&wanted(&["h3"], "command"), at).await.unwrap());
    assert!(store.load_annotations().await.unwrap().maintenance.is_empty());
    // One's own hold is no obstacle; what was held before is not given up with the new one.
    let again = taken(store.take_holds(&wanted(&["h2"], "service"), at).await.unwrap());
    store.release_holds(&first, at).await.unwrap();
    assert!(matches!(store.take_holds(&wanted(&["h2"], "command"), at).await.unwrap(), ServerHolds::HeldBy { .. }));
    store.release_holds(&[again, third].concat(), at).await.unwrap();

    // A process that does not show itself holds nothing; who goes on for it need not wait until that is known.
    taken(store.take_holds(&wanted(&["h1"], "dead"), at).await.unwrap());
    let left = taken(store.take_holds(&wanted(&["h1"], "command"), at).await.unwrap());
    let heir = WantedHolds { previous: Some(node("command")), ..wanted(&["h1"], "service") };
    let inherited = taken(store.take_holds(&heir, at).await.unwrap());
    assert_ne!(left, inherited);
    store.release_holds(&inherited, at).await.unwrap();

    // An operator's maintenance stops an operation, and is left alone by a recovery.
    let maintenance = NewMaintenance {
        key: key("h2"),
        owner: "ann".to_owned(),
        reason: "upgrade".to_owned(),
        begin: at,
        end: at + Duration::minutes(10),
        node: node("gone"),
        explicitly_bounded: true,
    };
    store.begin_maintenance(&maintenance).await.unwrap().unwrap();
    let refused = store.take_holds(&wanted(&["h1", "h2"], "command"), at).await.unwrap();
    let by_ann = ServerHolds::HeldBy { key: key("h2"), operation: "maintenance by ann: upgrade".to_owned(), since: at };
    assert_eq!(refused, by_ann);
    let recovery = WantedHolds { despite_maintenance: true, ..wanted(&["h1", "h2"], "command") };
    let held = taken(store.take_holds(&recovery, at).await.unwrap());
    assert_eq!(held.len(), 1);
    store.release_holds(&held, at).await.unwrap();
    assert!(store.end_maintenance(&key("h2"), at).await.unwrap());
    for token in ["service", "command"] {
        store.leave(&node(token)).await.unwrap();
    }
}

async fn names_are_kept(store: &Store) {
    let at = now();
    store.set_cluster_alias("db1:3306", "orders", at).await.unwrap();
    store.set_cluster_alias("db9:3306", "users", at).await.unwrap();
    // Alias and cluster are each unique: the last claim wins.
    store.set_cluster_alias("db9:3306", "orders", at).await.unwrap();
    let aliases = store.load_annotations().await.unwrap().cluster_aliases;
    assert_eq!(aliases.into_iter().collect::<Vec<_>>(), vec![("db9:3306".to_owned(), "orders".to_owned())]);
    store.set_cluster_alias_override("db9:3306", "shop").await.unwrap();
    store.set_cluster_domain("db9:3306", "shop.example", at).await.unwrap();
    store.rename_cluster("db9:3306", "db5:3306").await.unwrap();
    store.rename_cluster("nothing:1", "db5:3306").await.unwrap();
    let said = store.load_annotations().await.unwrap();
    assert_eq!(said.cluster_aliases.get("db5:3306").map(String::as_str), Some("orders"));
    assert_eq!(said.cluster_alias_overrides.get("db5:3306").map(String::as_str), Some("shop"));
    assert_eq!(said.cluster_domains.get("db5:3306").map(String::as_str), Some("shop.example"));
    assert_eq!(said.cluster_aliases.len() + said.cluster_domains.len(), 2);

    let name = ResolvedName { hostname: "db1".to_owned(), resolved: "db1.example".to_owned(), at };
    store.write_resolved_name(&name).await.unwrap();
    store.write_resolved_name(&name).await.unwrap();
    assert_eq!(store.load_resolved_names().await.unwrap(), vec![name]);
    store.register_unresolved_name("db1.example", "db1-vip", at).await.unwrap();
    assert_eq!(store.load_annotations().await.unwrap().unresolved["db1.example"], "db1-vip");
    assert!(store.delete_unresolved_name("db1.example").await.unwrap());
    assert!(!store.delete_unresolved_name("db1.example").await.unwrap());
    let addresses = HostAddresses { ipv4: "10.0.0.1".to_owned(), ipv6: String::new() };
    store.write_addresses("db1", &addresses, at).await.unwrap();
    assert_eq!(store.load_addresses().await.unwrap()["db1"], addresses);
}

/// The last word about a place on another server counts.
async fn equal_moments_are_kept(store: &Store) {
    let place = |host: &str, n| LogPlace { source: key(host), at: app::BinlogCoordinates::binary("bin.000002", n) };
    for position in [7, 8] {
        let equivalence = Equivalence { one: place("db1", 4), other: place("db2", position) };
        store.record_equivalence(&equivalence, now()).await.unwrap();
    }
    let known = store.load_annotations().await.unwrap().equivalences;
    assert_eq!(known.of(&key("db1"), &place("db1", 4).at).collect::<Vec<_>>(), [&place("db2", 8)]);
}

async fn tags_and_pools_are_kept(store: &Store) {
    let at = now();
    for (host, value) in [("db1", "blue"), ("db2", "blue"), ("db3", "green")] {
        store.put_tag(&key(host), "colour", value, at).await.unwrap();
    }
    store.put_tag(&key("db3"), "colour", "red", at).await.unwrap();
    assert_eq!(store.load_annotations().await.unwrap().tags[&key("db3")]["colour"], "red");
    assert_eq!(store.delete_tags(None, "colour", Some("blue")).await.unwrap(), vec![key("db1"), key("db2")]);
    assert_eq!(store.delete_tags(Some(&key("db3")), "colour", None).await.unwrap(), vec![key("db3")]);
    assert!(store.load_annotations().await.unwrap().tags.is_empty());

    store.submit_pool("reads", &[key("db1"), key("db2")], at).await.unwrap();
    store.submit_pool("reads", &[key("db2"), key("db3")], at).await.unwrap();
    let members: Vec<InstanceKey> = store.load_pools().await.unwrap().into_iter().map(|m| m.key).collect();
    assert_eq!(members, vec![key("db2"), key("db3")]);
    store.set_host_attribute("*", "shop.example", "db1:3306", at).await.unwrap();
    assert_eq!(store.host_attribute("*", "shop.example").await.unwrap().as_deref(), Some("db1:3306"));
    assert_eq!(store.host_attribute("*", "none").await.unwrap(), None);
}

async fn the_audit_knows_who(store: &Store) {
    let at = now();
    let entry = |n: u32| AuditEntry {
        at,
        kind: "relocate".to_owned(),
        key: if n.is_multiple_of(2) { key("db1") } else { key("db2") },
        cluster: "db1:3306".to_owned(),
        message: format!("moved below db{n}: fine \u{2713}"),
        actor: "ann".to_owned(),
        method: "basic".to_owned(),
        address: "10.0.0.7".to_owned(),
        outcome: Some(AuditOutcome::Failed),
        duration_ms: (n != 44).then_some(u64::from(n)),
        reason: "DeadMaster \u{2713}".to_owned(),
    };
    for n in 0..45 {
        store.insert_audit(&entry(n)).await.unwrap();
    }
    let page = |page| store.audit(None, page, PAGE_SIZE);
    let sizes = (page(0).await.unwrap().len(), page(2).await.unwrap().len(), page(3).await.unwrap().len());
    assert_eq!(sizes, (20, 5, 0));
    assert_eq!(page(0).await.unwrap()[0].entry, entry(44));
    assert_eq!(store.audit(Some(&key("db2")), 1, PAGE_SIZE).await.unwrap().len(), 2);
    assert_eq!(store.audit_since(&key("db1"), at).await.unwrap().len(), 23);
}

fn finding(host: &str, code: AnalysisCode) -> Finding {
    Finding {
        key: key(host),
        source: InstanceKey::default(),
        cluster: format!("{host}:3306"),
        cluster_alias: "orders".to_owned(),
        cluster_domain: String::new(),
        code,
        description: "cannot be reached".to_owned(),
        structure: vec![],
        severity: Severity::Broken,
        actionable: code == AnalysisCode::DeadSource,
        downtime_end: None,
        replicas_downtimed: false,
        facts: Facts { replicas: vec![key("db2"), key("db3")], ..Facts::default() },
        evidence: vec![],
    }
}

async fn one_detection_is_active_at_a_time(store: &Store) {
    let at = now();
    let register = async |code| {
        let finding = finding("db1", code);
        store.register_detection(&NewDetection { finding: &finding, node: node("me"), at }).await.unwrap()
    };
    let unreachable = register(AnalysisCode::UnreachableSource).await.expect("first of its kind");
    let dead = register(AnalysisCode::DeadSource).await.expect("actionable ones count apart");
    assert_eq!(register(AnalysisCode::DeadSource).await, None);
    assert_eq!(register(AnalysisCode::UnreachableSourceWithLaggingReplicas).await, None);
    // Closed and opened twice within one second, which the unique key would not have by itself.
    for _ in 0..2 {
        assert_eq!(store.close_detections_of(&key("db1"), at).await.unwrap(), 2);
        assert!(register(AnalysisCode::UnreachableSource).await.is_some());
        assert!(register(AnalysisCode::DeadSource).await.is_some());
    }
    assert_eq!(store.close_detections_before(at, at).await.unwrap(), 0);
    assert_eq!(store.close_detections_before(at + Duration::seconds(1), at).await.unwrap(), 2);
    let all = store.detections(&DetectionFilter::All, 0, PAGE_SIZE).await.unwrap();
    assert_eq!(all.len(), 6);
    assert!(all.iter().all(|d| !d.is_active));
    let first = store.detections(&DetectionFilter::Id(dead), 0, PAGE_SIZE).await.unwrap();
    assert_eq!((first[0].analysis.as_str(), first[0].is_actionable), ("DeadMaster", true));
    assert_eq!((first[0].replicas.clone(), first[0].started), (vec![key("db2"), key("db3")], at));
    assert!(unreachable < dead);
    assert_eq!(store.detections(&DetectionFilter::Alias("users".to_owned()), 0, PAGE_SIZE).await.unwrap(), vec![]);
    let (cluster, alias) = (all[0].cluster.clone(), all[0].cluster_alias.clone());
    for (name, alias, count) in [(cluster.as_str(), "-", 6), ("-", alias.as_str(), 6), ("-", "-", 0)] {
        let filter = DetectionFilter::Cluster { name: name.to_owned(), alias: alias.to_owned() };
        assert_eq!(store.detections(&filter, 0, PAGE_SIZE).await.unwrap().len(), count, "{name} or {alias}");
    }
}

fn recovery(uid: &str, host: &str) -> Recovery {
    Recovery {
        id: 0,
        uid: uid.to_owned(),
        finding: finding(host, AnalysisCode::DeadSource),
        kind: RecoveryKind::Source,
        cluster: format!("{host}:3306"),
        cluster_alias: "orders".to_owned(),
        actor: "orchestrator".to_owned(),
        state: RecoveryState::Running,
        successor: None,
        successor_alias: String::new(),
        lost_replicas: vec![],
        participants: vec![],
        errors: vec![],
        considered: vec![],
        steps: vec![],
        story: vec![],
        hooks: vec![],
        command: String::new(),
        aftermath: None,
        started: now(),
        ended: None,
        node: "orc1".to_owned(),
        node_token: "gone".to_owned(),
        acknowledged: None,
        detection_id: 0,
    }
}

async fn one_recovery_begins_at_a_time(store: &Store) {
    // Eight processes see the same failure at the same moment.
    let attempts = (0..8).map(|n| {
        let (store, new) = (store.clone(), recovery(&format!("race:{n}"), "db1"));
        tokio::spawn(async move { store.register_recovery(&new, RegistrationRules::AUTOMATIC).await.unwrap() })
    });
    let mut begun = Vec::new();
    let mut blocked = Vec::new();
    for attempt in attempts.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Registered::New { id } => begun.push(id),
            Registered::Blocked { by, .. } => blocked.push(by),
            Registered::Running { id } => panic!("the cluster rule comes first, not recovery {id}"),
        }
    }
    assert_eq!((begun.len(), blocked.len()), (1, 7));
    let id = begun[0];
    assert!(blocked.iter().all(|by| *by == id));
    let refused = store.blocked_recoveries(Some("db1:3306")).await.unwrap();
    assert_eq!((refused.len(), refused[0].blocking_recovery_id), (1, id));

    // A person cannot begin one beside it either, until it has ended; then it makes way.
    let forced = |uid: &str| {
        let new = recovery(uid, "db1");
        async move { store.register_recovery(&new, RegistrationRules::FORCED).await.unwrap() }
    };
    assert_eq!(forced("forced:1").await, Registered::Running { id });
    let row = &store.recoveries(&RecoveryFilter::Id(id), 0, PAGE_SIZE).await.unwrap()[0];
    let mut ended = recovery(&row.uid, "db1");
    ended.state = RecoveryState::Succeeded;
    ended.successor = Some(key("db2"));
    ended.successor_alias = "second".to_owned();
    ended.lost_replicas = vec![key("db3")];
    ended.errors = vec!["one".to_owned(), "two".to_owned()];
    ended.ended = Some(now());
    store.end_recovery(&ended, now()).await.unwrap();
    let row = store.recoveries(&RecoveryFilter::Uid(ended.uid.clone()), 0, PAGE_SIZE).await.unwrap().remove(0);
    assert!(row.is_active && row.is_successful && row.acknowledged.is_none());
    assert_eq!((row.successor, row.errors.as_str()), (key("db2"), "one\ntwo"));
    assert_eq!(row.lost_replicas, vec![key("db3")]);
    assert!(row.detection_id > 0, "the latest detection of the server is noted");
    let recent = RecoveryFilter::RecentSuccessor(key("db2"), now());
    assert_eq!(store.recoveries(&recent, 0, PAGE_SIZE).await.unwrap().len(), 1);

    // The promoted server dies in turn: refused, whatever its cluster is called now.
    match store.register_recovery(&recovery("next:1", "db2"), RegistrationRules::AUTOMATIC).await.unwrap() {
        Registered::Blocked { by, reason } => assert_eq!((by, reason.contains("promoted lately")), (id, true)),
        other => panic!("expected a refusal, got {other:?}"),
    }
    let Registered::New { id: forced_id } = forced("forced:2").await else { panic!("the ended one makes way") };
    let first = &store.recoveries(&RecoveryFilter::Id(id), 0, PAGE_SIZE).await.unwrap()[0];
    assert!(first.acknowledged.is_some() && !first.is_active);

    // Acknowledged by name of the cluster: nothing blocks any more, and its detections are closed.
    let detected = finding("db1", AnalysisCode::DeadSource);
    let new = NewDetection { finding: &detected, node: node("me"), at: now() };
    store.register_detection(&new).await.unwrap().expect("none is active");
    let scope = AcknowledgeScope::Cluster { name: "db1:3306".to_owned(), alias: "orders".to_owned() };
    let by_ann = Acknowledgement { at: now(), by: "ann".to_owned(), comment: "seen".to_owned() };
    assert_eq!(store.acknowledge(&scope, &by_ann).await.unwrap(), 1);
    assert_eq!(store.acknowledge(&scope, &by_ann).await.unwrap(), 0);
    let second = &store.recoveries(&RecoveryFilter::Id(forced_id), 0, PAGE_SIZE).await.unwrap()[0];
    assert_eq!(second.acknowledged.as_ref(), Some(&by_ann));
    assert_eq!(store.recoveries(&RecoveryFilter::InActivePeriod, 0, PAGE_SIZE).await.unwrap(), vec![]);
    assert!(store.register_detection(&new).await.unwrap().is_some());
    // What blocked is acknowledged, so the refusals are no longer news.
    assert_eq!(store.expire_blocked_recoveries(now() - Duration::hours(1)).await.unwrap(), 2);

    // Left alone, a recovery ceases to block after its period.
    store.register_recovery(&recovery("period:1", "db7"), RegistrationRules::AUTOMATIC).await.unwrap();
    assert_eq!(store.close_recoveries_before(now() - Duration::hours(1), now()).await.unwrap(), 0);
    assert_eq!(store.close_recoveries_before(now() + Duration::seconds(1), now()).await.unwrap(), 1);
    // One that was begun while the backend was away is a fact, whatever stands there.
    let new = recovery("left:1", "db6");
    let Registered::New { id: left } = store.register_recovery(&new, RegistrationRules::AUTOMATIC).await.unwrap()
    else {
        panic!("nothing forbids it")
    };
    let fact = recovery("fact:1", "db6");
    let recorded = store.record_recovery(&fact).await.unwrap();
    assert_eq!(store.record_recovery(&fact).await.unwrap(), recorded);
    assert_eq!(store.recovery_id("fact:1").await.unwrap(), Some(recorded));
    let left = store.recoveries(&RecoveryFilter::Id(left), 0, PAGE_SIZE).await.unwrap().remove(0);
    assert!(!left.is_active && left.acknowledged.unwrap().comment.contains("fact:1"));
    store.acknowledge(&AcknowledgeScope::Instance { key: key("db6") }, &by_ann).await.unwrap();
    // The same for all that runs out by itself, with limits of an hour and none.
    store.register_recovery(&recovery("period:2", "db7"), RegistrationRules::AUTOMATIC).await.unwrap();
    store.expire_periods(Duration::hours(1), Duration::MAX, now()).await.unwrap();
    assert_eq!(store.recoveries(&RecoveryFilter::InActivePeriod, 0, PAGE_SIZE).await.unwrap().len(), 1);
    store.expire_periods(Duration::hours(1), Duration::hours(1), now() + Duration::hours(2)).await.unwrap();
    assert_eq!(store.recoveries(&RecoveryFilter::InActivePeriod, 0, PAGE_SIZE).await.unwrap().len(), 0);
    // Its process is not among the living and nobody can take it up: closed for good.
    store.register_recovery(&recovery("crash:1", "db7"), RegistrationRules::AUTOMATIC).await.unwrap();
    assert_eq!(store.acknowledge_crashed(&by_ann).await.unwrap(), 1);
}

async fn a_recovery_survives_its_process(store: &Store) {
    let mut running = recovery("1767225845:abc", "db4");
    let Registered::New { id } = store.register_recovery(&running, RegistrationRules::AUTOMATIC).await.unwrap() else {
        panic!("nothing forbids it")
    };
    running.story.push(StoryLine { at: now(), message: "db4 is dead \u{2713}".to_owned() });
    let begun = now();
    let step = |n: u32, state| StepRecord {
        step: Step {
            id: n,
            server: key("db2"),
            action: Action::StopReceiver,
            statements: vec!["STOP REPLICA IO_THREAD".to_owned()],
            before: vec![],
            needs: vec![],
            undo: vec![],
            timeout_ms: 1_000,
            phase: 1,
            reason: "freeze".to_owned(),
        },
        state,
        started: Some(begun),
        ended: None,
    };
    running.steps = vec![step(1, StepState::Done)];
    let machine = serde_json::json!({"phase": "freeze", "waiting": ["db2:3306"]});
    store.save_recovery(&running, &machine, now()).await.unwrap();
    store.save_recovery_step(&running.uid, &step(2, StepState::Pending)).await.unwrap();
    store.save_recovery_step(&running.uid, &step(2, StepState::Running)).await.unwrap();
    store.add_recovery_story(&running.uid, now(), "db4 is dead \u{2713}").await.unwrap();

    // It is not taken for crashed, because it can be taken up.
    let crash = Acknowledgement { at: now(), by: "orchestrator".to_owned(), comment: "crashed".to_owned() };
    assert_eq!(store.acknowledge_crashed(&crash).await.unwrap(), 0);
    let holder = NodeIdentity { hostname: running.node.clone(), token: running.node_token.clone() };
    assert_eq!(store.unfinished_recoveries().await.unwrap(), [(running.uid.clone(), holder)]);
    let unfinished = store.load_unfinished_recovery(&running.uid).await.unwrap().unwrap();
    assert_eq!(unfinished.machine, machine);
    let found = &unfinished.recovery;
    assert_eq!(found.steps, vec![step(1, StepState::Done), step(2, StepState::Running)]);
    assert_eq!((found.id, &found.story, &found.finding), (id, &running.story, &running.finding));
    // Only one of two takes it up.
    let claims = ["a", "b"].map(|token| {
        let (store, uid) = (store.clone(), running.uid.clone());
        tokio::spawn(async move { store.claim_recovery(&uid, &node("gone"), &node(token), now()).await.unwrap() })
    });
    let mut claimed = 0;
    for claim in claims {
        claimed += usize::from(claim.await.unwrap());
    }
    assert_eq!(claimed, 1);
    let mut mine = store.load_recovery(&running.uid).await.unwrap().unwrap();
    assert_ne!(mine.node_token, "gone");
    // What its first process saves late changes nothing.
    assert!(!store.save_recovery(&running, &machine, now()).await.unwrap());
    assert_eq!(store.load_recovery(&running.uid).await.unwrap().unwrap(), mine);
    mine.state = RecoveryState::Failed { reason: "no replica".to_owned() };
    mine.ended = Some(now());
    store.save_recovery(&mine, &serde_json::Value::Null, now()).await.unwrap();
    store.end_recovery(&mine, now()).await.unwrap();
    assert!(store.unfinished_recoveries().await.unwrap().is_empty());
    assert_eq!(store.load_unfinished_recovery(&running.uid).await.unwrap(), None);
    assert_eq!(store.load_recovery(&running.uid).await.unwrap().unwrap(), mine);
    assert_eq!(store.load_recoveries(0, PAGE_SIZE).await.unwrap(), vec![mine.clone()]);
    // The same by cluster, without those that the caller has already.
    for cluster in [None, Some(mine.cluster.as_str()), Some(mine.cluster_alias.as_str())] {
        let found = store.load_recoveries_besides(&["x", "y"], cluster, 0, PAGE_SIZE).await.unwrap();
        assert_eq!(found, vec![mine.clone()], "{cluster:?}");
        assert_eq!(store.load_recoveries_besides(&[], cluster, 1, PAGE_SIZE).await.unwrap(), vec![]);
        assert_eq!(store.load_recoveries_besides(&[&mine.uid], cluster, 0, PAGE_SIZE).await.unwrap(), vec![]);
    }
    assert_eq!(store.load_recoveries_besides(&[], Some("nosuch"), 0, PAGE_SIZE).await.unwrap(), vec![]);
    assert_eq!(store.load_recovery("nobody").await.unwrap(), None);
    assert_eq!(store.recovery_story(&running.uid).await.unwrap()[0].message, "db4 is dead \u{2713}");
}

async fn switches_and_small_tables(store: &Store) {
    assert!(!store.are_recoveries_disabled().await.unwrap());
    for disabled in [true, true, false, false, true, false] {
        store.set_recoveries_disabled(disabled).await.unwrap();
        assert_eq!(store.are_recoveries_disabled().await.unwrap(), disabled);
    }
    let pairs = [("mysql/master/orders".to_owned(), "db1:3306".to_owned())];
    store.put_kv(&pairs, now()).await.unwrap();
    store.put_kv(&[(pairs[0].0.clone(), "db2:3306".to_owned())], now()).await.unwrap();
    assert_eq!(store.kv("mysql/master/orders").await.unwrap().as_deref(), Some("db2:3306"));
    assert_eq!(store.kv("mysql/master/none").await.unwrap(), None);
    access_tokens(store).await;
    let code = [AnalysisCode::NoProblem, AnalysisCode::NoProblem, AnalysisCode::DeadSource];
    let mut changes = Vec::new();
    for code in code {
        changes.push(store.record_analysis(&key("db1"), code, now()).await.unwrap());
    }
    assert_eq!(changes, vec![false, false, true]);
    let history = store.analysis_changes().await.unwrap();
    assert_eq!((history.len(), history[0].analysis.as_str()), (1, "DeadMaster"));
}

async fn access_tokens(store: &Store) {
    let at = now();
    assert_eq!(store.access_token("none").await.unwrap(), None);
    store.create_access_token("aa", "secret", "J\u{f6}rg", at).await.unwrap();
    assert!(store.create_access_token("aa", "other", "eve", at).await.is_err(), "public halves are unique");
    let made = store.access_token("aa").await.unwrap().unwrap();
    assert_eq!((made.secret_token.as_str(), made.generated_by.as_str()), ("secret", "J\u{f6}rg"));
    assert_eq!((made.generated_at, made.is_acquired, made.is_reentrant), (Some(at), false, false));

    let minute_ago = at - Duration::seconds(60);
    let acquire = |public: &'static str, made_after| store.acquire_access_token(public, made_after, at);
    assert_eq!(acquire("none", minute_ago).await.unwrap(), None);
    assert_eq!(acquire("AA", minute_ago).await.unwrap(), None, "another one by its case");
    assert_eq!(acquire("aa", at + Duration::seconds(1)).await.unwrap(), None, "too old");
    store.create_access_token("bb", "secret", "eve", at).await.unwrap();
    let (one, two) = tokio::join!(acquire("bb", minute_ago), acquire("bb", minute_ago));
    let handed_out: Vec<_> = [one.unwrap(), two.unwrap()].into_iter().flatten().collect();
    assert_eq!(handed_out.len(), 1, "to one of two");
    assert!(handed_out[0].is_acquired);

    let kept = store.purge(&PurgePolicy::default(), at + Duration::hours(23)).await.unwrap();
    assert_eq!(kept.of("access_token"), 0);
}

async fn one_node_is_active(store: &Store) {
    let report = |token: &str| NodeReport {
        node: node(token),
        mode: "HttpMode".to_owned(),
        command: String::new(),
        version: "1.0".to_owned(),
        backend: "orchestrator.db".to_owned(),
    };
    for token in ["a", "b", "a"] {
        assert!(store.beat(&report(token)).await.unwrap());
    }
    assert!(store.is_alive(&node("b")).await.unwrap());
    assert!(!store.is_alive(&node("c")).await.unwrap(), "it never beat");
    store.leave(&node("c")).await.unwrap();
    let available = store.available_nodes().await.unwrap();
    let tokens: Vec<&str> = available.iter().map(|n| n.node.token.as_str()).collect();
    assert_eq!(tokens, vec!["a", "b"]);
    assert!(available.iter().all(|n| n.first_seen.is_some() && n.version == "1.0"));
    for token in ["a", "b"] {
        store.beat(&report(token)).await.unwrap();
    }
    assert_eq!(store.purge_nodes().await.unwrap(), 0, "the story's other processes have left");
    store.beat(&report("b")).await.unwrap();
    store.leave(&node("a")).await.unwrap();
    assert!(!store.is_alive(&node("a")).await.unwrap() && store.is_alive(&node("b")).await.unwrap());

    store.reelect().await.unwrap();
    assert_eq!(store.active_node().await.unwrap(), None);
    assert!(store.attempt_election(&node("a")).await.unwrap());
    assert!(!store.attempt_election(&node("b")).await.unwrap());
    assert!(store.attempt_election(&node("a")).await.unwrap());
    store.grab_election(&node("b")).await.unwrap();
    assert!(!store.attempt_election(&node("a")).await.unwrap());
    assert_eq!(store.active_node().await.unwrap().unwrap().node, node("b"));
}

async fn the_old_is_thrown_away(store: &Store) {
    let policy = PurgePolicy::default();
    let soon = store.purge(&policy, now()).await.unwrap();
    assert_eq!(soon.of("audit") + soon.of("database_instance") + soon.of("topology_recovery"), 0, "{soon:?}");
    let for_ever = PurgePolicy {
        unseen_forget: Duration::MAX,
        resolves_expiry: Duration::MAX,
        audit_keep: Duration::MAX,
        token_expiry: Duration::MAX,
        ..policy
    };
    let kept = store.purge(&for_ever, now() + Duration::days(8)).await.unwrap();
    assert_eq!(kept.of("audit") + kept.of("database_instance") + kept.of("hostname_resolve"), 0, "{kept:?}");
    assert_eq!(kept.of("access_token"), 0, "{kept:?}");
    let policy = PurgePolicy::default();
    let later = store.purge(&policy, now() + Duration::days(8)).await.unwrap();
    assert_eq!(later.of("access_token"), 2, "{later:?}");
    assert_eq!((later.of("audit"), later.of("orchestrator_audit_actor")), (45, 45), "{later:?}");
    assert_eq!((later.of("orchestrator_recovery"), later.of("orchestrator_recovery_step")), (1, 2), "{later:?}");
    assert_eq!(later.of("database_instance"), 0, "{later:?}");
    let much_later = store.purge(&policy, now() + Duration::days(11)).await.unwrap();
    assert_eq!((much_later.of("database_instance"), much_later.of("orchestrator_instance_extra")), (3, 3));
    assert!(store.load_instances().await.unwrap().is_empty());
}
