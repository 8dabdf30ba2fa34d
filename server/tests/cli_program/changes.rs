//! Commands that change what is recorded: they say whom they changed, and the backend has it when they have ended.

use app::topology::PromotionRule;
use chrono::{TimeDelta, Utc};

use crate::support::{Desk, actor, key};

#[tokio::test]
async fn a_downtime_is_on_record_when_the_command_has_ended() {
    let desk = Desk::new().await;
    let said =
        desk.run(&["-c", "begin-downtime", "-i", "db2", "-reason", "new disk", "-duration", "2h", "-owner", "eve"]);
    assert_eq!((said.out.as_str(), said.err.as_str(), said.code), ("db2.example:3306\n", "", 0));
    let world = desk.world().await;
    let downtime = &world.annotations.downtime[&key("db2.example")];
    assert_eq!((downtime.owner.as_str(), downtime.reason.as_str()), ("eve", "new disk"));
    let left = downtime.end - Utc::now();
    assert!(left > TimeDelta::minutes(110) && left <= TimeDelta::hours(2), "{left}");
    assert_eq!(world.audit[0], ("begin-downtime".to_owned(), key("db2.example"), actor().name));

    let said = desk.line("-c end-downtime -i db2.example:3306");
    assert_eq!((said.out.as_str(), said.code), ("db2.example:3306\n", 0));
    assert!(!desk.world().await.annotations.downtime.contains_key(&key("db2.example")));
    // Without one there is nothing to end, and that is no error.
    assert_eq!(desk.line("-c end-downtime -i db2").out, "db2.example:3306\n");
}

#[tokio::test]
async fn without_owner_and_duration_it_is_the_user_and_ten_minutes() {
    let desk = Desk::new().await;
    let said = desk.run(&["-c", "begin-downtime", "-i", "db2, db3", "-reason", "r"]);
    assert_eq!(said.out, "db2.example:3306\ndb3.example:3306\n", "{}", said.err);
    let world = desk.world().await;
    for name in ["db2.example", "db3.example"] {
        let downtime = &world.annotations.downtime[&key(name)];
        assert_eq!(format!("cli:{}", downtime.owner), actor().name);
        let left = downtime.end - Utc::now();
        assert!(left > TimeDelta::minutes(8) && left <= TimeDelta::minutes(10), "{left}");
    }
}

#[tokio::test]
async fn maintenance_holds_a_server_until_it_ends() {
    let desk = Desk::new().await;
    let said = desk.run(&["-c", "begin-maintenance", "-i", "db2", "-reason", "new disk", "-duration", "1h"]);
    assert_eq!((said.out.as_str(), said.err.as_str(), said.code), ("db2.example:3306\n", "", 0));
    let world = desk.world().await;
    let maintenance = &world.annotations.maintenance[&key("db2.example")];
    assert_eq!(maintenance.reason, "new disk");
    assert_eq!(world.audit[0], ("begin-maintenance".to_owned(), key("db2.example"), actor().name));
    assert_eq!(desk.line("-c in-maintenance -i db2").out, "db2.example:3306\n");
    assert_eq!(desk.line("-c end-maintenance -i db2").out, "db2.example:3306\n");
    assert_eq!(desk.line("-c in-maintenance -i db2").out, "");
    // Without one there is nothing to end, and that is no error.
    assert_eq!(desk.line("-c end-maintenance -i db2").code, 0);
}

