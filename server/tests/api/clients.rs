//! Every request that the original's shell client makes (`spec/api.md` 5), with what its filter makes of the answer: scripts of
//! `curl` and `jq` do the same. With and without authentication.

use axum::http::{Method, StatusCode};
use rstest::rstest;
use serde_json::Value;

use crate::support::{Answer, BASIC, CREDENTIALS, Edge, OPEN};

/// What a client takes from an answer.
#[derive(Debug, Clone, Copy)]
enum Takes {
    /// `.Details` as text or number.
    Details,
    /// One field of `.Details`.
    DetailsField(&'static str),
    /// `.Details`, a key.
    Key,
    /// `.Details[]`, keys.
    Keys,
    /// `.Details.Key`.
    Server,
    /// `.Details.Key` and `.Details.MasterKey`.
    Moved,
    /// `.Details[].Key`.
    Servers,
    /// `.[].Key`.
    List,
    /// `.[]`, keys.
    BareKeys,
    /// One field of a bare object.
    Field(&'static str),
    /// One field of each object of a bare list.
    Each(&'static str),
    /// `.Details[]`, pairs of key and value.
    Pairs,
    /// `.Details.SuccessorKey`.
    Successor,
    /// The whole body.
    Body,
    /// An error's message, of which this is a part.
    Error,
}

use Takes::{
    BareKeys, Body, Details, DetailsField, Each, Error, Field, Key, Keys, List, Moved, Pairs, Server, Servers,
    Successor,
};

fn key_text(key: &Value) -> String {
    format!("{}:{}", key["Hostname"].as_str().unwrap_or_default(), key["Port"])
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) if fields.contains_key("Hostname") => key_text(value),
        other => other.to_string(),
    }
}

fn each(list: &Value, part: impl Fn(&Value) -> String) -> String {
    list.as_array().into_iter().flatten().map(part).collect::<Vec<_>>().join(" ")
}

impl Takes {
    /// What the filter makes of an answer that is as it should be; otherwise what is wrong with it.
    fn from(self, answer: &Answer) -> Result<String, String> {
        let json = answer.json();
        let (status, code) = match self {
            Error => (StatusCode::INTERNAL_SERVER_ERROR, Some("ERROR")),
            Field(_) | Each(_) | List | BareKeys | Body => (StatusCode::OK, None),
            _ => (StatusCode::OK, Some("OK")),
        };
        let told = json.get("Code").and_then(Value::as_str);
        if answer.status != status || told != code {
            return Err(format!("{} {}", answer.status, answer.body));
        }
        let details = &json["Details"];
        Ok(match self {
            Details => plain(details),
            DetailsField(name) => plain(&details[name]),
            Key => key_text(details),
            Keys => each(details, key_text),
            Server => key_text(&details["Key"]),
            Moved => format!("{}<{}", key_text(&details["Key"]), key_text(&details["MasterKey"])),
            Servers => each(details, |server| key_text(&server["Key"])),
            Pairs => each(details, |pair| format!("{}:{}", plain(&pair["Key"]), plain(&pair["Value"]))),
            Successor => key_text(&details["SuccessorKey"]),
            List => each(&json, |server| key_text(&server["Key"])),
            BareKeys => each(&json, key_text),
            Field(name) => plain(&json[name]),
            Each(name) => each(&json, |entry| plain(&entry[name])),
            Body => answer.body.clone(),
            Error => plain(&json["Message"]),
        })
    }

