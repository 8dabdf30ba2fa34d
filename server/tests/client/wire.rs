//! Each command: what it asks for, and what it prints of the answer.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Fake, line, run};

fn key(name: &str) -> Value {
    json!({"Hostname": name, "Port": 3306})
}

fn ok(details: &Value) -> String {
    json!({"Code": "OK", "Message": "true", "Details": details}).to_string()
}

/// An instance `db1`, a replica of `db2`.
fn instance() -> Value {
    json!({"Key": key("db1"), "MasterKey": key("db2"), "GtidErrant": "uuid:7", "DataCenter": "dc1",
        "ClusterName": "db0:3306", "ReplicationSQLThreadState": 1, "ReplicationIOThreadState": 1,
        "Slave_SQL_Running": true, "Slave_IO_Running": false, "LastSQLError": "", "LastIOError": "\"gone\""})
}

/// Answers as the service does, by the first word of the path.
fn answer(target: &str) -> (u16, String) {
    let path = target.strip_prefix("/api/").expect("below /api/");
    let word = path.split(['/', '?']).next().expect("a word");
    let bare_list = json!([instance()]).to_string();
    let body = match word {
        "forget" | "forget-cluster" => ok(&json!("db1:3306")),
        "async-discover" => ok(&Value::Null),
        "topology" | "topology-tabulated" | "topology-tags" => ok(&json!("db2:3306 [0s]\n+ db1:3306 [0s]")),
        "snapshot-topologies" => ok(&json!("Took topology snapshot")),
        "clusters-info" => json!([{"ClusterName": "db2:3306", "ClusterAlias": "orders"}]).to_string(),
        "cluster-info" => json!({"ClusterName": "db2:3306", "ClusterAlias": "orders"}).to_string(),
        "search"
        | "cluster"
        | "instance-replicas"
        | "all-instances"
        | "cluster-osc-replicas"
        | "downtimed"
        | "masters" => bare_list,
        "instance" | "master" => instance().to_string(),
        "submit-masters-to-kv-stores" => ok(&json!([{"Key": "mysql/master/orders", "Value": "db2:3306"}])),
        "relocate-replicas" | "move-up-replicas" | "repoint-replicas" | "heuristic-cluster-pool-instances" => {
            ok(&json!([instance()]))
        }
        "match-up-replicas" | "move-replicas-gtid" => ok(&key("db2")),
        "tags" => json!(["role=backup", "old="]).to_string(),
        "tag-value" => json!("backup").to_string(),
        "tagged" => json!([key("db1"), key("db2")]).to_string(),
        "untag" | "untag-all" => ok(&json!([key("db1")])),
        "submit-pool-instances" => ok(&json!("reads")),
        "locate-gtid-errant" => ok(&json!(["bin.1", "bin.2"])),
        "restart-replica-statements" => ok(&json!(["stop slave;", "select 1;"])),
        "delay-replication" => ok(&json!(60)),
        "last-pseudo-gtid" => ok(&json!("drop view x")),
        "graceful-master-takeover"
        | "graceful-master-takeover-auto"
        | "force-master-failover"
        | "force-master-takeover" => ok(&json!({"SuccessorKey": key("db3")})),
        "ack-recovery" => ok(&json!("db2:3306")),
        "ack-all-recoveries" => ok(&json!("all is well")),
        "disable-global-recoveries" => ok(&json!("disabled")),
        "enable-global-recoveries" | "check-global-recoveries" => ok(&json!("enabled")),
        "replication-analysis" => ok(&json!([{"AnalyzedInstanceKey": key("db2"), "Analysis": "DeadMaster",
            "StructureAnalysis": null, "ClusterDetails": {"ClusterName": "db2:3306"}}])),
        "raft-state" => json!("Leader").to_string(),
        "raft-leader" => json!("10.0.0.1:10008").to_string(),
        "raft-health" => json!("healthy").to_string(),
        "status" => ok(&json!({"Hostname": "orc1"})),
        "raft-yield-hint" => ok(&json!("orc2")),
        "can-replicate-from"
        | "can-replicate-from-gtid"
        | "tag"
        | "begin-downtime"
        | "end-downtime"
        | "begin-maintenance"
        | "end-maintenance"
        | "register-candidate"
        | "register-hostname-unresolve"
        | "deregister-hostname-unresolve"
        | "recover" => ok(&key("db1")),
        "audit" => "[\n  1,\n  2\n]\n".to_owned(),
        _ => ok(&instance()),
    };
    (200, body)
}

