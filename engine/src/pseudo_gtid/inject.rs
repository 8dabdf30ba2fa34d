//! The entries that are injected when `AutoPseudoGTID` is on (`spec/discovery.md` 14).

use std::collections::BTreeMap;
use std::sync::Arc;

use app::topology::{Instance, Snapshot};

/// The statement of one entry: it changes nothing, grows with time and is different each time. `unix_seconds` and the server's number
/// are cut to 32 bits, as the original writes them.
pub fn statement(unix_seconds: i64, server_id: u64, random: u64) -> String {
    let seconds = unix_seconds.max(0).cast_unsigned() & u64::from(u32::MAX);
    let server = server_id & u64::from(u32::MAX);
    format!("drop view if exists `_pseudo_gtid_`.`_asc:{seconds:08x}:{server:08x}:{random:016x}`")
}

/// Where entries are injected: one writeable primary of each cluster, the first by key where there are several.
pub fn targets(snapshot: &Snapshot) -> Vec<Arc<Instance>> {
    let mut found: BTreeMap<&str, &Arc<Instance>> = BTreeMap::new();
    let wanted = |i: &&Arc<Instance>| {
        let on_top = !i.is_replica() || i.is_co_source;
        on_top && i.check.is_valid() && !i.read_only && i.log_bin && !i.is_binlog_server() && i.depth == 0
    };
    for instance in snapshot.instances.values().filter(wanted) {
        found.entry(&instance.cluster_name).or_insert(instance);
    }
    found.into_values().cloned().collect()
}

/// Whether one of these lines of `SHOW GRANTS` allows the statement: all rights or DROP, on everything or on the schema.
pub fn may_inject<'a>(grants: impl IntoIterator<Item = &'a str>) -> bool {
    grants.into_iter().any(|line| {
        let Some((rights, rest)) = line.strip_prefix("GRANT ").and_then(|rest| rest.split_once(" ON ")) else {
            return false;
        };
        let Some((on, _)) = rest.split_once(" TO ") else { return false };
        let on = on.replace(['`', '"'], "").replace('\\', "");
        let here = matches!(on.as_str(), "*.*" | "_pseudo_gtid_.*");
        let allows = |right: &str| matches!(right.trim(), "ALL PRIVILEGES" | "ALL" | "DROP");
        here && rights.split(',').any(allows)
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_statement_has_the_form_that_the_original_writes_and_grows() {
        let text = statement(0x6553_f100, 26_417, 0xabc);
        assert_eq!(text, "drop view if exists `_pseudo_gtid_`.`_asc:6553f100:00006731:0000000000000abc`");
        assert!(statement(0x6553_f101, 1, 0) > text);
        assert!(statement(-5, u64::MAX, u64::MAX).ends_with("`_asc:00000000:ffffffff:ffffffffffffffff`"));
    }

    #[test]
    fn one_writeable_primary_of_each_cluster_gets_entries() {
        let seen = chrono::DateTime::from_timestamp(1_800_000_000, 0);
        let server = |name: &str, cluster: &str| {
            let mut server = Instance { log_bin: true, ..Instance::unseen(app::InstanceKey::new(name, 3306)) };
            cluster.clone_into(&mut server.cluster_name);
            (server.check.last_checked, server.check.last_seen) = (seen, seen);
            server
        };
        let mut co_source = Instance { is_co_source: true, ..server("b2", "b") };
        co_source.replication.source = app::InstanceKey::new("b1", 3306);
        let mut below_a_stranger = server("c", "c");
        below_a_stranger.replication.source = app::InstanceKey::new("stranger", 3306);
        below_a_stranger.replication.auto_position = true;
        let mut silent = server("d", "d");
        silent.check.last_seen = None;
        let servers = [
            server("a", "a"),
            Instance { read_only: true, ..server("b1", "b") },
            co_source,
            below_a_stranger,
            silent,
            Instance { log_bin: false, ..server("e", "e") },
            server("f2", "f"),
            server("f1", "f"),
        ];
        let snapshot = Snapshot::new(servers, app::topology::Annotations::default(), seen.expect("in range"));
        let names: Vec<String> = targets(&snapshot).iter().map(|i| i.key.hostname.clone()).collect();
        assert_eq!(names, ["a", "b2", "f1"]);
    }

    #[rstest]
    #[case("GRANT ALL PRIVILEGES ON *.* TO `o`@`%`", true)]
    #[case("GRANT SELECT, DROP ON *.* TO `o`@`%`", true)]
    #[case("GRANT DROP ON `_pseudo_gtid_`.* TO `o`@`%`", true)]
    #[case("GRANT DROP ON `\\_pseudo\\_gtid\\_`.* TO `o`@`%`", true)]
    #[case("GRANT ALL PRIVILEGES ON \"_pseudo_gtid_\".* TO 'o'@'%'", true)]
    #[case("GRANT DROP ON `shop`.* TO `o`@`%`", false)]
    #[case("GRANT SELECT, DROP ROLE ON *.* TO `o`@`%`", false)]
    #[case("GRANT `DROP` TO `o`@`%`", false)]
    #[case("", false)]
    fn rights(#[case] line: &str, #[case] expected: bool) {
        assert_eq!(may_inject([line]), expected);
    }
}