    /// Texts are told apart by their beginning, errors by any part; the rest is compared as a whole.
    fn fits(self, taken: &str, expected: &str) -> bool {
        match self {
            Details | Pairs if !expected.is_empty() => taken.starts_with(expected),
            Error => taken.contains(expected),
            _ => taken == expected,
        }
    }
}

/// Reads, in the order of the client's commands. `.example:3306` is left out of what is expected.
const READS: &[(&str, Takes, &str)] = &[
    ("topology/orders", Details, "db1     [0s,ok"),
    ("topology/db4.example:3306", Details, "db1     [0s,ok"),
    ("topology-tabulated/orders", Details, "db1    |0s|ok|"),
    ("topology-tags/users", Details, "us1   [0s,ok"),
    ("clusters-info", Each("ClusterName"), "db1 us1"),
    ("clusters-info", Each("ClusterAlias"), "orders users"),
    ("search?s=us%0A", List, "us1 us2"),
    ("instance/db3.example/3306", Field("Key"), "db3"),
    ("instance/db3.example/3306", Field("MasterKey"), "db2"),
    ("instance/db3.example/3306", Field("GtidErrant"), ""),
    ("instance/db3.example/3306", Field("ReplicationSQLThreadState"), "1"),
    ("instance/db3.example/3306", Field("ReplicationIOThreadState"), "1"),
    ("instance/db3.example/3306", Field("ReplicationSQLThreadRuning"), "true"),
    ("instance/db3.example/3306", Field("LastSQLError"), ""),
    ("instance/nosuch/3306", Error, "nosuch"),
    ("instance-replicas/db2.example/3306", List, "db3 db4"),
    ("cluster/orders", List, "db1 db2 db3 db4 db5"),
    ("cluster/db4.example:3306", List, "db1 db2 db3 db4 db5"),
    ("cluster-info/orders", Field("ClusterName"), "db1"),
    ("cluster-info/db1.example:3306", Field("ClusterAlias"), "orders"),
    ("master/orders", Field("ClusterName"), "db1"),
    ("masters", List, "db1 us1"),
    ("masters", Each("DataCenter"), "dc1 dc1"),
    ("all-instances", List, "db1 us1 db2 db5 us2 db3 db4"),
    ("cluster-osc-replicas/orders", List, "db2 db5 db3 db4"),
    ("downtimed/", Body, "[]"),
    ("downtimed/orders", Body, "[]"),
    ("tags/db3.example/3306", Body, "[]"),
    ("tag-value/db3.example/3306?tag=role%0A", Error, "role"),
    ("tagged/?tag=role%0A", BareKeys, ""),
    ("heuristic-cluster-pool-instances/orders/", Servers, ""),
    ("heuristic-cluster-pool-instances/orders/web", Servers, ""),
    ("can-replicate-from/db3.example/3306/db5.example/3306", Key, "db5"),
    ("can-replicate-from-gtid/db3.example/3306/db5.example/3306", Key, "db5"),
    ("can-replicate-from/db3.example/3306/db3.example/3306", Error, "db3"),
    ("restart-replica-statements/db3.example/3306?q=select%201%0A", Details, r#"["stop replica io_thread;""#),
    (
        "restart-replica-statements/db3.example/3306",
        Details,
        r#"["stop replica io_thread;","stop replica sql_thread;","start"#,
    ),
    ("restart-replica-statements/db1.example/3306?q=select%201;;%0A", Details, r#"["select 1;"]"#),
    ("restart-replica-statements/db1.example/3306", Details, "null"),
    ("locate-gtid-errant/db3.example/3306", Error, "no errant"),
    ("check-global-recoveries", Details, "enabled"),
    ("replication-analysis", Details, "[]"),
    ("automated-recovery-filters", Details, "{"),
    ("raft-state", Error, "raft-state: not running with raft setup"),
    ("raft-leader", Error, "raft-leader: not running with raft setup"),
    ("raft-health", Error, "raft-state: not running with raft setup"),
    ("status", DetailsField("Hostname"), "node1"),
    ("leader-check", Body, r#""OK""#),
    ("routed-leader-check", Body, r#""OK""#),
];

/// Changes, each on a service of its own.
const CHANGES: &[(&str, Takes, &str)] = &[
    ("async-discover/127.0.0.1/1", Details, "null"),
    ("discover/127.0.0.1/1", Error, "127.0.0.1:1"),
    ("forget/db3.example/3306", Key, "db3"),
    ("forget-cluster/users", Details, "null"),
    ("snapshot-topologies", Details, "Took "),
    ("submit-masters-to-kv-stores/", Pairs, "mysql/master/orders:db1 mysql/master/orders/hostname:db1.example "),
    ("submit-masters-to-kv-stores/users", Pairs, "mysql/master/users:us1 mysql/master/users/hostname:us1.example "),
    ("relocate/db3.example/3306/db5.example/3306", Moved, "db3<db5"),
    ("relocate-replicas/db2.example/3306/db5.example/3306", Servers, "db3 db4"),
    ("move-up/db3.example/3306", Moved, "db3<db1"),
    ("move-below/db3.example/3306/db4.example/3306", Moved, "db3<db4"),
    ("move-up-replicas/db2.example/3306/", Servers, "db3 db4"),
    ("make-co-master/db2.example/3306", Moved, "db2<db1"),
    ("take-master/db3.example/3306", Moved, "db3<db1"),
    ("move-replicas-gtid/db2.example/3306/db5.example/3306", Key, "db5"),
    ("repoint/db3.example/3306/db2.example/3306", Moved, "db3<db2"),
    ("repoint-replicas/db2.example/3306/", Servers, "db3 db4"),
    ("take-siblings/db3.example/3306", Moved, "db3<db2"),
    ("tag/db3.example/3306?tag=role%3Ddb%0A", Key, "db3"),
    ("untag/db3.example/3306?tag=role", Keys, ""),
    ("untag-all?tag=role=db", Keys, ""),
    ("submit-pool-instances/web?instances=db3.example:3306,db4.example%0A", Details, "web"),
    ("begin-downtime/db3.example/3306/dba%0A/disk%20swap%0A/10m", Key, "db3"),
    ("end-downtime/db3.example/3306", Key, "db3"),
    ("begin-maintenance/db3.example/3306/dba%0A/disk%20swap%0A", Key, "db3"),
    ("end-maintenance/db3.example/3306", Key, "db3"),
    ("register-candidate/db3.example/3306/prefer", Key, "db3"),
    ("register-hostname-unresolve/db3.example/3306/vip3", Key, "db3"),
    ("deregister-hostname-unresolve/db3.example/3306", Key, "db3"),
    ("stop-replica/db3.example/3306", Server, "db3"),
    ("stop-replica-nice/db3.example/3306", Server, "db3"),
    ("start-replica/db3.example/3306", Server, "db3"),
    ("restart-replica/db3.example/3306", Server, "db3"),
    ("reset-replica/db3.example/3306", Server, "db3"),
    ("detach-replica/db3.example/3306", Server, "db3"),
    ("detach-replica-master-host/db3.example/3306", Server, "db3"),
    ("reattach-replica/db3.example/3306", Error, "detached"),
    ("reattach-replica-master-host/db3.example/3306", Error, "detached"),
    ("change-master-credentials/db3.example/3306", Error, "db3"),
    ("skip-query/db3.example/3306", Error, "db3"),
    ("gtid-errant-reset-master/db3.example/3306", Error, "errant"),
    ("gtid-errant-inject-empty/db3.example/3306", Error, "errant"),
    ("enable-semi-sync-master/db1.example/3306", Error, "semi"),
    ("disable-semi-sync-master/db1.example/3306", Error, "semi"),
    ("enable-semi-sync-replica/db3.example/3306", Error, "semi"),
    ("disable-semi-sync-replica/db3.example/3306", Error, "semi"),
    ("delay-replication/db3.example/3306/60", Details, "60"),
    ("set-read-only/db5.example/3306", Server, "db5"),
    ("set-writeable/db5.example/3306", Server, "db5"),
    ("flush-binary-logs/db1.example/3306", Server, "db1"),
    ("purge-binary-logs/db1.example/3306/binlog.000001", Server, "db1"),
    ("recover/db1.example/3306", Error, "db1"),
    ("graceful-master-takeover/users/us2.example/3306", Successor, "us2"),
    ("graceful-master-takeover-auto/users", Successor, "us2"),
    ("force-master-takeover/users/us2.example/3306", Successor, "us2"),
    ("ack-recovery/cluster/orders?comment=seen%0A", Details, "db1"),
    ("ack-all-recoveries?comment=seen%0A", Details, "seen"),
    ("disable-global-recoveries", Details, "disabled"),
    ("enable-global-recoveries", Details, "enabled"),
];

/// How a client is let in: by a service that lets in everybody, or by name and password.
fn ways_in() -> [(&'static str, &'static [(&'static str, &'static str)]); 2] {
    [(OPEN, &[]), (BASIC, &[CREDENTIALS])]
}

fn short(text: &str) -> String {
    text.replace(".example:3306", "")
}

fn taken(takes: Takes, answer: &Answer) -> String {
    takes.from(answer).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// What is wrong with the answer; `None` when it is what the client needs.
fn complaint(path: &str, takes: Takes, answer: &Answer, expected: &str) -> Option<String> {
    match takes.from(answer).map(|taken| short(&taken)) {
        Ok(taken) if takes.fits(&taken, expected) => None,
        Ok(taken) => Some(format!("{path}: expected {expected:?}, got {taken:?}")),
        Err(wrong) => Some(format!("{path}: {wrong}")),
    }
}

#[tokio::test]
async fn each_read_of_the_client_gets_its_answer() {
    let mut complaints = Vec::new();
    for (config, headers) in ways_in() {
        let edge = Edge::new(config).await;
        for (path, takes, expected) in READS {
            let answer = edge.send(Method::GET, &format!("/api/{path}"), headers, "").await;
            complaints.extend(complaint(path, *takes, &answer, expected));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[tokio::test]
async fn each_change_of_the_client_gets_its_answer() {
    let mut complaints = Vec::new();
    for (config, headers) in ways_in() {
        for (path, takes, expected) in CHANGES {
            let edge = Edge::new(config).await;
            let answer = edge.send(Method::GET, &format!("/api/{path}"), headers, "").await;
            complaints.extend(complaint(path, *takes, &answer, expected));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[rstest]
#[case::no_such_endpoint("move-gtid/db3.example/3306/db5.example/3306")]
#[case::an_instance_is_set_in_the_environment("tagged/db3.example/3306?tag=role")]
#[tokio::test]
async fn what_has_no_endpoint_in_the_original_has_none_here(#[case] path: &str) {
    let edge = Edge::new(OPEN).await;
    assert_eq!(edge.get(&format!("/api/{path}")).await.status, StatusCode::NOT_FOUND);
}

/// Before each call the client asks for the head of the base address, and gives up at 401 only.
#[tokio::test]
async fn the_clients_look_at_the_door_tells_who_may_come_in() {
    for (config, headers, refused) in [(OPEN, &[][..], false), (BASIC, &[CREDENTIALS], false), (BASIC, &[], true)] {
        let edge = Edge::new(config).await;
        for address in ["/api", "/api/"] {
            let answer = edge.send(Method::HEAD, address, headers, "").await;
            assert_eq!(answer.status == StatusCode::UNAUTHORIZED, refused, "{address}: {}", answer.status);
        }
        for path in ["leader-check", "routed-leader-check"] {
            let answer = edge.send(Method::GET, &format!("/api/{path}"), headers, "").await;
            assert_eq!(answer.status == StatusCode::OK, !refused, "{path}");
        }
    }
}

/// What was set is read back in each form of a tag expression, by every path.
#[tokio::test]
async fn tags_are_found_by_every_form_of_expression() {
    let edge = Edge::new(OPEN).await;
    for path in [
        "tag/db3.example/3306?tag=role%3Dweb%0A",
        "tag/db4.example/3306/role/db",
        "tag/db4.example/3306?tag=old",
        "tag/db5.example/3306?tag=old%3D",
        "tag/db5.example/3306?tag=%C3%BCnicode%3D%C3%A9",
    ] {
        edge.get(&format!("/api/{path}")).await.message("OK");
    }
    for (expression, expected) in [
        ("role", "db3 db4"),
        ("role%0A", "db3 db4"),
        ("role%3Ddb", "db4"),
        ("role%3D", ""),
        ("old%3D", "db4 db5"),
        ("~role", "db5"),
        ("!role", "db5"),
        ("~role%3Ddb", "db3"),
        ("role,old", "db4"),
        ("role,~old", "db3"),
        ("old,~role%3Ddb", ""),
        ("%C3%BCnicode%3D%C3%A9", "db5"),
    ] {
        let answer = edge.get(&format!("/api/tagged?tag={expression}")).await;
        assert_eq!(short(&taken(BareKeys, &answer)), expected, "{expression}");
    }
    assert_eq!(edge.get("/api/tags/db4.example/3306").await.body, r#"["old=","role=db"]"#);
    assert_eq!(edge.get("/api/tag-value/db4.example/3306?tag=role").await.body, r#""db""#);
    assert_eq!(edge.get("/api/tag-value/db4.example/3306/old").await.body, r#""""#);
    let tree = edge.get("/api/topology-tags/orders").await.ok();
    let tree = tree["Details"].as_str().expect("text").to_owned();
    assert!(tree.contains("db4.example:3306") && tree.contains(" [old,role=db]"), "{tree}");
    for (path, expected) in [
        ("untag/db4.example/3306?tag=role%3Dweb", ""),
        ("untag/db4.example/3306/role", "db4"),
        ("untag-all?tag=old%3D", "db4 db5"),
        ("untag-all/role/web", "db3"),
    ] {
        let answer = edge.get(&format!("/api/{path}")).await;
        assert_eq!(short(&taken(Keys, &answer)), expected, "{path}");
    }
    for bad in ["", "=x", "~~x", "a~b", "role,,old", "~"] {
        let answer = edge.get(&format!("/api/tagged?tag={bad}")).await;
        assert!(taken(Error, &answer).contains("cannot parse tag"), "{bad}: {}", answer.body);
    }
}

/// Pools, as `submit-pool-instances` of the client fills them.
#[tokio::test]
async fn pools_are_filled_shown_and_emptied() {
    let edge = Edge::new(OPEN).await;
    let submit = "/api/submit-pool-instances/web?instances=db3.example:3306,%20db4.example,us2.example%0A";
    assert_eq!(edge.get(submit).await.ok()["Details"], "web");
    let pools = edge.get("/api/cluster-pool-instances/db1.example:3306").await.ok();
    assert_eq!(short(&each(&pools["Details"]["web"], key_text)), "db3 db4");
    assert_eq!(edge.get("/api/cluster-pool-instances/orders").await.ok()["Details"].to_string(), "{}", "by name only");
    for path in ["orders", "orders/", "orders/web", "db2.example:3306/web"] {
        let answer = edge.get(&format!("/api/heuristic-cluster-pool-instances/{path}")).await;
        assert_eq!(short(&taken(Servers, &answer)), "db3 db4", "{path}");
    }
    assert_eq!(taken(Details, &edge.get("/api/heuristic-cluster-pool-lag/orders").await), "0");
    assert_eq!(taken(Details, &edge.get("/api/heuristic-cluster-pool-lag/orders/web").await), "0");
    taken(Error, &edge.get("/api/heuristic-cluster-pool-lag/orders/nosuch").await);
    assert_eq!(edge.get("/api/submit-pool-instances/web?instances=").await.ok()["Details"], "web");
    assert_eq!(edge.get("/api/cluster-pool-instances/db1.example:3306").await.ok()["Details"].to_string(), "{}");
}