#[rstest]
#[case("async-discover -i db1", "async-discover/db1/3306", "db1:3306\n")]
#[case("discover -i db1:3306", "discover/db1/3306", "db1:3306\n")]
#[case("discover -i db1 -D 3399", "discover/db1/3399", "db1:3306\n")]
#[case("forget -i db1", "forget/db1/3306", "")]
#[case("forget-cluster -a orders", "forget-cluster/orders", "")]
#[case("forget-cluster -i db1:3306", "forget-cluster/db1:3306", "")]
#[case("topology -a orders -i db1", "topology/orders", "db2:3306 [0s]\n+ db1:3306 [0s]\n")]
#[case("topology-tabulated -i db1:3306", "topology-tabulated/db1:3306", "db2:3306 [0s]\n+ db1:3306 [0s]\n")]
#[case("topology-tags -a orders", "topology-tags/orders", "db2:3306 [0s]\n+ db1:3306 [0s]\n")]
#[case("snapshot-topologies", "snapshot-topologies", "Took topology snapshot\n")]
#[case("clusters", "clusters-info", "db2:3306\n")]
#[case("clusters-alias", "clusters-info", "db2:3306,orders\n")]
#[case("search -i 10.0:33", "search?s=10.0%3A33", "db1:3306\n")]
#[case("instance -i db1", "instance/db1/3306", "db1:3306\n")]
#[case("which-instance -i db1", "instance/db1/3306", "db1:3306\n")]
#[case("which-master -i db1", "instance/db1/3306", "db2:3306\n")]
#[case("which-replicas -i db2", "instance-replicas/db2/3306", "db1:3306\n")]
#[case("which-slaves -i db2", "instance-replicas/db2/3306", "db1:3306\n")]
#[case("which-broken-replicas -i db2", "instance-replicas/db2/3306", "db1:3306\n")]
#[case("which-cluster-instances -a orders", "cluster/orders", "db1:3306\n")]
#[case("which-cluster -i db1", "cluster-info/db1", "db2:3306\n")]
#[case("which-cluster-alias -i db1", "cluster-info/db1", "orders\n")]
#[case("which-cluster-master -a orders", "master/orders", "db1:3306\n")]
#[case("all-clusters-masters", "masters", "db1:3306\n")]
#[case("all-instances", "all-instances", "db1:3306\n")]
#[case("which-cluster-osc-replicas -a orders", "cluster-osc-replicas/orders", "db1:3306\n")]
#[case("which-cluster-osc-running-replicas -a orders", "cluster-osc-replicas/orders", "")]
#[case("downtimed", "downtimed", "db1:3306\n")]
#[case("downtimed -a orders", "downtimed/orders", "db1:3306\n")]
#[case("dominant-dc", "masters", "dc1\n")]
#[case("submit-masters-to-kv-stores", "submit-masters-to-kv-stores", "mysql/master/orders:db2:3306\n")]
#[case("submit-masters-to-kv-stores -a orders", "submit-masters-to-kv-stores/orders", "mysql/master/orders:db2:3306\n")]
#[case("relocate -i db1 -d db2", "relocate/db1/3306/db2/3306", "db1:3306<db2:3306\n")]
#[case("relocate-slaves -i db1 -s db2:3307", "relocate-replicas/db1/3306/db2/3307", "db1:3306\n")]
#[case("match -i db1 -d db2", "match/db1/3306/db2/3306", "db1:3306<db2:3306\n")]
#[case("match-up -i db1", "match-up/db1/3306", "db1:3306<db2:3306\n")]
#[case("match-up-replicas -i db1", "match-up-replicas/db1/3306", "db2:3306\n")]
#[case("move-up -i db1", "move-up/db1/3306", "db1:3306<db2:3306\n")]
#[case("move-below -i db1 -d db2", "move-below/db1/3306/db2/3306", "db1:3306<db2:3306\n")]
#[case("move-equivalent -i db1 -d db2", "move-equivalent/db1/3306/db2/3306", "db1:3306<db2:3306\n")]
#[case("move-up-replicas -i db1", "move-up-replicas/db1/3306", "db1:3306\n")]
#[case("make-co-master -i db1", "make-co-master/db1/3306", "db1:3306<db2:3306\n")]
#[case("take-master -i db1", "take-master/db1/3306", "db1:3306<db2:3306\n")]
#[case("move-gtid -i db1 -d db2", "move-below-gtid/db1/3306/db2/3306", "db1:3306<db2:3306\n")]
#[case("move-replicas-gtid -i db1 -d db2", "move-replicas-gtid/db1/3306/db2/3306", "db2:3306\n")]
#[case("repoint -i db1 -d db2", "repoint/db1/3306/db2/3306", "db1:3306<db2:3306\n")]
#[case("repoint-replicas -i db1", "repoint-replicas/db1/3306", "db1:3306\n")]
#[case("take-siblings -i db1", "take-siblings/db1/3306", "db1:3306<db2:3306\n")]
#[case("enslave-siblings -i db1", "take-siblings/db1/3306", "db1:3306<db2:3306\n")]
#[case("tags -i db1", "tags/db1/3306", "role=backup\nold=\n")]
#[case("tag-value -i db1 -t role", "tag-value/db1/3306?tag=role", "backup\n")]
#[case("tag -i db1 -t role=backup", "tag/db1/3306?tag=role%3Dbackup", "db1:3306\n")]
#[case("untag -i db1 -t role", "untag/db1/3306?tag=role", "db1:3306\n")]
#[case("untag-all -t role=backup", "untag-all?tag=role%3Dbackup", "db1:3306\n")]
#[case("tagged -t role,~old -i db9", "tagged?tag=role%2C%7Eold", "db1:3306\ndb2:3306\n")]
#[case(
    "submit-pool-instances -l reads -i db1,db2:3307",
    "submit-pool-instances/reads?instances=db1%2Cdb2%3A3307",
    "reads\n"
)]
#[case("which-heuristic-cluster-pool-instances -a orders", "heuristic-cluster-pool-instances/orders", "db1:3306\n")]
#[case(
    "which-heuristic-cluster-pool-instances -a orders -l reads",
    "heuristic-cluster-pool-instances/orders/reads",
    "db1:3306\n"
)]
#[case("begin-downtime -i db1 -r disk", "begin-downtime/db1/3306/dba/disk/10m", "db1:3306\n")]
#[case("begin-downtime -i db1 -r disk -o eve -u 2h", "begin-downtime/db1/3306/eve/disk/2h", "db1:3306\n")]
#[case("end-downtime -i db1", "end-downtime/db1/3306", "db1:3306\n")]
#[case("begin-maintenance -i db1 -r disk", "begin-maintenance/db1/3306/dba/disk", "db1:3306\n")]
#[case("end-maintenance -i db1", "end-maintenance/db1/3306", "db1:3306\n")]
#[case("register-candidate -i db1 -R prefer", "register-candidate/db1/3306/prefer", "db1:3306\n")]
#[case("register-hostname-unresolve -i db1 -H v", "register-hostname-unresolve/db1/3306/v", "db1:3306\n")]
#[case("deregister-hostname-unresolve -i db1", "deregister-hostname-unresolve/db1/3306", "db1:3306\n")]
#[case("stop-replica -i db1", "stop-replica/db1/3306", "db1:3306\n")]
#[case("stop-slave -i db1", "stop-replica/db1/3306", "db1:3306\n")]
#[case("stop-replica-nice -i db1", "stop-replica-nice/db1/3306", "db1:3306\n")]
#[case("start-replica -i db1", "start-replica/db1/3306", "db1:3306\n")]
#[case("restart-replica -i db1", "restart-replica/db1/3306", "db1:3306\n")]
#[case("reset-replica -i db1", "reset-replica/db1/3306", "db1:3306\n")]
#[case("change-master-credentials -i db1", "change-master-credentials/db1/3306", "db1:3306\n")]
#[case("detach-replica -i db1", "detach-replica/db1/3306", "db1:3306\n")]
#[case("reattach-replica -i db1", "reattach-replica/db1/3306", "db1:3306\n")]
#[case("detach-replica-master-host -i db1", "detach-replica-master-host/db1/3306", "db1:3306\n")]
#[case("reattach-replica-master-host -i db1", "reattach-replica-master-host/db1/3306", "db1:3306\n")]
#[case("skip-query -i db1", "skip-query/db1/3306", "db1:3306\n")]
#[case("which-gtid-errant -i db1", "instance/db1/3306", "uuid:7\n")]
#[case("locate-gtid-errant -i db1", "locate-gtid-errant/db1/3306", "bin.1\nbin.2\n")]
#[case("gtid-errant-reset-master -i db1", "gtid-errant-reset-master/db1/3306", "db1:3306\n")]
#[case("gtid-errant-inject-empty -i db1", "gtid-errant-inject-empty/db1/3306", "db1:3306\n")]
#[case("enable-semi-sync-master -i db1", "enable-semi-sync-master/db1/3306", "db1:3306\n")]
#[case("disable-semi-sync-master -i db1", "disable-semi-sync-master/db1/3306", "db1:3306\n")]
#[case("enable-semi-sync-replica -i db1", "enable-semi-sync-replica/db1/3306", "db1:3306\n")]
#[case("disable-semi-sync-replica -i db1", "disable-semi-sync-replica/db1/3306", "db1:3306\n")]
#[case(
    "restart-replica-statements -i db1 -q select(1)",
    "restart-replica-statements/db1/3306?q=select%281%29",
    "[\"stop slave;\",\"select 1;\"]\n"
)]
#[case("delay-replication -i db1 -S 60", "delay-replication/db1/3306/60", "60\n")]
#[case("can-replicate-from -i db1 -d db2", "can-replicate-from/db1/3306/db2/3306", "db1:3306\n")]
#[case("can-replicate-from-gtid -i db1 -d db2", "can-replicate-from-gtid/db1/3306/db2/3306", "db1:3306\n")]
#[case("is-replicating -i db1", "instance/db1/3306", "db1:3306\n")]
#[case("is-replication-stopped -i db1", "instance/db1/3306", "")]
#[case("set-read-only -i db1", "set-read-only/db1/3306", "db1:3306\n")]
#[case("set-writeable -i db1", "set-writeable/db1/3306", "db1:3306\n")]
#[case("flush-binary-logs -i db1", "flush-binary-logs/db1/3306", "db1:3306\n")]
#[case("purge-binary-logs -i db1 -n latest", "purge-binary-logs/db1/3306/latest", "db1:3306\n")]
#[case("last-pseudo-gtid -i db1", "last-pseudo-gtid/db1/3306", "drop view x\n")]
#[case("recover -i db1", "recover/db1/3306", "db1:3306\n")]
#[case("recover -i db1 -d db3", "recover/db1/3306/db3/3306", "db1:3306\n")]
#[case("graceful-master-takeover -a orders -d db3", "graceful-master-takeover/orders/db3/3306", "db3:3306\n")]
#[case("graceful-master-takeover -i db1:3306", "graceful-master-takeover/db1:3306", "db3:3306\n")]
#[case("graceful-master-takeover-auto -a orders", "graceful-master-takeover-auto/orders", "db3:3306\n")]
#[case("force-master-failover -a orders", "force-master-failover/orders", "db3:3306\n")]
#[case("force-master-takeover -a orders -d db3", "force-master-takeover/orders/db3/3306", "db3:3306\n")]
#[case("ack-cluster-recoveries -a orders -r seen", "ack-recovery/cluster/orders?comment=seen", "db2:3306\n")]
#[case("ack-all-recoveries -r seen", "ack-all-recoveries?comment=seen", "all is well\n")]
#[case("disable-global-recoveries", "disable-global-recoveries", "disabled\n")]
#[case("enable-global-recoveries", "enable-global-recoveries", "enabled\n")]
#[case("check-global-recoveries", "check-global-recoveries", "enabled\n")]
#[case("replication-analysis", "replication-analysis", "db2:3306 (cluster db2:3306): DeadMaster\n")]
#[case("raft-health", "raft-health", "healthy\n")]
#[case("raft-leader", "raft-state raft-leader", "10.0.0.1:10008\n")]
#[case("raft-leader-hostname", "raft-state status", "orc1\n")]
#[case("raft-elect-leader -H orc2", "raft-state raft-yield-hint/orc2", "orc2\n")]
#[case("api -P audit/0", "audit/0", "[ 1, 2 ]\n")]
#[case("api -path /search?s=db", "search?s=db", "[{")]
#[case("which-api", "", "http://")]
#[tokio::test]
async fn a_command_asks_for_its_path_and_prints_its_part(
    #[case] command: &str,
    #[case] asked: &str,
    #[case] printed: &str,
) {
    let fake = Fake::new(answer).await;
    let ending = line(&format!("-c {command}"), &fake.url).await;
    assert_eq!((ending.stderr.as_str(), ending.code), ("", 0));
    let targets: Vec<String> = asked.split_whitespace().map(|path| format!("/api/{path}")).collect();
    assert_eq!(fake.targets(), targets);
    match printed {
        "[{" => assert_eq!(ending.stdout, format!("{}\n", json!([instance()]))),
        "http://" => assert_eq!(ending.stdout, format!("{}/api\n", fake.url)),
        _ => assert_eq!(ending.stdout, printed),
    }
}

