//! Commands that tell what is known: standard output to the byte, nothing changed, no server asked.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::support::Desk;

const TOPOLOGY: &str = "\
db1.example:3306     [0s,ok,8.4.3,rw,ROW,>>,GTID]
+ db2.example:3306   [0s,ok,8.4.3,ro,ROW,>>,GTID]
  + db3.example:3306 [0s,ok,8.4.3,ro,ROW,>>,GTID]
  + db4.example:3306 [0s,ok,8.4.3,ro,ROW,>>,GTID]
- db5.example:3306   [null,nonreplicating,8.4.3,ro,ROW,>>,GTID,downtimed]
";

const TABULATED: &str = "\
db1.example:3306    |  0s|ok            |8.4.3|rw|ROW|>>,GTID          
+ db2.example:3306  |  0s|ok            |8.4.3|ro|ROW|>>,GTID          
  + db3.example:3306|  0s|ok            |8.4.3|ro|ROW|>>,GTID          
  + db4.example:3306|  0s|ok            |8.4.3|ro|ROW|>>,GTID          
- db5.example:3306  |null|nonreplicating|8.4.3|ro|ROW|>>,GTID,downtimed
";

const TAGS: &str = "\
us1.example:3306   [0s,ok,8.4.3,rw,ROW,>>,GTID] []
+ us2.example:3306 [0s,ok,8.4.3,ro,ROW,>>,GTID,downtimed] []
";

const EVERYTHING: &str = "\
db1.example:3306
us1.example:3306
db2.example:3306
db5.example:3306
us2.example:3306
db3.example:3306
db4.example:3306
";

const READS: &[(&str, &str)] = &[
    ("all-instances", EVERYTHING),
    ("find -pattern example", EVERYTHING),
    ("find -pattern ^db[34]", "db3.example:3306\ndb4.example:3306\n"),
    ("find -pattern nothing", ""),
    ("search -pattern DB4", "db4.example:3306\n"),
    ("search -pattern 12", "us2.example:3306\n"),
    (
        "search -pattern db1.example:3306",
        "db1.example:3306\ndb2.example:3306\ndb5.example:3306\ndb3.example:3306\ndb4.example:3306\n",
    ),
    ("clusters", "db1.example:3306\nus1.example:3306\n"),
    ("clusters-alias", "db1.example:3306\torders\nus1.example:3306\tus1.example:3306\n"),
    ("all-clusters-masters", "db1.example:3306\nus1.example:3306\n"),
    ("topology -alias orders", TOPOLOGY),
    ("topology -alias db1.example:3306", TOPOLOGY),
    ("topology -i db3", TOPOLOGY),
    ("topolo -i db3.example:3306", TOPOLOGY),
    ("topology -alias nothing -i db3", TOPOLOGY),
    ("topology-tabulated -i db1.example", TABULATED),
    ("topology-tags -i us1", TAGS),
    ("which-instance -i b4.exam", "db4.example:3306\n"),
    ("which-cluster -i db4", "db1.example:3306\n"),
    ("which-cluster-alias -i db4", "orders\n"),
    ("which-cluster-domain -i db4", "orders.example\n"),
    ("which-cluster-domain -i us1", "\n"),
    ("which-cluster-master -i db4", "db1.example:3306\n"),
    ("which-cluster-master -alias orders", "db1.example:3306\n"),
    ("which-cluster-instances -i us2", "us1.example:3306\nus2.example:3306\n"),
    (
        "which-cluster-osc-replicas -alias orders",
        "db2.example:3306\ndb5.example:3306\ndb3.example:3306\ndb4.example:3306\n",
    ),
    ("which-cluster-gh-ost-replicas -i us1", "us2.example:3306\n"),
    ("get-cluster-heuristic-lag -i us1", "0\n"),
    ("which-master -i db3", "db2.example:3306\n"),
    ("which-master -i db1", ""),
    ("which-replicas -i db2", "db3.example:3306\ndb4.example:3306\n"),
    ("which-slaves -i db2,us1", "db3.example:3306\ndb4.example:3306\nus2.example:3306\n"),
    ("which-replicas -i db3", ""),
    ("which-downtimed-instances", "db5.example:3306\nus2.example:3306\n"),
    ("which-downtimed-instances -alias orders", "db5.example:3306\n"),
    ("which-lost-in-recovery", "us2.example:3306\n"),
    ("instance-status -i db2", "[0s,ok,8.4.3,ro,ROW,>>,GTID]\n"),
    ("can-replicate-from -i db4 -d db3", "db3.example:3306\n"),
    ("can-replicate-from -i db4 -s db4", ""),
    ("is-replicating -i db2", "db2.example:3306\n"),
    ("is-replicating -i db5", ""),
    ("is-replicating -i db1", ""),
    ("is-replication-stopped -i db5", "db5.example:3306\n"),
    ("is-replication-stopped -i db1", ""),
    ("tags -i db4", "old=\nrole=backup\n"),
    ("tags -i db3", ""),
    ("tag-value -i db4 -tag role", "backup\n"),
    ("tag-value -i db4 -tag old", "\n"),
    ("tag-value -i db4 -tag nothing", ""),
    ("tagged -tag role,old=", "db4.example:3306\n"),
    ("tagged -tag role,~old", ""),
    ("in-maintenance -i db3", "db3.example:3306\n"),
    ("in-maintenance -i db4", ""),
    ("replication-analysis", ""),
    ("check-global-recoveries", "OK: Global recoveries disabled: false\n"),
    ("show-unresolve-hosts", "db1.example db-vip\n"),
    (
        "bulk-instances",
        "db1.example:3306\ndb2.example:3306\ndb3.example:3306\ndb4.example:3306\ndb5.example:3306\nus1.example:3306\nus2.example:3306\n",
    ),
    ("bulk-promotion-rules", ""),
    ("which-heuristic-domain-instance -alias orders", "\n"),
    ("internal-suggest-promoted-replacement -i db1 -d db5", "db2.example:3306\n"),
    ("internal-suggest-promoted-replacement -i db3 -d db5", "db5.example:3306\n"),
    ("active-nodes", ""),
];

