//! What would be lost with a source, as far as the last reading of each server tells.

use app::InstanceKey;
use app::gtid::GtidPosition;
use app::readiness::{Loss, Obstacle, Protection};
use app::topology::{Instance, Snapshot};

use super::plain_obstacle;
use crate::candidate::{ChoiceSettings, Survey, by_place, gap, missing, readiness};

/// What would be lost, and the refusal when a recovery would rather promote nobody.
///
/// `world` has the source dead; `source` is the last that was read of it, and `sends` says that somebody still receives from it.
/// Then what no replica has shown yet may have arrived since, and is no reason to refuse.
pub(super) fn loss(
    world: &Snapshot,
    source: &Instance,
    sends: bool,
    successor: Option<&InstanceKey>,
    settings: &ChoiceSettings,
) -> (Loss, Option<Obstacle>) {
    let replicas: Vec<&Instance> = replicas(world, &source.key).collect();
    let reachable = || replicas.iter().copied().filter(|r| r.check.is_valid());
    let without_gtid = by_place(replicas.iter().copied());
    let survey = if without_gtid { Survey::by_place(reachable()) } else { Survey::of(reachable(), Some(source)) };
    let executed = GtidPosition::executed_by(source).ok();
    let (only_there, transactions) = match (&executed, &survey.union) {
        // Places in a log tell no number of transactions.
        (Some(own), Some(all)) if !without_gtid => (missing(own, all), gap(own, all)),
        _ => (String::new(), 0),
    };
    let choice = readiness(world, &source.key, settings);
    let protection = protection(source, &replicas);
    let on_the_way = sends && transactions > 0;
    let successor = successor.filter(|_| !without_gtid);
    let pending = successor.and_then(|key| survey.standings.get(key)).map_or(0, |s| s.pending);
    let at_risk = if choice.at_risk.is_empty() { only_there } else { choice.at_risk };
    // Whoever may lose writes has chosen all the same.
    let refuses = !choice.risk.is_empty() && choice.chosen.is_none() && !on_the_way;
    let mut told = vec![protection_told(protection, source, &replicas)];
    if transactions > 0 {
        told.push(only_there_told(transactions, &at_risk, on_the_way));
    } else if !choice.risk.is_empty() {
        told.push(sentence(&choice.risk));
    }
    if let (Some(successor), true) = (successor, pending > 0) {
        told.push(format!("{successor} has {pending} received transactions to apply first; they are waited for."));
    }
    let refusal = refuses.then(|| plain_obstacle("data-at-risk", choice.risk.clone()));
    let count = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
    let loss =
        Loss { protection, at_risk, transactions: count(transactions), on_the_way, pending: count(pending), told };
    (loss, refusal)
}

fn replicas<'a>(world: &'a Snapshot, source: &'a InstanceKey) -> impl Iterator<Item = &'a Instance> {
    world.replicas_of(source).map(AsRef::as_ref).filter(move |r: &&Instance| r.replication.source == *source)
}

fn protection(source: &Instance, replicas: &[&Instance]) -> Protection {
    let semi_sync = &source.semi_sync;
    if source.check.last_seen.is_none() {
        return Protection::Unknown;
    }
    match (semi_sync.source_enabled, semi_sync.source_active) {
        (false, _) => Protection::Asynchronous,
        (true, false) => Protection::FellBack,
        (true, true) if acknowledgers(replicas).any(|r| r.check.is_valid()) => Protection::SemiSync,
        (true, true) => Protection::AcknowledgersGone,
    }
}

fn acknowledgers<'a>(replicas: &'a [&'a Instance]) -> impl Iterator<Item = &'a Instance> {
    replicas.iter().copied().filter(|r| r.semi_sync.replica_enabled)
}

fn protection_told(protection: Protection, source: &Instance, replicas: &[&Instance]) -> String {
    let all = acknowledgers(replicas).count();
    let reachable = acknowledgers(replicas).filter(|r| r.check.is_valid()).count();
    // MariaDB waits for one and does not report it.
    let wait = source.semi_sync.source_wait_for.max(1);
    match protection {
        Protection::SemiSync => format!(
            "Semi-sync is active: every acknowledged write is in the relay log of at least {wait} of {all} replicas that \
             acknowledge; {reachable} of them can be reached."
        ),
        Protection::AcknowledgersGone => format!(
            "Semi-sync is active, and none of the {all} replicas that acknowledge can be reached: acknowledged writes may be \
             on the source and on them only."
        ),
        Protection::FellBack => {
            "Semi-sync is on, but the source fell back to asynchronous: acknowledged writes may be on \
                                 the source only."
                .to_owned()
        }
        Protection::Asynchronous => {
            "Semi-sync is off: writes that the source acknowledged in its last moments may be on the source only."
                .to_owned()
        }
        Protection::Unknown => "The source was never read: what it holds is not known.".to_owned(),
    }
}

fn only_there_told(transactions: u128, at_risk: &str, on_the_way: bool) -> String {
    let what = if transactions == 1 { "1 transaction".to_owned() } else { format!("{transactions} transactions") };
    if on_the_way {
        format!(
            "When last read, no reachable replica had {what} of the source yet ({at_risk}); should they not arrive, a \
             recovery refuses rather than lose them."
        )
    } else {
        format!("No reachable replica holds {what} of the source: {at_risk}.")
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}
