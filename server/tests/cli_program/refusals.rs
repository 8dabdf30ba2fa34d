//! Bad input to each command: a FATAL line that names what was given and what was expected, exit code 1, nothing changed.

use std::collections::BTreeSet;

use orchestrator::cli::names::{Meaning, meaning};
use orchestrator::cli::table;

use crate::support::Desk;

/// Words after `-c`, and what the FATAL line must have in it.
const BAD: &[(&[&str], &[&str])] = &[
    (&["frobnicate"], &["Unknown command: \"frobnicate\"", "Available commands (-c):"]),
    (&["topology-ta", "-i", "db1"], &["Unknown command: \"topology-ta\"", "topology-tags, topology-tabulated"]),
    // Servers
    (&["which-instance", "-i", "x:y"], &["expected a number from 1 to 65535", "\"y\""]),
    (&["which-instance", "-i", "db1:0"], &["expected a number from 1 to 65535", "\"0\""]),
    (&["which-instance", "-i", ":3306"], &["expected host", "\":3306\""]),
    (&["which-instance", "-i", "nobody"], &["Instance not found: nobody:3306", "expected a known one"]),
    (&["which-instance"], &["Instance not found: ", "expected -i host[:port]"]),
    (&["which-master", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["which-replicas", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["instance-status", "-i", "db1:3307"], &["Instance not found: db1:3307"]),
    (&["is-replicating", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["is-replication-stopped", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["in-maintenance", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["can-replicate-from", "-i", "db2"], &["Cannot deduce destination", "expected -d host[:port]"]),
    (&["can-replicate-from", "-i", "db2", "-d", "nobody"], &["Instance not found: nobody:3306", "-d"]),
    (&["can-replicate-from", "-i", "db2", "-d", "x:y"], &["\"y\""]),
    // Users and tokens
    (&["create-user"], &["-user"]),
    (&["create-user", "-user", "ann", "-role", "queen"], &["queen"]),
    (&["set-password"], &["-user"]),
    (&["delete-user", "-user", "nobody"], &["nobody"]),
    (&["create-token"], &["-name"]),
    (&["create-token", "-name", "ci", "-role", "queen"], &["queen"]),
    (&["revoke-token", "-name", "nothing"], &["nothing"]),
    // Clusters
    (&["topology", "-i", "nobody"], &["nothing known is called \"nobody\""]),
    (&["topology", "-alias", "nothing"], &["nothing known is called \"nothing\"", "clusters-alias"]),
    (&["cluster-readiness", "-alias", "nothing"], &["nothing known is called \"nothing\""]),
    (&["clusters", "-json"], &["-json: clusters prints no JSON", "cluster-readiness"]),
    (&["topology-tabulated", "-alias", "nothing"], &["nothing known is called \"nothing\""]),
    (&["topology-tags", "-i", "nobody"], &["nothing known is called \"nobody\""]),
    (&["topology", "-i", "db1", "-pattern", "1"], &["no stored topology", "-pattern \"1\"", "none is stored"]),
    (&["topology-tabulated", "-i", "db1", "-pattern", "("], &["cannot parse -pattern \"(\""]),
    (&["topology-tags", "-i", "db1", "-pattern", "1"], &["topology-tags takes no -pattern"]),
    (&["which-heuristic-domain-instance", "-i", "us1"], &["No domain name found for cluster us1.example:3306"]),
    (&["set-heuristic-domain-instance", "-alias", "nothing"], &["nothing known is called \"nothing\""]),
    (&["set-heuristic-domain-instance", "-i", "us1.example"], &["No domain name found for cluster us1.example:3306"]),
    (&["internal-suggest-promoted-replacement", "-i", "db1"], &["Cannot deduce destination"]),
    (&["internal-suggest-promoted-replacement", "-i", "nobody", "-d", "db2"], &["Instance not found: nobody:3306"]),
    (&["custom-command", "-pattern", "x"], &["expected -hostname NAME"]),
    (&["custom-command", "-hostname", "h", "-pattern", "x"], &["no agent is registered for h"]),
    (&["sql", "-i", "db1"], &["no statement is given", "SHOW PROCESSLIST"]),
    (&["sql", "-i", " SHOW PROCESSLIST"], &["no statement is given"]),
    (&["sql", "-i", "db1", "DELETE FROM app.writes"], &["begins with DELETE", "expected SELECT"]),
    (&["sql", "-i", "db1", "-statement", "SELECT 1; SELECT 2"], &["expected one statement"]),
    (&["sql", "-i", "db1", "SELECT", "1"], &["in several words", "\"SELECT\"", "in quotes"]),
    (&["sql", "-i", "nobody", "SELECT 1"], &["Instance not found: nobody:3306"]),
    (&["sql", "-i", "db1", "-duration", "soon", "SELECT 1"], &["cannot parse duration", "\"soon\""]),
    (&["doctor", "-i", "x:y"], &["\"y\""]),
    (&["completions"], &["expected -c completions SHELL", "bash, zsh, fish"]),
    (&["completions", "tcsh"], &["\"tcsh\"", "bash, zsh, fish"]),
    (&["which-cluster", "-i", "nobody"], &["nothing known is called \"nobody\""]),
    (&["which-cluster-alias", "-alias", "nothing"], &["nothing known is called \"nothing\""]),
    (&["which-cluster-alias"], &["Unable to determine cluster", "-alias or -i"]),
    (&["which-cluster-domain", "-i", "nobody"], &["nothing known is called \"nobody\""]),
    (&["which-cluster-master"], &["No master found"]),
    (&["which-cluster-instances", "-i", "nobody"], &["nobody"]),
    (&["which-cluster-osc-replicas", "-i", "nobody"], &["nothing known is called \"nobody\""]),
    (&["which-cluster-gh-ost-replicas", "-i", "nobody"], &["nothing known is called \"nobody\""]),
    (&["get-cluster-heuristic-lag", "-i", "nobody"], &["nothing known is called \"nobody\""]),
    (&["which-downtimed-instances", "-alias", "nothing"], &["nothing known is called \"nothing\""]),
    // Texts
    (&["find"], &["No pattern given: expected -pattern"]),
    (&["find", "-pattern", "("], &["cannot parse -pattern \"(\""]),
    (&["search"], &["No pattern given: expected -pattern"]),
    (&["tag-value", "-i", "db4"], &["cannot parse tag: expected name", "got \"\""]),
    (&["tagged"], &["cannot parse tag: expected name"]),
    (&["tagged", "-tag", "a,,b"], &["cannot parse tag: ", "got \"\""]),
    (&["tags", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["tag", "-i", "db4"], &["cannot parse tag: expected name"]),
    (&["tag", "-i", "db4", "-tag", "~x"], &["cannot be negated: \"~x\""]),
    (&["tag", "-i", "nobody", "-tag", "x"], &["Instance not found: nobody:3306"]),
    (&["untag", "-i", "db4", "-tag", "=x"], &["cannot parse tag: ", "got \"=x\""]),
    (&["untag-all", "-tag", "role"], &["untag-all needs a value: expected -tag role=VALUE"]),
    // Changes
    (&["forget"], &["expected -i host[:port], which is not given"]),
    (&["forget", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["forget", "-i", "b4.exam"], &["Instance not found: b4.exam:3306"]),
    (&["discover", "-i", "db1:x"], &["\"x\""]),
    (&["discover", "-i", "127.0.0.1:1"], &["127.0.0.1:1"]),
    (&["discover", "-i", "//db1"], &["//db1:3306 is no address of a server"]),
    (&["begin-downtime", "-i", "db2"], &["expected -reason TEXT"]),
    (&["begin-downtime", "-i", "db2", "-reason", " "], &["expected -reason TEXT"]),
    (&["begin-downtime", "-i", "nobody", "-reason", "r"], &["Instance not found: nobody:3306"]),
    (&["begin-downtime", "-reason", "r"], &["Instance not found: ", "expected -i host[:port]"]),
    (&["begin-downtime", "-i", "db2", "-reason", "r", "-duration", "5x"], &["cannot parse duration: ", "got \"5x\""]),
    (&["begin-downtime", "-i", "db2", "-reason", "r", "-duration", "99999999999w"], &["99999999999w"]),
    (&["end-downtime", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["register-candidate", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["register-candidate", "-i", "db2", "-promotion-rule", "must"], &["-promotion-rule", "must"]),
    (&["register-hostname-unresolve", "-i", "nobody", "-hostname", "vip"], &["Instance not found: nobody:3306"]),
    (&["deregister-hostname-unresolve", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["resolve"], &["expected -i host[:port], which is not given"]),
    (&["resolve", "-i", "127.0.0.1:1"], &["cannot connect to 127.0.0.1:1: "]),
    // Operations
    (&["relocate", "-i", "db3"], &["Cannot deduce destination"]),
    (&["relocate", "-d", "db3"], &["Instance not found: ", "expected -i host[:port]"]),
    (&["relocate", "-i", "nobody", "-d", "db1"], &["Instance not found: nobody:3306"]),
    (&["relocate", "-i", "db3", "-d", "nobody"], &["Instance not found: nobody:3306"]),
    (&["relocate", "-i", "db3", "-d", "db2", "-s", "db1"], &["-s and -d are synonyms"]),
    (&["relocate", "-i", "db2", "-d", "db3"], &["below-itself"]),
    (&["relocate-below", "-i", "db1", "-d", "db3"], &["not-a-replica"]),
    (&["relocate-slaves", "-i", "db2", "-d", "db1", "-pattern", "("], &["cannot parse -pattern"]),
    (&["stop-slave", "-i", "db1"], &["not-a-replica"]),
    (&["start-replica", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["restart-replica", "-i", "b4.exam"], &["Instance not found: b4.exam:3306"]),
    (&["detach-replica", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["reattach-replica", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["set-read-only", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["set-writeable", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["which-gtid-errant", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["take-siblings", "-i", "db1"], &["not-a-replica"]),
    (&["enslave-siblings", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["regroup-replicas", "-i", "db3"], &["no-replicas"]),
    (&["regroup-slaves-gtid", "-i", "db3"], &["no-replicas"]),
    (&["get-candidate-slave", "-i", "db3"], &["no replica of db3.example:3306 is fit", "it has no replicas"]),
    (&["move-up", "-i", "db2"], &["source-is-topmost", "db1.example:3306"]),
    (&["move-up-slaves", "-i", "db1"], &["source-is-topmost"]),
    (&["move-up-replicas", "-i", "db2", "-pattern", "("], &["cannot parse -pattern"]),
    (&["move-below", "-i", "db3", "-d", "db5"], &["not-siblings"]),
    (&["move-below", "-i", "db3"], &["Cannot deduce destination"]),
    (&["move-equivalent", "-i", "db3", "-d", "db1"], &["no-equivalence"]),
    (&["move-equivalent", "-i", "nobody", "-d", "db1"], &["Instance not found: nobody:3306"]),
    (&["regroup-replicas-bls", "-i", "db1"], &["no-binlog-servers"]),
    (&["move-gtid", "-i", "db2", "-d", "db3"], &["below-itself"]),
    (&["move-slaves-gtid", "-i", "db2", "-d", "db3", "-pattern", "["], &["cannot parse -pattern"]),
    (&["repoint", "-i", "db1"], &["not-a-replica"]),
    (&["repoint", "-i", "db3", "-d", "nobody"], &["Instance not found: nobody:3306"]),
    (&["repoint-slaves", "-i", "db2", "-pattern", "("], &["cannot parse -pattern"]),
    (&["enslave-master", "-i", "db2"], &["source-is-topmost"]),
    (&["make-co-master", "-i", "db1"], &["not-a-replica"]),
    (&["match", "-i", "db3"], &["Cannot deduce destination"]),
    (&["match", "-i", "db3", "-d", "db1"], &["pseudo-gtid-not-set-up", "PseudoGTIDPattern is empty"]),
    (&["match-up", "-i", "db2"], &["source-is-topmost"]),
    (&["rematch", "-i", "db1"], &["not-a-replica"]),
    (&["match-slaves", "-i", "db2", "-d", "db1"], &["pseudo-gtid-not-set-up"]),
    (&["match-replicas", "-i", "db2", "-d", "db1", "-pattern", "("], &["cannot parse -pattern"]),
    (&["match-up-slaves", "-i", "db1"], &["source-is-topmost"]),
    (&["regroup-replicas-pgtid", "-i", "db3"], &["no-replicas"]),
    (&["last-pseudo-gtid", "-i", "db3"], &["pseudo-gtid-not-set-up"]),
    (&["find-binlog-entry", "-i", "db3"], &["expected -pattern TEXT"]),
    (&["last-executed-relay-entry", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["correlate-relaylog-pos", "-i", "db3"], &["Cannot deduce destination"]),
    (&["correlate-relaylog-pos", "-i", "db3", "-d", "db2", "-binlog", "x"], &["-binlog", "expected file:position"]),
    (&["correlate-binlog-pos", "-i", "db3", "-d", "db1", "-binlog", "x"], &["-binlog", "expected file:position"]),
    (&["enable-gtid", "-i", "db2"], &["gtid-used-already"]),
    (&["disable-gtid", "-i", "db1"], &["not-a-replica"]),
    (&["gtid-errant-reset-master", "-i", "db3"], &["no-errant-transactions"]),
    (&["locate-gtid-errant", "-i", "db3"], &["db3.example:3306"]),
    (&["skip-query", "-i", "db3"], &["applier-runs"]),
    (&["reset-slave", "-i", "db1"], &["not-a-replica"]),
    (&["change-master-credentials", "-i", "db3"], &["replication-runs"]),
    (&["master-pos-wait", "-i", "db3", "-binlog", "x"], &["-binlog", "expected file:position", "\"x\""]),
    (&["enable-semi-sync-master", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["disable-semi-sync-master", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["enable-semi-sync-replica", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["disable-semi-sync-replica", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["restart-slave-statements", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["flush-binary-logs", "-i", "db1", "-binlog", "nolog"], &["bad-binary-log", "nolog"]),
    (&["purge-binary-logs", "-i", "db1"], &["expected -binlog FILE"]),
    (&["purge-binary-logs", "-i", "db1", "-binlog", "nolog"], &["bad-binary-log", "nolog"]),
    // Dry runs
    (&["relocate", "-noop", "-i", "db5", "-d", "db2"], &["noop: ", "db5.example:3306", "db2.example:3306"]),
    (&["stop-replica", "-noop", "-i", "db4"], &["noop: ", "STOP", "db4.example:3306"]),
    (&["set-read-only", "-noop", "-i", "db1"], &["noop: ", "db1.example:3306"]),
    (&["recover", "-noop", "-i", "db1"], &["noop: recover was not carried out"]),
    (&["force-master-failover", "-noop", "-alias", "orders"], &["noop: force-master-failover"]),
    (&["begin-maintenance", "-i", "db2"], &["expected -reason TEXT"]),
    (&["begin-maintenance", "-i", "nobody", "-reason", "r"], &["Instance not found: nobody:3306"]),
    (&["begin-maintenance", "-i", "db2", "-reason", "r", "-duration", "-1h"], &["-1h"]),
    (&["begin-maintenance", "-i", "db3", "-reason", "r"], &["db3.example:3306 is in maintenance by dba: upgrade"]),
    (&["stop-replica", "-i", "db3"], &["db3.example:3306 is held by \"maintenance by dba: upgrade\""]),
    (&["end-maintenance", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["submit-pool-instances", "-i", "db2"], &["expected -pool NAME"]),
    (&["submit-pool-instances", "-pool", "reads", "-i", "db2,db3:x"], &["\"x\"", "db3:x"]),
    (&["which-heuristic-cluster-pool-instances", "-alias", "nothing"], &["nothing known is called \"nothing\""]),
    // Recoveries
    (&["recover", "-i", "nobody"], &["Instance not found: nobody:3306"]),
    (&["recover-lite", "-i", "db1", "-d", "nobody"], &["Instance not found: nobody:3306", "-d"]),
    (&["force-master-failover"], &["expected -alias or -i"]),
    (&["force-master-failover", "-alias", "nothing"], &["nothing known is called \"nothing\""]),
    // A slip in the alias must not lead to the cluster of another flag.
    (&["force-master-failover", "-alias", "nothing", "-i", "db1"], &["nothing known is called \"nothing\""]),
    (&["submit-masters-to-kv-stores", "-alias", "nothing"], &["nothing known is called \"nothing\""]),
    (&["force-master-takeover", "-alias", "orders"], &["Cannot deduce destination"]),
    (&["force-master-takeover", "-alias", "orders", "-d", "nobody"], &["Instance not found: nobody:3306"]),
    (&["graceful-master-takeover", "-alias", "nothing"], &["nothing known is called \"nothing\""]),
    (&["graceful-master-takeover", "-alias", "orders", "-d", "nobody"], &["Instance not found: nobody:3306"]),
    (&["graceful-master-takeover-auto", "-i", "nobody"], &["nothing known is called \"nobody\""]),
    (&["ack-all-recoveries"], &["expected -reason TEXT"]),
    (&["ack-cluster-recoveries", "-alias", "orders"], &["expected -reason TEXT"]),
    (&["ack-cluster-recoveries", "-alias", "nothing", "-reason", "r"], &["nothing known is called \"nothing\""]),
    (&["ack-instance-recoveries", "-i", "db1"], &["expected -reason TEXT"]),
    (&["ack-instance-recoveries", "-i", "nobody", "-reason", "r"], &["Instance not found: nobody:3306"]),
];

#[tokio::test]
async fn bad_input_is_named_and_changes_nothing() {
    // A desk is good for as long as its servers count as lately looked at.
    for part in BAD.chunks(40) {
        is_named_and_changes_nothing(part).await;
    }
}

async fn is_named_and_changes_nothing(bad: &[(&[&str], &[&str])]) {
    let desk = Desk::new().await;
    let before = desk.world().await;
    for (words, expected) in bad {
        let said = desk.run(&[&["-c"], *words].concat());
        let line = words.join(" ");
        assert_eq!((said.out.as_str(), said.code), ("", 1), "{line}: {}", said.err);
        let fatal = said.err.find(" FATAL ").unwrap_or_else(|| panic!("{line}: no FATAL line in {}", said.err));
        let told = &said.err[fatal..];
        for part in *expected {
            assert!(told.contains(part), "{line}: expected {part:?} in {told}");
        }
        assert!(!said.err.contains("panicked"), "{line}: {}", said.err);
    }
    assert_eq!(desk.world().await, before);
}

/// Commands that take nothing, or that nothing bad can be given to.
const WITHOUT_INPUT: &[&str] = &[
    "active-nodes",
    "users",
    "tokens",
    "all-instances",
    "clusters",
    "clusters-alias",
    "all-clusters-masters",
    "which-lost-in-recovery",
    "replication-analysis",
    "disable-global-recoveries",
    "enable-global-recoveries",
    "check-global-recoveries",
    "cluster-pool-instances",
    "snapshot-topologies",
    "access-token",
    "reset-hostname-resolve-cache",
    "dump-config",
    "show-resolve-hosts",
    "show-unresolve-hosts",
    "redeploy-internal-db",
    "bulk-instances",
    "bulk-promotion-rules",
    "help",
    "continuous",
    "man-page",
];

#[test]
fn bad_input_is_tried_on_every_command_that_takes_any() {
    let names = table::names();
    let tried: BTreeSet<&str> = BAD
        .iter()
        .filter_map(|(words, _)| match meaning(words[0], &names) {
            Meaning::Command(name) => Some(name),
            _ => None,
        })
        .collect();
    let missing: Vec<&str> = table::groups()
        .into_iter()
        .flat_map(|group| group.commands)
        .map(|command| command.name)
        .filter(|name| !tried.contains(name) && !WITHOUT_INPUT.contains(name))
        .collect();
    assert!(missing.is_empty(), "no bad input is tried on {missing:?}");
}

#[tokio::test]
async fn the_first_failure_ends_a_list() {
    let desk = Desk::new().await;
    let said = desk.run(&["-c", "begin-downtime", "-i", "db2,nobody,db3", "-reason", "r"]);
    assert_eq!((said.out.as_str(), said.code), ("db2.example:3306\n", 1));
    assert!(said.err.contains("FATAL Instance not found: nobody:3306"), "{}", said.err);
    let downtime = desk.world().await.annotations.downtime;
    let keys: Vec<&str> = downtime.keys().map(|key| key.hostname.as_str()).collect();
    assert_eq!(keys, ["db2.example", "db5.example", "us2.example"], "what was done before it is on record");
}