#[tokio::test]
async fn reads_print_what_is_known_and_change_nothing() {
    let desk = Desk::new().await;
    let before = desk.world().await;
    for (line, expected) in READS {
        let said = desk.line(&format!("-c {line}"));
        assert_eq!((said.out.as_str(), said.err.as_str(), said.code), (*expected, "", 0), "{line}");
    }
    assert_eq!(desk.world().await, before);
}

#[tokio::test]
async fn readiness_is_told_as_text_and_as_json() {
    let desk = Desk::new().await;
    let before = desk.world().await;
    let said = desk.line("-c cluster-readiness -alias orders");
    assert_eq!((said.err.as_str(), said.code), ("", 0));
    for expected in [
        "Cluster orders (db1.example:3306) at ",
        "db1.example:3306 (primary), if it died now: held back\n  db2.example:3306 would be promoted, but not by itself: ",
        "    not-opted-in: the cluster matches no entry of RecoverMasterClusterFilters\n",
        "    + db2.example:3306 (best): ",
        "db2.example:3306 (intermediate source), if it died now: held back\n",
        "\nNothing happened lately\n",
    ] {
        assert!(said.out.contains(expected), "{expected:?} in {}", said.out);
    }
    assert!(!said.out.contains("just-started"), "a command has no start to hold off after: {}", said.out);
    let said = desk.line("-c cluster-readiness -i db4 -json");
    let told: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(told["forecasts"][0]["successor"]["Hostname"], "db2.example");
    assert_eq!(desk.world().await, before);
}

#[tokio::test]
async fn with_nothing_known_there_is_nothing_to_tell() {
    let desk = Desk::empty();
    for (line, expected) in [("clusters", "\n"), ("clusters-alias", ""), ("all-instances", ""), ("bulk-instances", "")]
    {
        let said = desk.line(&format!("-c {line}"));
        assert_eq!((said.out.as_str(), said.code), (expected, 0), "{line}: {}", said.err);
    }
    // Nothing is given, and this machine is not known: the original's answer is an empty one.
    for line in ["topology", "topology-tabulated", "which-cluster"] {
        let said = desk.line(&format!("-c {line}"));
        assert_eq!((said.out.as_str(), said.code), ("\n", 0), "{line}: {}", said.err);
        assert!(said.err.contains(" ERROR Unable to determine cluster: "), "{}", said.err);
    }
}

#[tokio::test]
async fn one_cluster_need_not_be_named() {
    let desk = Desk::new().await;
    for name in ["us1.example", "us2.example"] {
        assert_eq!(desk.line(&format!("-c forget -i {name}")).code, 0);
    }
    assert_eq!(desk.line("-c which-cluster-alias").out, "orders\n");
}

#[tokio::test]
async fn a_fleet_that_nobody_looked_at_for_an_hour_is_told_as_such() {
    let desk = Desk::new().await;
    let store = desk.store().await;
    let mut aged = store.load_instances().await.expect("read");
    for instance in aged.iter_mut().map(Arc::make_mut) {
        let before = |at: &mut Option<DateTime<Utc>>| *at = at.map(|at| at - TimeDelta::hours(1));
        before(&mut instance.check.last_checked);
        before(&mut instance.check.last_attempted);
        before(&mut instance.check.last_seen);
    }
    store.write_instances(&aged).await.expect("written");
    store.close().await;
    let said = desk.line("-c topology -i us1");
    assert_eq!(
        said.out,
        "us1.example:3306   [unknown,unchecked,8.4.3,rw,ROW,>>,GTID]\n\
         - us2.example:3306 [unknown,unchecked,8.4.3,ro,ROW,>>,GTID,downtimed]\n"
    );
}

#[tokio::test]
async fn a_cluster_without_replicas_has_no_lag() {
    let desk = Desk::new().await;
    assert_eq!(desk.line("-c forget -i us2.example").code, 0);
    let said = desk.line("-c get-cluster-heuristic-lag -i us1");
    assert_eq!((said.out.as_str(), said.code), ("", 1));
    assert!(said.err.contains(" FATAL No instances found for cluster \"us1.example:3306\""), "{}", said.err);
}
