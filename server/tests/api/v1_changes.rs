//! Changes by the compatible API, each with what it does to the world.

use std::time::Duration;

use app::BinlogCoordinates;
use app::plan::Action;
use app::topology::{Equivalence, LogPlace, PromotionRule, ThreadState};
use orchestrator::consensus::{Actor, Command};
use serde_json::json;

use crate::support::{Edge, OPEN, key};

#[tokio::test]
async fn relocate_moves_a_replica() {
    let edge = Edge::new(OPEN).await;
    let answer = edge.get("/api/relocate/db3.example/3306/db5.example/3306").await;
    assert_eq!(answer.message("OK"), "Instance db3.example:3306 relocated below db5.example:3306");
    let details = &answer.json()["Details"];
    assert_eq!(details["Key"], json!({"Hostname": "db3.example", "Port": 3306}));
    assert_eq!(details["MasterKey"], json!({"Hostname": "db5.example", "Port": 3306}));
    assert_eq!(edge.services.fleet.get(&key("db3.example")).expect("known").replication.source, key("db5.example"));
}

#[tokio::test]
async fn an_impossible_move_is_refused_with_the_rules_name_and_changes_nothing() {
    let edge = Edge::new(OPEN).await;
    let before = edge.world();
    for path in ["relocate/db2.example/3306/db3.example/3306", "relocate-below/db3.example/3306/db3.example/3306"] {
        let message = edge.get(&format!("/api/{path}")).await.message("ERROR");
        let (rule, why) = message.split_once(": ").expect("a rule and a reason");
        assert!(!rule.contains(' ') && rule.contains('-') && !why.is_empty(), "{path}: {message}");
    }
    assert_eq!(edge.world(), before);
}

#[tokio::test]
async fn relocate_replicas_moves_those_that_match() {
    for synonym in ["relocate-replicas", "relocate-slaves"] {
        let edge = Edge::new(OPEN).await;
        let answer = edge.get(&format!("/api/{synonym}/db2.example/3306/db1.example/3306?pattern=db3")).await;
        assert_eq!(answer.message("OK"), "Relocated 1 replicas of db2.example:3306 below db1.example:3306; 0 errors");
        assert_eq!(answer.json()["Details"].as_array().map(Vec::len), Some(1));
        let source = |name: &str| edge.services.fleet.get(&key(name)).expect("known").replication.source.clone();
        assert_eq!(source("db3.example"), key("db1.example"));
        assert_eq!(source("db4.example"), key("db2.example"));
    }
}

#[tokio::test]
async fn replication_is_stopped_and_started() {
    let edge = Edge::new(OPEN).await;
    let state = || {
        let replication = &edge.services.fleet.get(&key("db3.example")).expect("known").replication;
        (replication.receiver, replication.applier)
    };
    let both = |state: ThreadState| (state, state);
    for (path, after) in [
        ("stop-slave", ThreadState::Stopped),
        ("start-replica", ThreadState::Running),
        ("stop-replica", ThreadState::Stopped),
        ("start-slave", ThreadState::Running),
        ("restart-replica", ThreadState::Running),
    ] {
        let answer = edge.get(&format!("/api/{path}/db3.example/3306")).await;
        answer.message("OK");
        assert_eq!(state(), both(after), "{path}");
        assert_eq!(answer.json()["Details"]["Key"]["Hostname"], "db3.example");
    }
}

