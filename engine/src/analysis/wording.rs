//! Findings in words: one sentence, and the evidence line by line.

use app::InstanceKey;
use app::finding::{AnalysisCode as C, Evidence, ReceiverSeen, Testimony as Says};
use app::topology::ThreadState;

use super::row::{Row, Witness};
use super::testimony::Testimony;

/// One sentence; empty for `NoProblem`.
pub(super) fn description(code: C, row: &Row) -> String {
    let (key, facts) = (&row.instance.key, &row.facts);
    let all = facts.replicas.len();
    let readable = facts.valid_replicas;
    let gone = all.saturating_sub(usize::try_from(readable).unwrap_or(usize::MAX));
    let (wait, clients) = (facts.semi_sync_wait_for, facts.semi_sync_clients);
    let whose = if facts.is_source { "Source" } else { "Intermediate source" };
    match code {
        C::NoProblem => String::new(),
        C::DeadSourceWithoutReplicas => format!("Source {key} cannot be reached; it has no replicas."),
        C::DeadSource | C::DeadIntermediateSource => {
            format!("{whose} {key} cannot be reached, and none of its {all} replicas receives from it.")
        }
        C::DeadSourceAndReplicas | C::DeadIntermediateSourceAndReplicas => {
            format!("Neither {} {key} nor any of its {all} replicas can be reached.", lower(whose))
        }
        C::DeadSourceAndSomeReplicas | C::DeadIntermediateSourceAndSomeReplicas => format!(
            "{whose} {key} and {gone} of its {all} replicas cannot be reached; none of the other {readable} receives from it."
        ),
        C::UnreachableSourceWithLaggingReplicas | C::UnreachableIntermediateSourceWithLaggingReplicas => {
            format!("{whose} {key} cannot be reached from here; it still serves replicas, but all of its {all} lag.")
        }
        C::UnreachableSource | C::UnreachableIntermediateSource => {
            format!("{whose} {key} cannot be reached from here, {}.", vouched(row))
        }
        C::SourceSingleReplicaNotReplicating => format!("The only replica of {key} does not replicate."),
        C::SourceSingleReplicaDead => format!("The only replica of {key} cannot be reached."),
        C::AllSourceReplicasNotReplicating => {
            format!("Source {key} can be reached, but none of its {all} replicas replicates.")
        }
        C::AllSourceReplicasNotReplicatingOrDead => format!(
            "Source {key} can be reached, but of its {all} replicas {gone} cannot be reached and the others do not replicate."
        ),
        C::LockedSemiSyncSource => format!(
            "Source {key} waits for {wait} acknowledgements, has {clients} replicas to give them, and its binary log does not move: writes are blocked."
        ),
        C::LockedSemiSyncSourceHypothesis => format!(
            "Source {key} waits for {wait} acknowledgements and has {clients} replicas to give them: writes may be blocked."
        ),
        C::SourceWithTooManySemiSyncReplicas => {
            format!("Source {key} has {clients} semi-sync replicas where {wait} are wanted.")
        }
        C::SourceWithoutReplicas => format!("Source {key} has no replicas."),
        C::DeadCoSource => {
            format!("Co-source {key} cannot be reached, and none of its {all} replicas receives from it.")
        }
        C::DeadCoSourceAndSomeReplicas => format!(
            "Co-source {key} and {gone} of its {all} replicas cannot be reached; none of the other {readable} receives from it."
        ),
        C::UnreachableCoSource => format!("Co-source {key} cannot be reached from here, {}.", vouched(row)),
        C::AllCoSourceReplicasNotReplicating => {
            format!("Co-source {key} can be reached, but none of its {all} replicas replicates.")
        }
        C::DeadIntermediateSourceWithSingleReplica => format!(
            "Intermediate source {key} cannot be reached; its only replica has stopped receiving, perhaps for another reason."
        ),
        C::DeadIntermediateSourceWithSingleReplicaFailingToConnect => {
            format!("Intermediate source {key} cannot be reached, neither from here nor from its only replica.")
        }
        C::AllIntermediateSourceReplicasFailingToConnectOrDead => format!(
            "Intermediate source {key} can be reached from here, but from none of its {readable} replicas that can be read."
        ),
        C::AllIntermediateSourceReplicasNotReplicating => {
            format!("Intermediate source {key} can be reached, but none of its replicas replicates.")
        }
        C::FirstTierReplicaFailingToConnect | C::BinlogServerFailingToConnect => {
            format!("{key} cannot connect to its source {}.", row.instance.replication.source)
        }
        C::DeadGroupMemberWithReplicas => {
            format!("Group member {key} cannot be reached, and none of its {all} replicas receives from it.")
        }
        C::NoWriteableSource => format!("Source {key} is read-only while its replicas replicate."),
    }
}

fn lower(text: &str) -> String {
    text.to_lowercase()
}