#[tokio::test]
async fn a_pool_has_the_members_handed_in_last() {
    let desk = Desk::new().await;
    for (line, expected) in [
        ("submit-pool-instances -pool reads -i db2.example,db4", ""),
        ("submit-pool-instances -pool backup -i db4.example:3306", ""),
        ("submit-pool-instances -pool reads -i db3,us2", ""),
        (
            "cluster-pool-instances",
            "db1.example:3306\torders\tbackup\tdb4.example:3306\n\
             db1.example:3306\torders\treads\tdb3.example:3306\n\
             us1.example:3306\tus1.example:3306\treads\tus2.example:3306\n",
        ),
        ("which-heuristic-cluster-pool-instances -alias orders", "db3.example:3306\ndb4.example:3306\n"),
        ("which-heuristic-cluster-pool-instances -alias orders -pool reads", "db3.example:3306\n"),
        ("submit-pool-instances -pool reads", ""),
        ("which-heuristic-cluster-pool-instances -alias orders -pool reads", ""),
    ] {
        let said = desk.line(&format!("-c {line}"));
        assert_eq!((said.out.as_str(), said.err.as_str(), said.code), (expected, "", 0), "{line}");
    }
}

#[tokio::test]
async fn a_forgotten_server_is_gone() {
    let desk = Desk::new().await;
    let before = desk.world().await;
    assert_eq!(desk.line("-c forget -i db4.example").out, "db4.example:3306\n");
    let after = desk.world().await;
    assert_eq!(after.instances.len(), before.instances.len() - 1);
    assert!(after.instances.iter().all(|i| i.key != key("db4.example")));
    assert_eq!(after.audit[0].0, "forget");
    assert_eq!(desk.line("-c which-replicas -i db2").out, "db3.example:3306\n");
}

#[tokio::test]
async fn candidates_tags_and_names_are_on_record() {
    let desk = Desk::new().await;
    for (line, expected) in [
        ("register-candidate -i db2 -promotion-rule prefer_not", "db2.example:3306\n"),
        ("register-candidate -i db3", "db3.example:3306\n"),
        ("tag -i db3 -tag role=online", "db3.example:3306\n"),
        ("tag -i db3 -tag fast", "db3.example:3306\n"),
        ("tagged -tag role", "db3.example:3306\ndb4.example:3306\n"),
        ("untag -i db3 -tag role=backup", ""),
        ("untag -i db3 -tag role", "db3.example:3306\n"),
        ("untag-all -tag role=backup", "db4.example:3306\n"),
        ("register-hostname-unresolve -i us1 -hostname us-vip", "us1.example:3306\n"),
        ("deregister-hostname-unresolve -i db1.example", "db1.example:3306\n"),
        ("show-unresolve-hosts", "us1.example us-vip\n"),
        ("bulk-promotion-rules", "db2.example:3306 prefer_not\ndb3.example:3306 prefer\n"),
    ] {
        let said = desk.line(&format!("-c {line}"));
        assert_eq!((said.out.as_str(), said.err.as_str(), said.code), (expected, "", 0), "{line}");
    }
    let annotations = desk.world().await.annotations;
    assert_eq!(annotations.candidates[&key("db2.example")].rule, PromotionRule::PreferNot);
    let tags: Vec<&String> = annotations.tags[&key("db3.example")].keys().collect();
    assert_eq!(tags, ["fast"]);
    let tags: Vec<&String> = annotations.tags[&key("db4.example")].keys().collect();
    assert_eq!(tags, ["old"]);
}

#[tokio::test]
async fn the_global_switch_is_for_all() {
    let desk = Desk::new().await;
    assert_eq!(desk.line("-c disable-global-recoveries").out, "OK: Orchestrator recoveries DISABLED globally\n");
    assert!(desk.world().await.disabled);
    assert_eq!(desk.line("-c check-global-recoveries").out, "OK: Global recoveries disabled: true\n");
    assert_eq!(desk.line("-c enable-global-recoveries").out, "OK: Orchestrator recoveries ENABLED globally\n");
    assert!(!desk.world().await.disabled);
}

#[tokio::test]
async fn what_was_never_recovered_is_acknowledged_as_none() {
    let desk = Desk::new().await;
    for command in ["ack-all-recoveries", "ack-cluster-recoveries -alias orders", "ack-instance-recoveries -i db2"] {
        let said = desk.line(&format!("-reason seen -c {command}"));
        assert_eq!((said.out.as_str(), said.code), ("0 recoveries acknowledged\n", 0), "{command}: {}", said.err);
    }
}

