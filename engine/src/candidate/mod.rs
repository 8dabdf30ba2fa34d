//! Who is promoted, and why not the others.

mod choice;
mod loss;
mod settings;
mod standing;
mod veto;

#[cfg(test)]
mod tests;

use app::topology::Snapshot;
use app::{InstanceKey, topology::Instance};

pub use choice::{Choice, Contender, Contest, can_follow, can_follow_by_place, choose, rule_settings};
pub use settings::{ChoiceSettings, LossPolicy};
pub use standing::{Standing, Survey, by_place, gap, missing, union};
pub use veto::Veto;

/// Who would be promoted if `source` died now, and why not the others. Nothing is frozen, so it is a forecast.
pub fn readiness(snapshot: &Snapshot, source: &InstanceKey, settings: &ChoiceSettings) -> Choice {
    let known = snapshot.get(source).map(AsRef::as_ref);
    choose(&contest(snapshot, known, source, settings))
}

/// Which replica of `source` would feed the others best. Whether `source` itself serves decides whether what a replica lacks still comes
/// from there.
pub fn regroup_choice(snapshot: &Snapshot, source: &InstanceKey, settings: &ChoiceSettings) -> Choice {
    let known = snapshot.get(source).map(AsRef::as_ref);
    let source_alive = known.is_some_and(|server| server.check.is_valid());
    choose(&Contest { source_alive, ..contest(snapshot, known, source, settings) })
}

/// The contest for the place of `source` on the facts of a snapshot.
fn contest<'a>(
    snapshot: &'a Snapshot,
    known: Option<&'a Instance>,
    source: &'a InstanceKey,
    settings: &'a ChoiceSettings,
) -> Contest<'a> {
    let contender = |server: &'a Instance| Contender {
        server,
        rule: snapshot.annotations.promotion_rule(&server.key),
        lag: server.lag_beyond_delay(),
        out: (!server.check.is_valid()).then(|| format!("it cannot be reached: {}", server.check.error)),
        frozen: false,
        banned: None,
    };
    Contest {
        source: known,
        contenders: snapshot
            .replicas_of(source)
            .filter(|replica| replica.replication.source == *source)
            .map(|replica| contender(replica))
            .collect(),
        settings,
        designated: None,
        drained: false,
        source_alive: false,
        by_place: by_place(snapshot.replicas_of(source).filter(|r| r.replication.source == *source).map(AsRef::as_ref)),
    }
}