/// Why the server is not called dead.
fn vouched(row: &Row) -> String {
    let receiving = row.witnesses.iter().filter(|w| w.testimony == Testimony::Receiving).count();
    if receiving > 0 {
        format!("but {receiving} of its {} replicas still receive from it", row.witnesses.len())
    } else {
        "and its replicas have not been read again since".to_owned()
    }
}

/// Who saw what when: our own probe first, then every replica. None for `NoProblem`.
pub(super) fn evidence(code: C, row: &Row) -> Vec<Evidence> {
    if code == C::NoProblem { Vec::new() } else { sightings(row) }
}

/// The same whether or not anything is wrong.
pub(super) fn sightings(row: &Row) -> Vec<Evidence> {
    let mut lines = vec![own_probe(row)];
    lines.extend(row.witnesses.iter().map(|witness| told(witness, &row.instance.key)));
    if row.facts.fails_to_connect {
        lines.push(Evidence {
            about: row.instance.replication.source.clone(),
            told_by: row.instance.key.clone(),
            what: cannot_connect(&row.instance.replication.receiver_error),
            at: row.instance.check.last_seen,
            says: Says::Gone,
            receiver: Some(receiver(&row.instance.replication)),
        });
    }
    lines
}

/// What we saw of the server ourselves.
fn own_probe(row: &Row) -> Evidence {
    let check = &row.instance.check;
    let (what, at, says) = if row.facts.last_check_valid {
        ("answers".to_owned(), check.last_seen, Says::Serves)
    } else if check.is_valid() {
        ("does not answer: the probe hangs".to_owned(), check.last_attempted, Says::Gone)
    } else {
        let extent = if row.facts.last_check_partial { "was read in part only" } else { "cannot be reached" };
        let never = if check.last_seen.is_none() { " (it never was)" } else { "" };
        let why = if check.error.is_empty() { String::new() } else { format!(": {}", check.error) };
        // A server that was read in part is there.
        let says = if row.facts.last_check_partial { Says::Nothing } else { Says::Gone };
        (format!("{extent}{never}{why}"), check.last_checked, says)
    };
    Evidence { about: row.instance.key.clone(), told_by: InstanceKey::default(), what, at, says, receiver: None }
}

/// What a replica tells.
fn told(witness: &Witness, source: &InstanceKey) -> Evidence {
    let (replica, channel) = (witness.link.replica, witness.link.channel);
    if witness.testimony == Testimony::Unreadable {
        return Evidence {
            about: replica.key.clone(),
            told_by: InstanceKey::default(),
            what: "replica cannot be reached".to_owned(),
            at: replica.check.last_checked,
            says: Says::Nothing,
            receiver: None,
        };
    }
    let mut what = match witness.testimony {
        Testimony::Receiving => "receives from it".to_owned(),
        Testimony::Silent(age) => format!("is connected to it, but has heard nothing for {} ms", age),
        Testimony::CannotConnect => cannot_connect(&channel.receiver_error),
        Testimony::Outdated => {
            let failed = if channel.fails_to_connect() { "could not connect to it" } else { "did not receive from it" };
            format!("{failed}, but was read before the source last answered")
        }
        Testimony::NotReceiving | Testimony::Unreadable => stopped(channel),
    };
    if channel.applier == ThreadState::Stopped {
        what.push_str("; its applier is stopped, which says nothing about the source");
    }
    if !witness.link.managed {
        what.push_str(&format!(" (channel {:?})", channel.channel));
    }
    Evidence {
        about: source.clone(),
        told_by: replica.key.clone(),
        what,
        at: replica.check.last_seen,
        says: says(witness.testimony),
        receiver: Some(receiver(channel)),
    }
}

fn says(testimony: Testimony) -> Says {
    match testimony {
        Testimony::Receiving => Says::Serves,
        Testimony::Silent(_) | Testimony::CannotConnect => Says::Gone,
        Testimony::NotReceiving | Testimony::Outdated | Testimony::Unreadable => Says::Nothing,
    }
}

fn receiver(channel: &app::topology::Replication) -> ReceiverSeen {
    ReceiverSeen { state: channel.receiver, errno: channel.receiver_errno, heartbeat_age_ms: channel.heartbeat_age_ms }
}

fn cannot_connect(error: &str) -> String {
    if error.is_empty() { "cannot connect to it".to_owned() } else { format!("cannot connect to it: {error}") }
}

/// A receiver that does not run for a reason that says nothing about the source.
fn stopped(channel: &app::topology::Replication) -> String {
    match channel.receiver {
        ThreadState::Other => "is connecting to it".to_owned(),
        _ if channel.receiver_errno == 0 && channel.receiver_error.is_empty() => {
            "its receiver was stopped by somebody, which says nothing about the source".to_owned()
        }
        _ => format!("its receiver stopped: {} (error {})", channel.receiver_error, channel.receiver_errno),
    }
}
