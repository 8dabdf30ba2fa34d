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

/// Phases between one wave of replicas and the next: its last two are those in which a wave starts again and is looked at.
const WAVE_PHASES: u32 = 5;

/// Makes replicas siblings of their source `above`: it stands still, they catch up with exactly where it stands, and go on from
/// where it stands in the log of its own source. So many of them at a time.
pub(super) fn beside_source(
    list: &mut StepList<'_>,
    above: Option<&Instance>,
    replicas: &[&Instance],
    at_a_time: usize,
    phase: u32,
) {
    let Some(above) = above else { return };
    let to = &above.replication.source;
    let stopped = stand_still(list, above, phase, "its replicas shall all stop at the same event");
    let mut wave = phase;
    for (n, replica) in replicas.iter().enumerate() {
        if n > 0 && n % at_a_time.max(1) == 0 {
            wave += WAVE_PHASES;
        }
        let from = list.len();
        stand_still(list, replica, wave + 1, "it runs on only up to where its source stands");
        let until = Action::StartUntil { peer: above.key.clone(), place: Place::Own, exactly: true };
        list.push(replica, wave + 2, until, format!("it has then executed all that {} has", above.key));
        let positioning = Positioning::At { peer: above.key.clone(), place: Place::Executed };
        repoint(list, replica, to, &positioning, wave + 3);
        arrive(list, replica, to, wave + 4);
        list.needs(from, &[stopped]);
    }
    resume(list, above, wave + 4);
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

/// Moves a replica to a place that is recorded as the same moment as where it stands. It must still stand there once it is stopped.
pub(super) fn recorded(
    list: &mut StepList<'_>,
    replica: &Instance,
    source: &InstanceKey,
    positioning: &Positioning,
    phase: u32,
) {
    stand_still(list, replica, phase, "a source is changed with both threads stopped");
    let at = replica.replication.exec.clone();
    repoint(list, replica, source, positioning, phase + 1).before.push(Condition::ExecutedIs { at });
    arrive(list, replica, source, phase + 2);
}

/// Moves a replica to another server that has the log it reads. A binlog server must have all of it that the replica has executed.
pub(super) fn same_log(list: &mut StepList<'_>, replica: &Instance, source: &Instance, phase: u32) {
    stand_still(list, replica, phase, "a source is changed with both threads stopped");
    if source.is_binlog_server() {
        let reason = format!("{} may not have got as far yet", source.key);
        list.push(replica, phase + 1, Action::WaitForPeer { peer: source.key.clone() }, reason);
    }
    let positioning = Positioning::At { peer: replica.key.clone(), place: Place::Executed };
    repoint(list, replica, &source.key, &positioning, phase + 2);
    arrive(list, replica, &source.key, phase + 3);
}

/// Starts what ran before on a server that has a new source, and looks at it.
pub(super) fn arrive(list: &mut StepList<'_>, server: &Instance, source: &InstanceKey, phase: u32) {
    go_on(list, server, source, phase);
    let mut expect = vec![Condition::SourceIs { source: source.clone() }];
    expect.extend(Threads::of(&server.replication).conditions());
    read_back(list, server, phase + 1, expect);
}
