//! The table of routes: every path of the original, what answers it, and what right that takes. The router, the tests of
//! rights and the documentation are made from it; a handler's type is its rule, so there is no route without one.

use std::collections::HashMap;

use super::route::{Handler, Params, Route, matches};
use super::{
    agents, analysis, annotate, discover, history, matching, meta, metrics, moves, operate, pools, publish, read,
    records, recoveries, trees,
};

/// Routes, found by the first word of the path and the number of its parts.
pub struct Table {
    routes: Vec<Route>,
    index: HashMap<(String, usize), Vec<(usize, &'static str)>>,
}

impl Table {
    /// The whole table.
    pub fn new() -> Self {
        let routes = routes();
        let mut index: HashMap<(String, usize), Vec<(usize, &'static str)>> = HashMap::new();
        for (at, route) in routes.iter().enumerate() {
            for path in &route.paths {
                index.entry(shape(path)).or_default().push((at, path));
            }
        }
        // Among paths of one shape, words win over parameters.
        for candidates in index.values_mut() {
            candidates.sort_by_key(|(_, path)| path.matches(':').count());
        }
        Self { routes, index }
    }

    /// The route of a decoded path below `/api/`.
    pub fn find(&self, path: &str) -> Option<(&Route, Params)> {
        let candidates = self.index.get(&shape(path))?;
        candidates.iter().find_map(|(at, pattern)| Some((self.routes.get(*at)?, matches(pattern, path)?)))
    }

    /// All routes.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

fn shape(path: &str) -> (String, usize) {
    let mut parts = path.split('/');
    (parts.next().unwrap_or_default().to_owned(), parts.count())
}

macro_rules! open {
    ($($path:literal),+ => $handler:path) => {
        Route { paths: vec![$($path),+], handler: Handler::Open(|c| Box::pin($handler(c))), changes: false }
    };
}
/// A read.
macro_rules! view {
    ($($path:literal),+ => $handler:path) => {
        Route { paths: vec![$($path),+], handler: Handler::View(|v, c| Box::pin($handler(v, c))), changes: false }
    };
}
/// Changes nothing here and takes the right to change all the same: it has us do something to others.
macro_rules! guarded {
    ($($path:literal),+ => $handler:path) => {
        Route { paths: vec![$($path),+], handler: Handler::Operate(|o, c| Box::pin($handler(o, c))), changes: false }
    };
}
/// A change of what is managed.
macro_rules! operate {
    ($($path:literal),+ => $handler:path) => {
        Route { paths: vec![$($path),+], handler: Handler::Operate(|o, c| Box::pin($handler(o, c))), changes: true }
    };
}
/// A change of the service.
macro_rules! administer {
    ($($path:literal),+ => $handler:path) => {
        Route { paths: vec![$($path),+], handler: Handler::Administer(|a, c| Box::pin($handler(a, c))), changes: true }
    };
}
fn routes() -> Vec<Route> {
    [reads(), operations(), moves(), upkeep(), annotations(), recovery(), audits(), node(), agents()]
        .into_iter()
        .flatten()
        .collect()
}

fn reads() -> Vec<Route> {
    vec![
        view!("instance/:host/:port" => read::instance),
        view!("all-instances" => read::all_instances),
        view!("search", "search/:searchString" => read::search),
        view!("clusters" => read::clusters),
        view!("clusters-info" => read::clusters_info),
        view!("cluster/:clusterHint", "cluster/instance/:host/:port" => read::cluster),
        view!("cluster/alias/:clusterAlias" => read::cluster_by_alias),
        view!("cluster-info/:clusterHint" => read::cluster_info),
        view!("cluster-info/alias/:clusterAlias" => read::cluster_info_by_alias),
        view!("cluster-osc-replicas/:clusterHint", "cluster-osc-slaves/:clusterHint" => read::control_replicas),
        view!("masters" => read::primaries),
        view!("master/:clusterHint" => read::primary),
        view!("instance-replicas/:host/:port" => read::replicas),
        view!("downtimed", "downtimed/:clusterHint" => read::downtimed),
        view!("problems", "problems/:clusterName" => read::problems),
        view!("tags/:host/:port" => read::tags),
        view!("tag-value/:host/:port", "tag-value/:host/:port/:tagName" => read::tag_value),
        view!("tagged" => read::tagged),
        view!("can-replicate-from/:host/:port/:belowHost/:belowPort" => read::can_replicate_from),
        view!("automated-recovery-filters" => read::automated_filters),
        view!("bulk-instances" => read::bulk_instances),
        view!("topology/:clusterHint", "topology/:host/:port" => trees::topology),
        view!("topology-tabulated/:clusterHint", "topology-tabulated/:host/:port" => trees::topology_tabulated),
        view!("topology-tags/:clusterHint", "topology-tags/:host/:port" => trees::topology_tags),
    ]
}

fn operations() -> Vec<Route> {
    vec![
        operate!("discover/:host/:port" => discover::discover),
        operate!("async-discover/:host/:port" => discover::async_discover),
        operate!("refresh/:host/:port" => discover::refresh),
        operate!("forget/:host/:port" => discover::forget),
        operate!("forget-cluster/:clusterHint" => discover::forget_cluster),
        guarded!("resolve/:host/:port" => discover::resolve),
        view!("discovery-metrics-raw/:seconds" => metrics::discovery_raw),
        view!("discovery-metrics-aggregated/:seconds" => metrics::discovery_aggregated),
        view!("discovery-queue-metrics-raw/:seconds", "discovery-queue-metrics-raw/:queue/:seconds" => metrics::queue_raw),
        view!("discovery-queue-metrics-aggregated/:seconds", "discovery-queue-metrics-aggregated/:queue/:seconds" => metrics::queue_aggregated),
        view!("backend-query-metrics-raw/:seconds" => metrics::backend_raw),
        view!("backend-query-metrics-aggregated/:seconds" => metrics::backend_aggregated),
        view!("write-buffer-metrics-raw/:seconds" => metrics::buffer_raw),
        view!("write-buffer-metrics-aggregated/:seconds" => metrics::buffer_aggregated),
        view!("hostname-resolve-cache" => discover::resolve_cache),
        administer!("reset-hostname-resolve-cache" => discover::reset_resolve_cache),
        operate!("relocate/:host/:port/:belowHost/:belowPort", "relocate-below/:host/:port/:belowHost/:belowPort"
            => operate::relocate),
        operate!("relocate-replicas/:host/:port/:belowHost/:belowPort", "relocate-slaves/:host/:port/:belowHost/:belowPort"
            => operate::relocate_replicas),
        operate!("start-replica/:host/:port", "start-slave/:host/:port" => operate::start),
        operate!("stop-replica/:host/:port", "stop-slave/:host/:port" => operate::stop),
        operate!("restart-replica/:host/:port", "restart-slave/:host/:port" => operate::restart),
        operate!("detach-replica/:host/:port", "detach-slave/:host/:port", "detach-replica-master-host/:host/:port",
            "detach-slave-master-host/:host/:port" => operate::detach),
        operate!("reattach-replica/:host/:port", "reattach-slave/:host/:port", "reattach-replica-master-host/:host/:port",
            "reattach-slave-master-host/:host/:port" => operate::reattach),
        operate!("set-read-only/:host/:port" => operate::set_read_only),
        operate!("set-writeable/:host/:port" => operate::set_writeable),
    ]
}

fn moves() -> Vec<Route> {
    vec![
        operate!("regroup-slaves/:host/:port", "regroup-replicas/:host/:port" => moves::regroup),
        operate!("move-up/:host/:port" => moves::up),
        operate!("move-up-slaves/:host/:port", "move-up-replicas/:host/:port" => moves::up_replicas),
        operate!("move-below/:host/:port/:siblingHost/:siblingPort" => moves::below),
        operate!("move-equivalent/:host/:port/:belowHost/:belowPort" => moves::equivalent),
        guarded!("master-equivalent/:host/:port/:logFile/:logPos" => moves::equivalents),
        operate!("regroup-slaves-bls/:host/:port", "regroup-replicas-bls/:host/:port" => moves::regroup_binlog_servers),
        operate!("repoint/:host/:port/:belowHost/:belowPort" => moves::repoint),
        operate!("repoint-slaves/:host/:port", "repoint-replicas/:host/:port" => moves::repoint_replicas),
        operate!("make-co-master/:host/:port" => moves::make_co_source),
        operate!("enslave-siblings/:host/:port", "take-siblings/:host/:port" => moves::take_siblings),
        operate!("enslave-master/:host/:port", "take-master/:host/:port" => moves::take_source),
        operate!("move-below-gtid/:host/:port/:belowHost/:belowPort" => moves::gtid),
        operate!("move-slaves-gtid/:host/:port/:belowHost/:belowPort", "move-replicas-gtid/:host/:port/:belowHost/:belowPort" => moves::replicas_gtid),
        operate!("regroup-slaves-gtid/:host/:port", "regroup-replicas-gtid/:host/:port" => moves::regroup_gtid),
        operate!("match/:host/:port/:belowHost/:belowPort", "match-below/:host/:port/:belowHost/:belowPort" => matching::below),
        operate!("match-up/:host/:port" => matching::up),
        operate!("match-slaves/:host/:port/:belowHost/:belowPort", "match-replicas/:host/:port/:belowHost/:belowPort" => matching::replicas),
        operate!("match-up-slaves/:host/:port", "match-up-replicas/:host/:port" => matching::up_replicas),
        operate!("regroup-slaves-pgtid/:host/:port", "regroup-replicas-pgtid/:host/:port" => matching::regroup),
        guarded!("last-pseudo-gtid/:host/:port" => matching::last),
        guarded!("make-master/:host/:port" => moves::make_source),
        operate!("make-local-master/:host/:port" => moves::make_local_source),
        view!("can-replicate-from-gtid/:host/:port/:belowHost/:belowPort" => moves::can_replicate_from_gtid),
    ]
}

fn upkeep() -> Vec<Route> {
    vec![
        operate!("enable-gtid/:host/:port" => operate::enable_gtid),
        operate!("disable-gtid/:host/:port" => operate::disable_gtid),
        operate!("gtid-errant-reset-master/:host/:port" => operate::reset_errant),
        operate!("gtid-errant-inject-empty/:host/:port" => operate::inject_errant),
        operate!("skip-query/:host/:port" => operate::skip_query),
        operate!("stop-slave-nice/:host/:port", "stop-replica-nice/:host/:port" => operate::stop_nicely),
        operate!("reset-slave/:host/:port", "reset-replica/:host/:port" => operate::reset),
        operate!("change-master-credentials/:host/:port" => operate::set_credentials),
        operate!("flush-binary-logs/:host/:port" => operate::flush_binary_logs),
        operate!("purge-binary-logs/:host/:port/:logFile" => operate::purge_binary_logs),
        view!("restart-slave-statements/:host/:port", "restart-replica-statements/:host/:port" => operate::restart_statements),
        operate!("enable-semi-sync-master/:host/:port", "enable-semi-sync-source/:host/:port" => operate::enable_semi_sync_source),
        operate!("disable-semi-sync-master/:host/:port", "disable-semi-sync-source/:host/:port" => operate::disable_semi_sync_source),
        operate!("enable-semi-sync-replica/:host/:port" => operate::enable_semi_sync_replica),
        operate!("disable-semi-sync-replica/:host/:port" => operate::disable_semi_sync_replica),
        operate!("delay-replication/:host/:port/:seconds" => operate::delay),
        operate!("kill-query/:host/:port/:process" => operate::kill_query),
        guarded!("locate-gtid-errant/:host/:port" => operate::locate_errant),
    ]
}

fn annotations() -> Vec<Route> {
    vec![
        operate!("begin-downtime/:host/:port/:owner/:reason", "begin-downtime/:host/:port/:owner/:reason/:duration"
            => annotate::begin_downtime),
        operate!("end-downtime/:host/:port" => annotate::end_downtime),
        operate!("register-candidate/:host/:port/:promotionRule" => annotate::register_candidate),
        view!("bulk-promotion-rules" => annotate::promotion_rules),
        operate!("set-cluster-alias/:clusterName" => annotate::set_cluster_alias),
        operate!("tag/:host/:port", "tag/:host/:port/:tagName/:tagValue" => annotate::tag),
        operate!("untag/:host/:port", "untag/:host/:port/:tagName" => annotate::untag),
        operate!("untag-all", "untag-all/:tagName/:tagValue" => annotate::untag_all),
        view!("maintenance" => annotate::list_maintenance),
        operate!("begin-maintenance/:host/:port/:owner/:reason" => annotate::begin_maintenance),
        operate!("end-maintenance/:host/:port" => annotate::end_maintenance),
        operate!("end-maintenance/:maintenanceKey" => annotate::end_maintenance_by_number),
        view!("in-maintenance/:host/:port" => annotate::in_maintenance),
        operate!("register-hostname-unresolve/:host/:port/:virtualname" => annotate::register_unresolved),
        operate!("deregister-hostname-unresolve/:host/:port" => annotate::deregister_unresolved),
        operate!("submit-pool-instances/:pool" => pools::submit),
        view!("cluster-pool-instances/:clusterName", "cluster-pool-instances/:clusterName/:pool" => pools::of_cluster),
        view!("heuristic-cluster-pool-instances/:clusterName", "heuristic-cluster-pool-instances/:clusterName/:pool"
            => pools::heuristic),
        view!("heuristic-cluster-pool-lag/:clusterName", "heuristic-cluster-pool-lag/:clusterName/:pool"
            => pools::heuristic_lag),
    ]
}

fn recovery() -> Vec<Route> {
    vec![
        view!("replication-analysis", "replication-analysis/:clusterName" => analysis::replication_analysis),
        view!("replication-analysis/instance/:host/:port" => analysis::replication_analysis_of),
        view!("replication-analysis-changelog" => analysis::changelog),
        operate!("recover/:host/:port", "recover/:host/:port/:candidateHost/:candidatePort", "recover-lite/:host/:port",
            "recover-lite/:host/:port/:candidateHost/:candidatePort" => recoveries::recover),
        operate!("graceful-master-takeover/:clusterHint", "graceful-master-takeover/:host/:port",
            "graceful-master-takeover/:clusterHint/:designatedHost/:designatedPort",
            "graceful-master-takeover/:host/:port/:designatedHost/:designatedPort" => recoveries::takeover),
        operate!("graceful-master-takeover-auto/:clusterHint", "graceful-master-takeover-auto/:host/:port",
            "graceful-master-takeover-auto/:clusterHint/:designatedHost/:designatedPort",
            "graceful-master-takeover-auto/:host/:port/:designatedHost/:designatedPort" => recoveries::takeover_auto),
        operate!("force-master-failover/:clusterHint", "force-master-failover/:host/:port" => recoveries::force_failover),
        operate!("force-master-takeover/:clusterHint/:designatedHost/:designatedPort",
            "force-master-takeover/:host/:port/:designatedHost/:designatedPort" => recoveries::force_takeover),
        operate!("ack-recovery/cluster/:clusterHint" => recoveries::acknowledge_cluster),
        operate!("ack-recovery/cluster/alias/:clusterAlias" => recoveries::acknowledge_cluster_alias),
        operate!("ack-recovery/instance/:host/:port" => recoveries::acknowledge_instance),
        operate!("ack-recovery/:recoveryId" => recoveries::acknowledge_id),
        operate!("ack-recovery/uid/:uid" => recoveries::acknowledge_uid),
        operate!("ack-all-recoveries" => recoveries::acknowledge_all),
        operate!("submit-masters-to-kv-stores", "submit-masters-to-kv-stores/:clusterHint" => publish::submit),
        administer!("disable-global-recoveries" => recoveries::disable),
        administer!("enable-global-recoveries" => recoveries::enable),
        view!("check-global-recoveries" => recoveries::check),
    ]
}

fn audits() -> Vec<Route> {
    vec![
        view!("audit-recovery", "audit-recovery/:page", "audit-recovery/id/:id", "audit-recovery/uid/:uid",
            "audit-recovery/cluster/:clusterName", "audit-recovery/cluster/:clusterName/:page",
            "audit-recovery/alias/:clusterAlias", "audit-recovery/alias/:clusterAlias/:page" => records::recoveries),
        view!("audit-recovery-steps/:uid" => records::steps),
        view!("active-cluster-recovery/:clusterName" => records::active),
        view!("recently-active-cluster-recovery/:clusterName" => records::recent_of_cluster),
        view!("recently-active-instance-recovery/:host/:port" => records::recent_of_successor),
        view!("audit-failure-detection", "audit-failure-detection/:page", "audit-failure-detection/id/:id",
            "audit-failure-detection/alias/:clusterAlias", "audit-failure-detection/alias/:clusterAlias/:page"
            => records::detections),
        view!("blocked-recoveries", "blocked-recoveries/cluster/:clusterName" => records::blocked),
        view!("audit", "audit/:page", "audit/instance/:host/:port", "audit/instance/:host/:port/:page" => records::audit),
    ]
}

fn node() -> Vec<Route> {
    vec![
        open!("lb-check" => meta::always_ok),
        open!("_ping" => meta::always_ok),
        open!("leader-check", "leader-check/:errorStatusCode", "routed-leader-check" => meta::leader_check),
        view!("health", "status" => meta::health),
        view!("headers" => meta::headers),
        administer!("reload-configuration" => meta::reload),
        administer!("grab-election" => meta::grab_election),
        administer!("reelect" => meta::reelect),
        guarded!("reload-cluster-alias" => meta::reload_cluster_alias),
        operate!("snapshot-topologies" => history::snapshot_topologies),
        view!("raft-peers" => meta::no_raft),
        view!("raft-state" => meta::no_raft),
        view!("raft-leader" => meta::no_raft),
        view!("raft-health" => meta::no_raft),
        view!("raft-status" => meta::no_raft),
        operate!("raft-snapshot" => meta::no_raft_change),
        operate!("raft-add-peer/:addr" => meta::no_raft_change),
        operate!("raft-remove-peer/:addr" => meta::no_raft_change),
        operate!("raft-yield/:node" => meta::no_raft_change),
        operate!("raft-yield-hint/:hint" => meta::no_raft_change),
        operate!("raft-follower-health-report/:authenticationToken/:raftBind/:raftAdvertise" => meta::no_raft_change),
    ]
}

/// All are guarded, reads too: so they are in the original.
fn agents() -> Vec<Route> {
    vec![
        operate!("agents" => agents::not_served),
        operate!("agent/:host" => agents::not_served),
        operate!("agent-umount/:host" => agents::not_served),
        operate!("agent-mount/:host" => agents::not_served),
        operate!("agent-create-snapshot/:host" => agents::not_served),
        operate!("agent-removelv/:host" => agents::not_served),
        operate!("agent-mysql-stop/:host" => agents::not_served),
        operate!("agent-mysql-start/:host" => agents::not_served),
        operate!("agent-seed/:targetHost/:sourceHost" => agents::not_served),
        operate!("agent-active-seeds/:host" => agents::not_served),
        operate!("agent-recent-seeds/:host" => agents::not_served),
        operate!("agent-seed-details/:seedId" => agents::not_served),
        operate!("agent-seed-states/:seedId" => agents::not_served),
        operate!("agent-abort-seed/:seedId" => agents::not_served),
        operate!("agent-custom-command/:host/:command" => agents::not_served),
        operate!("seeds" => agents::not_served),
    ]
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
