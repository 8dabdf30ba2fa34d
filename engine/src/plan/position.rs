//! Moves by file and position: servers are stopped at the same event, so that a place in one log is known to be a place in the
//! other (`spec/refactoring.md` 6). What is stopped for it runs again afterwards, whatever became of the move.

use app::InstanceKey;
use app::plan::{Action, Condition, Place, Positioning};
use app::topology::Instance;

use super::steps::{StepList, Threads, go_on, read_back, repoint};

/// Stops both threads of a server, so that it stands still. Gives the number of the step.
pub(super) fn stand_still(list: &mut StepList<'_>, server: &Instance, phase: u32, reason: &str) -> u32 {
    let step = list.push(server, phase, Action::StopReplication, reason);
    step.before = vec![Condition::Reachable, Condition::SourceIs { source: server.replication.source.clone() }];
    step.undo = Threads::of(&server.replication).start().into_iter().collect();
    step.id
}

/// Starts what ran before on a server that kept its source, and looks at it.
pub(super) fn resume(list: &mut StepList<'_>, server: &Instance, phase: u32) {
    let source = &server.replication.source;
    go_on(list, server, source, phase);
    let mut expect = vec![Condition::SourceIs { source: source.clone() }];
    expect.extend(Threads::of(&server.replication).conditions());
    read_back(list, server, phase + 1, expect);
}

/// Makes replicas siblings of their source `above`: it stands still, they catch up with exactly where it stands, and go on from
/// where it stands in the log of its own source.
pub(super) fn beside_source(list: &mut StepList<'_>, above: Option<&Instance>, replicas: &[&Instance], phase: u32) {
    let Some(above) = above else { return };
    let to = &above.replication.source;
    let stopped = stand_still(list, above, phase, "its replicas shall all stop at the same event");
    for replica in replicas {
        let from = list.len();
        stand_still(list, replica, phase + 1, "it runs on only up to where its source stands");
        let until = Action::StartUntil { peer: above.key.clone(), place: Place::Own, exactly: true };
        list.push(replica, phase + 2, until, format!("it has then executed all that {} has", above.key));
        let positioning = Positioning::At { peer: above.key.clone(), place: Place::Executed };
        repoint(list, replica, to, &positioning, phase + 3);
        arrive(list, replica, to, phase + 4);
        list.needs(from, &[stopped]);
    }
    resume(list, above, phase + 4);
}

/// Moves a replica below its sibling: both stand still at the same event, and the one goes on from the end of the other's log.
pub(super) fn below_sibling(list: &mut StepList<'_>, replica: &Instance, sibling: Option<&Instance>, phase: u32) {
    let Some(sibling) = sibling else { return };
    let own = stand_still(list, replica, phase, "both shall stop at the same event");
    let others = stand_still(list, sibling, phase, "both shall stop at the same event");
    let until =
        |peer: &InstanceKey, exactly| Action::StartUntil { peer: peer.clone(), place: Place::Executed, exactly };
    // Whoever is behind catches up: the sibling first, then the replica, which must then be exactly there.
    let reason = format!("unless it is further on than {}", replica.key);
    let step = list.push(sibling, phase + 1, until(&replica.key, false), reason);
    step.needs = vec![own];
    let caught_up = step.id;
    let step = list.push(replica, phase + 2, until(&sibling.key, true), "both then stand at the same event");
    step.needs = vec![others, caught_up];
    let positioning = Positioning::At { peer: sibling.key.clone(), place: Place::Own };
    repoint(list, replica, &sibling.key, &positioning, phase + 3);
    arrive(list, replica, &sibling.key, phase + 4);
    // The sibling goes on even if it could not be brought to the position: its steps need nothing of the replica's.
    resume(list, sibling, phase + 4);
}

/// Starts what ran before on a server that has a new source, and looks at it.
pub(super) fn arrive(list: &mut StepList<'_>, server: &Instance, source: &InstanceKey, phase: u32) {
    go_on(list, server, source, phase);
    let mut expect = vec![Condition::SourceIs { source: source.clone() }];
    expect.extend(Threads::of(&server.replication).conditions());
    read_back(list, server, phase + 1, expect);
}
