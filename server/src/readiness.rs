//! The readiness of a cluster with what happened to it lately: one answer for the API, the page and the commands.

use app::finding::AnalysisCode;
use app::readiness::{PastEvent, PastKind, Readiness};
use app::recovery::{Recovery, RecoveryKind, RecoveryState};

use crate::lookup;
use crate::recovery::Watcher;
use crate::services::Services;
use crate::store::{BlockedRow, DetectionFilter, DetectionRow, StoreResult};

/// So many events are told, of all kinds together.
const EVENTS: usize = 20;

/// Why and whether a cluster, by its name, would fail over; see `engine::readiness`. That the backend does not answer leaves out
/// what happened lately and says so: it is no reason not to answer.
pub async fn of_cluster(services: &Services, name: &str, watcher: Watcher) -> Readiness {
    let alias = lookup::alias_of(&services.fleet.snapshot(), &services.config.current(), name);
    let mut readiness = services.recovery.readiness(name, &alias, watcher);
    readiness.events = recoveries(services, name, &alias);
    match stored_events(services, name, &alias).await {
        Ok(stored) => readiness.events.extend(stored),
        Err(error) => {
            readiness.events_missing = Some(format!("detections and blocks are in the backend, which says: {error}"));
        }
    }
    readiness.events.sort_by_key(|event| std::cmp::Reverse(event.at));
    readiness.events.truncate(EVENTS);
    readiness
}

/// A cluster's name changes with its primary; its alias does not, where it has one of its own.
fn recoveries(services: &Services, name: &str, alias: &str) -> Vec<PastEvent> {
    let ours = |r: &Recovery| r.cluster == name || (alias != name && r.cluster_alias == alias);
    services.recovery.registry().list().iter().filter(|r| ours(r)).take(EVENTS).map(|r| of_recovery(r)).collect()
}

async fn stored_events(services: &Services, name: &str, alias: &str) -> StoreResult<Vec<PastEvent>> {
    let filter = DetectionFilter::Cluster { name: name.to_owned(), alias: alias.to_owned() };
    let limit = u32::try_from(EVENTS).unwrap_or(u32::MAX);
    let detections = services.store.detections(&filter, 0, limit).await?;
    let blocked = services.store.blocked_recoveries(Some(name)).await?;
    Ok(detections.into_iter().map(of_detection).chain(blocked.into_iter().map(of_blocked)).collect())
}

fn of_recovery(recovery: &Recovery) -> PastEvent {
    let Recovery { finding, kind, state, successor, .. } = recovery;
    let what = match kind {
        RecoveryKind::Takeover => format!("planned takeover by {}", recovery.actor),
        _ if finding.code == AnalysisCode::NoProblem => format!("recovery by {}", recovery.actor),
        _ => finding.code.to_string(),
    };
    let outcome = match (state, successor, kind) {
        (RecoveryState::Running, ..) => "at work".to_owned(),
        (RecoveryState::Succeeded, Some(key), RecoveryKind::IntermediateSource) => format!("{key} took the replicas"),
        (RecoveryState::Succeeded, Some(key), _) => format!("promoted {key}"),
        (RecoveryState::Succeeded, None, _) => "ended well".to_owned(),
        (RecoveryState::Failed { reason }, ..) => format!("ended without a successor: {reason}"),
    };
    let open = recovery.acknowledged.is_none() && !recovery.is_running();
    PastEvent {
        at: recovery.started,
        kind: PastKind::Recovery,
        server: finding.key.clone(),
        what: format!("{what}: {outcome}{}", if open { " (not acknowledged)" } else { "" }),
        recovery: Some(recovery.uid.clone()),
    }
}

fn of_detection(row: DetectionRow) -> PastEvent {
    let replicas = if row.count_replicas == 1 { "1 replica" } else { &format!("{} replicas", row.count_replicas) };
    PastEvent {
        at: row.started,
        kind: PastKind::Detection,
        server: row.key,
        what: format!("{} with {replicas}{}", row.analysis, if row.is_active { "" } else { ", over" }),
        recovery: (row.related_recovery_id > 0).then(|| row.related_recovery_id.to_string()),
    }
}

fn of_blocked(row: BlockedRow) -> PastEvent {
    PastEvent {
        at: row.at,
        kind: PastKind::Blocked,
        server: row.key,
        what: format!("{}: held back by recovery {}", row.analysis, row.blocking_recovery_id),
        recovery: (row.blocking_recovery_id > 0).then(|| row.blocking_recovery_id.to_string()),
    }
}