/// Moves of several replicas answer in three ways, and scripts take each as it is (`spec/api.md` 2.4, 2.5).
#[tokio::test]
async fn several_moved_by_one_way_answer_with_their_new_source() {
    let edge = Edge::new(r#"{"PseudoGTIDPattern": "drop view if exists"}"#).await;
    for (path, source) in [
        ("match-up-replicas/db2.example/3306?pattern=nobody", "db1.example"),
        ("match-up-slaves/db2.example/3306?pattern=nobody", "db1.example"),
        ("match-replicas/db2.example/3306/db5.example/3306?pattern=nobody", "db5.example"),
        ("move-replicas-gtid/db2.example/3306/db5.example/3306", "db5.example"),
    ] {
        let answer = edge.get(&format!("/api/{path}")).await.ok();
        assert_eq!(answer["Details"], json!({"Hostname": source, "Port": 3306}), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_change_takes_a_short_name_but_never_a_part_of_one() {
    let edge = Edge::new(OPEN).await;
    assert!(edge.get("/api/stop-replica/b3.exa/3306").await.message("ERROR").contains("b3.exa:3306"));
    assert!(edge.get("/api/forget/db3.exampl/3306").await.message("ERROR").contains("db3.exampl:3306"));
    assert!(edge.hands.acts().is_empty());
    edge.get("/api/stop-replica/db3/3306").await.message("OK");
    let acts = edge.hands.acts();
    assert!(acts.contains(&(key("db3.example"), Action::StopReplication)), "{acts:?}");
}

#[tokio::test]
async fn a_server_is_made_read_only_and_writeable() {
    let edge = Edge::new(OPEN).await;
    let read_only = || edge.services.fleet.get(&key("db5.example")).expect("known").read_only;
    edge.get("/api/set-writeable/db5.example/3306").await.message("OK");
    assert!(!read_only());
    let answer = edge.get("/api/set-read-only/db5.example/3306").await;
    assert_eq!(answer.json()["Details"]["ReadOnly"], true);
    assert!(read_only());
}

#[tokio::test]
async fn downtime_begins_and_ends() {
    let edge = Edge::new(OPEN).await;
    let answer = edge.get("/api/begin-downtime/db3/3306/dba%0A/disk%20swap%0A/2h").await;
    assert_eq!(answer.json()["Details"], json!({"Hostname": "db3.example", "Port": 3306}));
    let snapshot = edge.services.fleet.snapshot();
    let downtime = snapshot.annotations.active_downtime(&key("db3.example"), snapshot.at).expect("in downtime").clone();
    assert_eq!((downtime.owner.as_str(), downtime.reason.as_str()), ("dba", "disk swap"), "trimmed");
    assert_eq!((downtime.end - downtime.begin).num_seconds(), 7_200);
    let listed = edge.get("/api/downtimed/orders").await.ok();
    assert_eq!(listed[0]["IsDowntimed"], true);
    assert_eq!(listed[0]["DowntimeReason"], "disk swap");

    edge.get("/api/begin-downtime/db3/3306/dba/again/0s").await.message("OK");
    let snapshot = edge.services.fleet.snapshot();
    let downtime = &snapshot.annotations.downtime[&key("db3.example")];
    assert_eq!((downtime.end - downtime.begin).num_minutes(), 10, "nothing and 0s mean ten minutes");

    edge.get("/api/end-downtime/db3/3306").await.message("OK");
    assert_eq!(edge.get("/api/downtimed").await.body, "[]");
}

#[tokio::test]
async fn a_promotion_rule_is_registered() {
    let edge = Edge::new(OPEN).await;
    edge.get("/api/register-candidate/db3.example/3306/prefer_not").await.message("OK");
    let rule = edge.services.fleet.snapshot().annotations.promotion_rule(&key("db3.example"));
    assert_eq!(rule, PromotionRule::PreferNot);
    let rules = edge.get("/api/bulk-promotion-rules").await.ok();
    assert_eq!(rules[0]["PromotionRule"], "prefer_not");
    assert_eq!(edge.get("/api/instance/db3.example/3306").await.ok()["PromotionRule"], "prefer_not");
}

#[tokio::test]
async fn tags_are_set_asked_for_and_removed() {
    let edge = Edge::new(OPEN).await;
    edge.get("/api/tag/db3.example/3306?tag=role=backup%0A").await.message("OK");
    edge.get("/api/tag/db4.example/3306/role/online").await.message("OK");
    assert_eq!(edge.get("/api/tags/db3.example/3306").await.body, r#"["role=backup"]"#);
    assert_eq!(edge.get("/api/tag-value/db3.example/3306/role").await.body, r#""backup""#);
    assert!(edge.get("/api/tag-value/db3.example/3306?tag=nosuch").await.message("ERROR").contains("nosuch"));
    assert_eq!(edge.get("/api/tagged?tag=role,!role=online").await.body, r#"[{"Hostname":"db3.example","Port":3306}]"#);
    let untagged = edge.get("/api/untag-all/role/online").await.ok();
    assert_eq!(untagged["Details"], json!([{"Hostname": "db4.example", "Port": 3306}]));
    edge.get("/api/untag/db3.example/3306?tag=role=other").await.message("OK");
    assert_eq!(edge.get("/api/tags/db3.example/3306").await.body, r#"["role=backup"]"#, "another value");
    edge.get("/api/untag/db3.example/3306/role").await.message("OK");
    assert_eq!(edge.get("/api/tags/db3.example/3306").await.body, "[]");
}

#[tokio::test]
async fn servers_and_clusters_are_forgotten() {
    let edge = Edge::new(OPEN).await;
    let answer = edge.get("/api/forget/us2/3306").await;
    assert_eq!(answer.json()["Details"], json!({"Hostname": "us2.example", "Port": 3306}));
    assert!(edge.services.fleet.get(&key("us2.example")).is_none());
    assert!(edge.get("/api/forget/us2.example/3306").await.message("ERROR").contains("us2.example:3306"));
    edge.get("/api/forget-cluster/orders").await.message("OK");
    assert_eq!(edge.get("/api/clusters").await.body, r#"["us1.example:3306"]"#);
}

#[tokio::test]
async fn a_cluster_gets_an_alias() {
    let edge = Edge::new(OPEN).await;
    edge.get("/api/set-cluster-alias/us1.example:3306?alias=people").await.message("OK");
    assert_eq!(edge.get("/api/cluster-info/people").await.ok()["ClusterName"], "us1.example:3306");
}

#[tokio::test]
async fn recoveries_are_switched_off_and_on() {
    let edge = Edge::new(OPEN).await;
    let state = "/api/check-global-recoveries";
    edge.get("/api/disable-global-recoveries").await.message("OK");
    assert_eq!(edge.get(state).await.ok()["Details"], "disabled");
    edge.get("/api/enable-global-recoveries").await.message("OK");
    assert_eq!(edge.get(state).await.ok()["Details"], "enabled");
}

#[tokio::test]
async fn there_is_nothing_to_recover_at_a_healthy_server() {
    let edge = Edge::new(OPEN).await;
    let before = edge.world();
    let message = edge.get("/api/recover/db1.example/3306").await.message("ERROR");
    assert!(message.contains("nothing to recover at db1.example:3306"), "{message}");
    assert_eq!(edge.world(), before);
    let answer = edge.get("/api/ack-all-recoveries?comment=seen").await;
    assert_eq!(answer.body, r#"{"Code":"OK","Message":"0 recoveries acknowledged","Details":"seen"}"#);
}

#[tokio::test]
async fn what_was_done_is_in_the_audit_with_who_did_it() {
    let edge = Edge::new(crate::support::BASIC).await;
    let get = |path: &'static str| edge.send(axum::http::Method::GET, path, &[crate::support::CREDENTIALS], "");
    get("/api/stop-replica/db3.example/3306").await.message("OK");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    loop {
        let rows = get("/api/v2/audit?server=db3.example:3306").await.ok();
        if let Some(row) = rows.as_array().and_then(|rows| rows.first()) {
            assert_eq!(row["actor"], "dba");
            assert_eq!(row["server"]["Hostname"], "db3.example");
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "no audit row came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let compatible = get("/api/audit/instance/db3.example/3306").await.ok();
    assert_eq!(compatible[0]["AuditInstanceKey"]["Hostname"], "db3.example");
}

#[tokio::test]
async fn maintenance_keeps_operations_off_and_is_exclusive() {
    let edge = Edge::new(OPEN).await;
    let db3 = json!({"Hostname": "db3.example", "Port": 3306});
    let begun = edge.get("/api/begin-maintenance/db3.example/3306/ann/upgrade").await;
    begun.message("OK");
    assert_eq!(begun.json()["Details"], db3);
    assert_eq!(edge.get("/api/in-maintenance/db3.example/3306").await.message("OK"), "true");
    let again = edge.get("/api/begin-maintenance/db3.example/3306/bob/reboot").await;
    assert_eq!(again.json()["Details"], 0, "the number of no maintenance");
    let again = again.message("ERROR");
    assert!(again.contains("db3.example:3306 is in maintenance by ann: upgrade"), "{again}");
    let refused = edge.get("/api/stop-replica/db3.example/3306").await.message("ERROR");
    assert!(refused.contains("maintenance by ann: upgrade"), "{refused}");
    edge.get("/api/end-maintenance/db3.example/3306").await.message("OK");
    assert_eq!(edge.get("/api/in-maintenance/db3.example/3306").await.message("OK"), "false");
    edge.get("/api/stop-replica/db3.example/3306").await.message("OK");

    // Nor does it begin while somebody is at work there.
    let guard = edge.services.locks.take(&["db3.example:3306".to_owned()], "relocate db3 by bob").expect("free");
    let busy = edge.get("/api/begin-maintenance/db3.example/3306/ann/upgrade").await.message("ERROR");
    assert!(busy.contains("relocate db3 by bob"), "{busy}");
    drop(guard);
    edge.get("/api/begin-maintenance/db3.example/3306/ann/upgrade").await.message("OK");
    edge.services.adoption.adopt(&edge.services).await.expect("adopted");
    let number = edge.get("/api/maintenance").await.ok()[0]["MaintenanceId"].as_i64().expect("a number");
    assert_eq!(edge.get(&format!("/api/end-maintenance/{number}")).await.json()["Details"], json!(number));
    assert_eq!(edge.get("/api/maintenance").await.ok(), json!([]));
}

#[tokio::test]
async fn pools_are_handed_in_and_listed_by_cluster() {
    let edge = Edge::new(OPEN).await;
    let submitted = edge.get("/api/submit-pool-instances/reads?instances=db3.example,%20db5:3306,us2.example").await;
    submitted.message("OK");
    assert_eq!(submitted.json()["Details"], json!("reads"));
    edge.get("/api/submit-pool-instances/backup?instances=db4.example:3306").await.message("OK");
    let members =
        |names: &[&str]| json!(names.iter().map(|n| json!({"Hostname": n, "Port": 3306})).collect::<Vec<_>>());
    let of = async |path: &str| edge.get(&format!("/api/{path}")).await.ok()["Details"].clone();
    let reads = members(&["db3.example", "db5.example"]);
    assert_eq!(
        of("cluster-pool-instances/db1.example:3306").await,
        json!({"backup": members(&["db4.example"]), "reads": reads})
    );
    assert_eq!(of("cluster-pool-instances/db1.example:3306/reads").await, json!({"reads": reads}));
    assert_eq!(of("cluster-pool-instances/orders").await, json!({}), "the name is taken literally");
    let heuristic = of("heuristic-cluster-pool-instances/orders").await;
    let keys: Vec<&str> =
        heuristic.as_array().expect("a list").iter().map(|i| i["Key"]["Hostname"].as_str().expect("a name")).collect();
    assert_eq!(keys, ["db3.example", "db4.example", "db5.example"]);
    assert_eq!(of("heuristic-cluster-pool-lag/orders/reads").await, json!(0));
    let nobody = edge.get("/api/heuristic-cluster-pool-lag/orders/nosuch").await.message("ERROR");
    assert!(nobody.contains("no pooled instances"), "{nobody}");
    edge.get("/api/submit-pool-instances/reads").await.message("OK");
    assert_eq!(of("cluster-pool-instances/db1.example:3306/reads").await, json!({}));
}

#[tokio::test]
async fn of_several_servers_each_failure_is_told_and_only_none_moved_is_an_error() {
    let edge = Edge::new(OPEN).await;
    edge.hands.refuse(&key("db4.example"), "ChangeSource");
    let path = "/api/relocate-replicas/db2.example/3306/db1.example/3306";
    let answer = edge.get(path).await;
    let message = answer.message("OK");
    let told = "Relocated 1 replicas of db2.example:3306 below db1.example:3306; 1 errors: db4.example:3306: step ";
    assert!(message.starts_with(told), "{message}");
    assert_eq!(answer.json()["Details"].as_array().map(Vec::len), Some(1));
    let source = |name: &str| edge.services.fleet.get(&key(name)).expect("known").replication.source.clone();
    assert_eq!((source("db3.example"), source("db4.example")), (key("db1.example"), key("db2.example")));
    let message = edge.get(path).await.message("ERROR");
    assert!(message.contains("db4.example:3306 refuses ChangeSource"), "{message}");
}

#[tokio::test]
async fn equal_moments_are_looked_up_from_either_side() {
    let edge = Edge::new(OPEN).await;
    let place =
        |name: &str, position| LogPlace { source: key(name), at: BinlogCoordinates::binary("bin.000001", position) };
    let equivalence = Equivalence { one: place("db1.example", 10), other: place("db2.example", 20) };
    let command = Command::RecordEquivalence { equivalence };
    edge.services.consensus.submit(command, &Actor::system()).await.expect("accepted");
    let answer = edge.get("/api/master-equivalent/db2.example/3306/bin.000001/20").await;
    assert_eq!(answer.message("OK"), "Found 1 equivalent coordinates");
    let expected = json!([{
        "Key": {"Hostname": "db1.example", "Port": 3306},
        "Coordinates": {"LogFile": "bin.000001", "LogPos": 10, "Type": 0},
    }]);
    assert_eq!(answer.json()["Details"], expected);
    let none = edge.get("/api/master-equivalent/db2.example/3306/bin.000001/21").await;
    assert_eq!(none.json()["Details"], json!(null));
    let places = edge.get("/api/v2/servers/db2.example:3306/equivalent-places?at=bin.000001:20").await.ok();
    assert_eq!(places, expected);
    let bad = edge.get("/api/v2/servers/db2.example:3306/equivalent-places?at=x").await.error(400, "bad-input");
    assert!(bad.contains("expected file:position, got \"x\""), "{bad}");
    let wrong = edge.get("/api/master-equivalent/db2.example/3306/bin.000001/x").await.message("ERROR");
    assert!(wrong.contains("logPos: got \"x\""), "{wrong}");
    let message = edge.get("/api/move-equivalent/db3.example/3306/db1.example/3306").await.message("ERROR");
    assert!(message.starts_with("no-equivalence: "), "{message}");
    let message = edge.get("/api/regroup-slaves-bls/db1.example/3306").await.message("ERROR");
    assert!(message.starts_with("no-binlog-servers: "), "{message}");
}