#[tokio::test]
async fn meta_commands_work_on_the_backend() {
    let desk = Desk::new().await;
    for (line, expected) in [
        ("redeploy-internal-db", "Redeployed internal db\n"),
        ("snapshot-topologies", ""),
        ("reset-hostname-resolve-cache", "hostname resolve cache cleared\n"),
        ("show-resolve-hosts", ""),
    ] {
        let said = desk.line(&format!("-c {line}"));
        assert_eq!((said.out.as_str(), said.code), (expected, 0), "{line}: {}", said.err);
    }
    assert_eq!(desk.line("-c clusters").out, "db1.example:3306\nus1.example:3306\n");
}

#[tokio::test]
async fn an_access_token_is_made_for_its_owner_and_only_its_public_half_is_told() {
    let desk = Desk::new().await;
    desk.configure(&serde_json::json!({"AuthenticationMethod": "token"}));
    let said = desk.run(&["-c", "access-token", "-owner", "carol"]);
    assert_eq!((said.err.as_str(), said.code), ("", 0));
    let public = said.out.trim_end();
    assert!(public.len() == 64 && public.bytes().all(|b| b.is_ascii_hexdigit()), "{public}");
    let token = desk.store().await.access_token(public).await.expect("a backend").expect("a row");
    assert_eq!((token.generated_by.as_str(), token.is_acquired, token.is_reentrant), ("carol", false, false));
    assert!(token.secret_token.len() == 64 && token.secret_token != token.public_token);
    assert!(token.generated_at.is_some_and(|at| Utc::now() - at < TimeDelta::minutes(1)));
    let (kind, _, by) = desk.world().await.audit.remove(0);
    assert_eq!((kind.as_str(), by), ("access-token", actor().name));

    let said = desk.line("-c access-token -verbose");
    assert!(!said.err.contains("AuthenticationMethod"), "{}", said.err);
    desk.configure(&serde_json::json!({}));
    let said = desk.line("-c access-token -verbose");
    assert_eq!(said.code, 0);
    assert!(said.err.contains("take no access tokens"), "{}", said.err);
    let said = desk.line("-c access-token -noop");
    assert_eq!((said.out.as_str(), said.code), ("", 1));
}

#[tokio::test]
async fn the_writer_of_a_domain_is_on_record() {
    let desk = Desk::new().await;
    let said = desk.line("-c set-heuristic-domain-instance -alias orders");
    assert_eq!((said.out.as_str(), said.err.as_str(), said.code), ("db1.example:3306\n", "", 0));
    assert_eq!(desk.line("-c which-heuristic-domain-instance -i db4").out, "db1.example:3306\n");
    let world = desk.world().await;
    assert_eq!(world.audit[0], ("set-heuristic-domain-instance".to_owned(), key("db1.example"), actor().name));
    assert_eq!(
        desk.store().await.host_attribute("*", "orders.example").await.expect("read").as_deref(),
        Some("db1.example:3306")
    );
}

#[tokio::test]
async fn a_stored_topology_is_drawn_as_it_was() {
    let desk = Desk::new().await;
    assert_eq!(desk.line("-c snapshot-topologies").code, 0);
    assert_eq!(desk.line("-c forget -i db4.example").code, 0);
    let then = "\
db1.example:3306
- db2.example:3306
  - db3.example:3306
  - db4.example:3306
- db5.example:3306
";
    for line in ["topology -alias orders", "topology -i db3", "topology-tabulated -alias db1.example:3306"] {
        let said = desk.line(&format!("-c {line} -pattern ^[0-9]+$"));
        assert_eq!((said.out.as_str(), said.err.as_str(), said.code), (then, "", 0), "{line}");
    }
    assert!(!desk.line("-c topology -alias orders").out.contains("db4"));
    let said = desk.line("-c topology -alias orders -pattern ^9$");
    assert!(said.err.contains("no stored topology") && said.err.contains("the newest of 1 is "), "{}", said.err);
}
