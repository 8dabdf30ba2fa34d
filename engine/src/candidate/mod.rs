//! Who is promoted, and why not the others.

mod choice;
mod loss;
mod settings;
mod standing;

#[cfg(test)]
mod tests;

use app::recovery::Considered;
use app::topology::Snapshot;
use app::{InstanceKey, topology::Instance};

pub use choice::{Choice, Contender, Contest, can_follow, choose, rule_settings};
pub use settings::{ChoiceSettings, LossPolicy};
pub use standing::{Standing, Survey, gap, missing, union};

/// Who would be promoted if `source` died now, and why not the others. Nothing is frozen, so it is a forecast.
pub fn readiness(snapshot: &Snapshot, source: &InstanceKey, settings: &ChoiceSettings) -> Vec<Considered> {
    let known = snapshot.get(source).map(AsRef::as_ref);
    choose(&contest(snapshot, known, source, settings)).considered
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
    }
}