#[tokio::test]
async fn values_with_blanks_and_signs_arrive_as_they_are() {
    let fake = Fake::new(answer).await;
    let api = [("ORCHESTRATOR_API", fake.url.as_str())];
    let ending = run(&["-c", "begin-downtime", "-i", "db1", "-r", "new disk, 50% é & \"x\""], &api).await;
    assert_eq!((ending.stdout.as_str(), ending.code), ("db1:3306\n", 0), "{}", ending.stderr);
    let ending = run(&["-c", "ack-all-recoveries", "-r", "all of them + more"], &api).await;
    assert_eq!(ending.code, 0, "{}", ending.stderr);
    let expected = [
        "/api/begin-downtime/db1/3306/dba/new%20disk,%2050%25%20%C3%A9%20&%20%22x%22/10m",
        "/api/ack-all-recoveries?comment=all+of+them+%2B+more",
    ];
    assert_eq!(fake.targets(), expected);
}

#[tokio::test]
async fn the_environment_names_the_instance_and_flags_count_more() {
    let fake = Fake::new(answer).await;
    let api = fake.url.as_str();
    let variables = [("ORCHESTRATOR_API", "http://nosuch.invalid"), ("ORCHESTRATOR_INSTANCE", "db7:3307")];
    for words in [&["-c", "instance", "-U", api][..], &["--command", "instance", "-i", "db8", "--api", api]] {
        let ending = run(words, &variables).await;
        assert_eq!(ending.code, 0, "{}", ending.stderr);
    }
    assert_eq!(fake.targets(), ["/api/instance/db7/3307", "/api/instance/db8/3306"]);
}

