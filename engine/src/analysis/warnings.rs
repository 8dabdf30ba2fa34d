//! Warnings about the structure of a tree (`spec/recovery.md` 2.3).

use app::finding::{Facts, StructureWarning as W};

/// Every warning that holds, in their order. They never trigger anything.
pub(super) fn structure(facts: &Facts) -> Vec<W> {
    let source = facts.is_source;
    let many = source && facts.replicas.len() > 1;
    let can_fail_over = facts.mysql_gtid_topology
        || facts.mariadb_gtid_topology
        || facts.binlog_server_topology
        || facts.pseudo_gtid_topology;
    let (statement, mixed, row) = (facts.statement_logging > 0, facts.mixed_logging > 0, facts.row_logging > 0);
    let modes_differ = facts.gtid_mode != facts.min_replica_gtid_mode || facts.gtid_mode != facts.max_replica_gtid_mode;
    let fell_back = facts.semi_sync_enabled
        && !facts.semi_sync_active
        && facts.semi_sync_wait_for > 0
        && facts.semi_sync_clients < facts.semi_sync_wait_for;
    let all = [
        (W::NoLoggingReplicas, many && facts.logging_replicas == 0),
        (W::NoFailoverSupport, many && !can_fail_over),
        (W::StatementAndMixedLoggingReplicas, source && statement && mixed),
        (W::StatementAndRowLoggingReplicas, source && statement && row),
        (W::MixedAndRowLoggingReplicas, source && mixed && row),
        (W::MultipleMajorVersionsLoggingReplicas, source && facts.distinct_major_versions > 1),
        (W::DifferentGtidModes, !facts.replicas.is_empty() && modes_differ),
        (W::ErrantGtid, !facts.max_replica_errant.is_empty()),
        (W::NoWriteableSource, source && facts.read_only),
        (W::NotEnoughValidSemiSyncReplicas, source && fell_back),
    ];
    all.into_iter().filter(|(_, holds)| *holds).map(|(warning, _)| warning).collect()
}