#[tokio::test]
async fn who_asks_is_told_by_flag_environment_or_address() {
    let fake = Fake::new(answer).await;
    let plain = fake.url.as_str();
    let within = plain.replace("http://", "http://eve:p%40ss@");
    let basic = |text: &str| {
        use base64::Engine as _;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
    };
    let (user, password) = (("ORCHESTRATOR_AUTH_USER", "dba"), ("ORCHESTRATOR_AUTH_PASSWORD", "secret"));
    let token = ("ORCHESTRATOR_AUTH_TOKEN", "t0ken");
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str, Option<String>);
    let cases: [Case<'_>; 7] = [
        (&[], &[], plain, None),
        (&[], &[user, password], plain, Some(basic("dba:secret"))),
        (&[], &[password], plain, Some(basic(":secret"))),
        (&["-b", "adam:pa:ss"], &[user, password, token], plain, Some(basic("adam:pa:ss"))),
        (&[], &[token], plain, Some("Bearer t0ken".to_owned())),
        (&[], &[], &within, Some(basic("eve:p@ss"))),
        (&[], &[user, password], &within, Some(basic("dba:secret"))),
    ];
    for (flags, variables, url, expected) in cases {
        let words = [&["-c", "clusters", "-U", url][..], flags].concat();
        let ending = run(&words, variables).await;
        assert_eq!(ending.code, 0, "{}", ending.stderr);
        let asked = fake.asked().pop().expect("asked");
        let sent: Vec<&str> = asked.headers.get_all("authorization").iter().map(|v| v.to_str().unwrap()).collect();
        assert_eq!(sent, expected.as_deref().into_iter().collect::<Vec<_>>(), "{flags:?} {variables:?}");
    }
    let header = [("ORCHESTRATOR_AUTH_USER_HEADER", "X-Forwarded-User:eve")];
    for (flags, expected) in [(&[][..], "eve"), (&["-e", "X-Forwarded-User:adam"], "adam")] {
        let ending = run(&[&["-c", "clusters", "-U", plain], flags].concat(), &header).await;
        assert_eq!(ending.code, 0, "{}", ending.stderr);
        assert_eq!(fake.asked().pop().expect("asked").headers["x-forwarded-user"], expected);
    }
}
