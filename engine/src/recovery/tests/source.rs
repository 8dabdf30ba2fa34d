//! A dead source.

use app::topology::{Candidate, PromotionRule};

use super::*;

#[test]
fn a_dead_source_is_replaced_in_the_order_of_the_safety_page() {
    let (mut servers, mut machine, decision) =
        begin(vec![source(), replica(1, 7, 7), replica(2, 5, 9)], &RecoverySettings::default());
    let report = report(finish(&mut servers, &mut machine, decision));
    assert_eq!(report.successor, key(2));
    assert_eq!(report.followers, [key(1)]);
    assert_eq!(report.fence, [key(0)]);
    assert!(report.lost.is_empty() && report.errors.is_empty(), "{report:?}");
    assert_eq!(
        servers.story,
        [
            "db0 Refresh",
            "db1 Refresh",
            "db2 Refresh", // facts
            "db1 StopReceiver",
            "db2 StopReceiver", // freeze
            "db2 Drain",        // drain
            "db1 StopReplication",
            "db0 Refresh",
            "db2 StopReplication", // beside the others, as nothing waits for it there
            "db1 ChangeSource",
            "db1 StartReplication", // converge
            "db2 ResetReplication",
            "db2 SetSemiSyncSource",
            "db2 SetReadOnly",
            "db2 Verify", // promote
            "db0 Refresh",
            "db1 Verify", // look back
        ]
    );
    assert!(!servers.all[2].read_only && servers.all[2].executed_gtid.ends_with("1-9"));
    let told: Vec<&str> = report.story.iter().map(|l| l.message.as_str()).collect();
    assert!(told.iter().any(|l| l.contains("db2:3306 is chosen")), "{told:?}");
}

#[test]
fn without_enough_acknowledgers_the_new_primary_does_not_wait_for_any() {
    let mut alone = replica(1, 5, 5);
    alone.semi_sync.source_enabled = true;
    let (mut servers, mut machine, decision) = begin(vec![source(), alone], &RecoverySettings::default());
    let _ = report(finish(&mut servers, &mut machine, decision));
    assert!(!servers.all[1].semi_sync.source_enabled, "its first write would hang");
}

#[test]
fn a_source_that_answers_ends_it_before_anything_is_changed() {
    let (mut servers, mut machine, decision) = begin(vec![source(), replica(1, 5, 5)], &RecoverySettings::default());
    servers.dead.clear();
    let reason = reason(finish(&mut servers, &mut machine, decision));
    assert_eq!(reason.code, "source-serves");
    assert!(reason.changed.is_empty());
    assert!(servers.story.iter().all(|s| s.ends_with("Refresh")), "{:?}", servers.story);
}

#[test]
fn one_replica_that_receives_is_evidence_enough_and_a_stale_heartbeat_is_not() {
    let mut receiving = replica(1, 5, 5);
    receiving.replication.receiver = ThreadState::Running;
    let (mut servers, mut machine, decision) = begin(vec![source(), receiving.clone()], &RecoverySettings::default());
    servers.receivers_are_slow = true;
    assert_eq!(reason(finish(&mut servers, &mut machine, decision)).code, "source-serves");
    receiving.replication.heartbeat_period_ms = Some(500);
    receiving.replication.heartbeat_age_ms = Some(9_000);
    let (mut servers, mut machine, decision) = begin(vec![source(), receiving], &RecoverySettings::default());
    servers.receivers_are_slow = true;
    assert_eq!(report(finish(&mut servers, &mut machine, decision)).successor, key(1));
}

/// db2 has much to apply: the first round of draining it ends with its time.
#[test]
fn a_source_that_is_back_between_two_rounds_of_draining_keeps_its_place() {
    let (mut servers, mut machine, mut decision) =
        begin(vec![source(), replica(1, 2, 9)], &RecoverySettings::default());
    while let Decision::Run { steps } = &decision {
        let mut outcomes = servers.run(steps);
        if steps.iter().any(|s| s.action == Action::Drain) {
            outcomes[0].state = StepState::TimedOut;
            servers.all[1].executed_gtid = format!("{SOURCE}:1-5");
            outcomes[0].fresh = Some(servers.all[1].clone());
            servers.dead.clear();
        }
        decision = machine.advance(outcomes, at(1));
    }
    assert_eq!(reason(decision).code, "source-serves");
    assert_eq!(servers.story.iter().filter(|s| *s == "db1 Drain").count(), 1, "{:?}", servers.story);
}

#[test]
fn appliers_stopped_everywhere_lose_nothing() {
    let stopped = |n, executed, received| {
        let mut server = replica(n, executed, received);
        server.replication.applier = ThreadState::Stopped;
        server
    };
    let (mut servers, mut machine, decision) =
        begin(vec![source(), stopped(1, 1, 40), stopped(2, 1, 41)], &RecoverySettings::default());
    let report = report(finish(&mut servers, &mut machine, decision));
    assert_eq!(report.successor, key(2));
    assert!(servers.all[2].executed_gtid.ends_with(":1-41"));
    assert_eq!(servers.all[1].replication.source, key(2));
    assert!(servers.all[1].replication.is_running());
}

/// db1 is lost when it is told to become the primary.
fn lost_in_promotion(receivers_are_slow: bool) -> (Servers, Decision) {
    let (mut servers, mut machine, mut decision) =
        begin(vec![source(), replica(1, 9, 9), replica(2, 9, 9)], &RecoverySettings::default());
    servers.receivers_are_slow = receivers_are_slow;
    while let Decision::Run { steps } = &decision {
        if servers.dead.len() == 1 && steps.iter().any(|s| matches!(s.action, Action::ResetReplication)) {
            servers.dead.push(1);
        }
        let outcomes = servers.run(steps);
        decision = machine.advance(outcomes, at(1));
    }
    (servers, decision)
}

#[test]
fn a_candidate_out_of_our_sight_that_its_replicas_see_stays_their_source() {
    let (servers, decision) = lost_in_promotion(true);
    let reason = reason(decision);
    assert_eq!((reason.code.as_str(), &reason.fence), ("out-of-sight", &vec![key(1)]));
    assert_eq!(servers.all[2].replication.source, key(1));
    assert!(reason.changed.iter().any(|line| line.contains("db2:3306 replicates from db1:3306")), "{reason:?}");
    let may = |line: &&String| line.starts_with("db1:3306 cannot be reached") && line.contains("taken writes");
    assert!(reason.changed.iter().any(|line| may(&line)), "{reason:?}");
}

#[test]
fn a_candidate_lost_in_its_promotion_is_followed_by_the_next() {
    let (_, decision) = lost_in_promotion(false);
    let report = report(decision);
    assert_eq!(report.successor, key(2));
    assert_eq!(report.lost.iter().map(|l| &l.key).collect::<Vec<_>>(), [&key(1)]);
    assert_eq!(report.fence, [key(0), key(1)], "it may have become writable out of our sight");
}

#[test]
fn a_machine_survives_its_node_after_every_step() {
    for node_dies_after in 0..20 {
        let start = vec![source(), replica(1, 7, 7), replica(2, 5, 9)];
        let (mut servers, machine, decision) = begin(start, &RecoverySettings::default());
        let report = report(finish_with_death(&mut servers, machine, decision, node_dies_after));
        assert_eq!((report.successor, report.followers), (key(2), vec![key(1)]), "after {node_dies_after}");
    }
}

#[test]
fn a_promotion_that_is_left_to_hooks_changes_neither_read_only_nor_the_source() {
    let servers = || vec![source(), replica(1, 5, 5), replica(2, 5, 5)];
    let mut settings = RecoverySettings { apply_promotion: false, ..RecoverySettings::default() };
    let (mut left, mut machine, decision) = begin(servers(), &settings);
    let report_ = report(finish(&mut left, &mut machine, decision));
    assert_eq!((report_.successor, report_.followers), (key(1), vec![key(2)]));
    assert!(left.all[1].read_only && left.all[1].replication.source == key(0));
    assert!(left.all[1].replication.threads_stopped());
    assert!(report_.story.iter().any(|l| l.message.contains("ApplyMySQLPromotionAfterMasterFailover")));

    // One that caught up from a sibling must not go on with it: that one follows it now.
    settings.designated = Some(key(1));
    let (mut ring, mut machine, decision) = begin(vec![source(), replica(1, 5, 5), replica(2, 5, 9)], &settings);
    let _ = report(finish(&mut ring, &mut machine, decision));
    assert_eq!(ring.all[2].replication.source, key(1));
    assert!(ring.all[1].replication.source.is_detached(), "{:?}", ring.all[1].replication.source);

    settings.detach_promoted = true;
    let (mut detached, mut machine, decision) = begin(servers(), &settings);
    let _ = report(finish(&mut detached, &mut machine, decision));
    assert!(detached.all[1].read_only && detached.all[1].replication.source.is_detached());
}

#[test]
fn delayed_and_slow_replicas_follow_once_the_new_primary_takes_writes() {
    let mut delayed = replica(2, 5, 5);
    delayed.replication.delay = 3_600;
    delayed.semi_sync.replica_enabled = false;
    let mut slow = replica(3, 5, 5);
    slow.check.latency_ns = 600_000_000;
    slow.semi_sync.replica_enabled = false;
    let servers = || vec![source(), replica(1, 5, 5), delayed.clone(), slow.clone()];
    for (limit, postponed) in [(0, false), (600, true)] {
        let settings = RecoverySettings { postpone_delay_seconds: limit, ..RecoverySettings::default() };
        let (mut servers, mut machine, decision) = begin(servers(), &settings);
        let report = report(finish(&mut servers, &mut machine, decision));
        assert_eq!((report.successor, report.followers), (key(1), vec![key(2), key(3)]));
        let changes = servers.changes();
        let promoted = changes.iter().position(|s| *s == "db1 SetReadOnly").expect("promoted");
        for name in ["db2 ChangeSource", "db3 ChangeSource"] {
            let moved = changes.iter().position(|s| *s == name).expect("moved");
            assert_eq!(moved > promoted, postponed, "{limit}: {changes:?}");
        }
    }
}

#[test]
fn of_preferred_replicas_that_are_equally_good_the_last_wins_and_of_others_the_first() {
    let servers = vec![source(), replica(1, 5, 5), replica(2, 5, 5), replica(3, 5, 5)];
    for (preferred, expected) in [(vec![], 1), (vec![1, 2], 2), (vec![2, 3], 3)] {
        let mut annotations = Annotations::default();
        for n in preferred {
            let rule = Candidate { rule: PromotionRule::Prefer, last_suggested: at(0) };
            annotations.candidates.insert(key(n), rule);
        }
        let snapshot = Snapshot::new(servers.clone(), annotations, at(0));
        let settings = RecoverySettings::default();
        let (mut machine, decision) = Machine::begin(&finding(AnalysisCode::DeadSource), &snapshot, &settings, at(0));
        let mut servers = Servers::of(servers.clone(), vec![0]);
        assert_eq!(report(finish(&mut servers, &mut machine, decision)).successor, key(expected));
    }
}

#[test]
fn findings_without_a_recovery_end_at_once() {
    let snapshot = Snapshot::new([source()], Annotations::default(), at(0));
    let (_, decision) =
        Machine::begin(&finding(AnalysisCode::UnreachableSource), &snapshot, &RecoverySettings::default(), at(0));
    assert_eq!(reason(decision).code, "not-supported");
}

#[test]
fn a_forced_failover_makes_a_living_source_read_only_first() {
    let servers = vec![source(), replica(1, 5, 5)];
    let snapshot = Snapshot::new(servers.clone(), Annotations::default(), at(0));
    let (mut machine, decision) = Machine::begin_forced(&key(0), &snapshot, &RecoverySettings::default(), at(0));
    let mut servers = Servers::of(servers, vec![]);
    let report = report(finish(&mut servers, &mut machine, decision));
    assert_eq!(report.successor, key(1));
    assert!(servers.all[0].read_only);
    let fenced = servers.story.iter().position(|s| s == "db0 SetReadOnly");
    let promoted = servers.story.iter().position(|s| s == "db1 SetReadOnly");
    assert!(fenced < promoted && fenced.is_some(), "{:?}", servers.story);
}

/// db2 falls silent, the old source and it come back, and it gets what the old source wrote meanwhile.
#[test]
fn a_replica_that_got_more_from_the_returned_source_is_not_put_below_the_new_one() {
    let (mut servers, mut machine, mut decision) =
        begin(vec![source(), replica(1, 9, 9), replica(2, 7, 9)], &RecoverySettings::default());
    while let Decision::Run { steps } = &decision {
        if servers.story.len() == 3 {
            // It is told to stop its receiver and says nothing.
            servers.dead.push(2);
        }
        if steps.iter().any(|s| s.action == Action::ResetReplication) {
            servers.dead.clear();
            servers.all[0].executed_gtid = format!("{SOURCE}:1-12");
            servers.all[2] = replica(2, 11, 12);
        }
        let outcomes = servers.run(steps);
        decision = machine.advance(outcomes, at(1));
    }
    let report = report(decision);
    assert_eq!((report.successor, report.followers.as_slice()), (key(1), [].as_slice()));
    assert!(report.lost[0].reason.contains(&format!("holds {SOURCE}:10-12")), "{:?}", report.lost);
    assert!(servers.story.iter().any(|s| s == "db2 DetachSource"), "{:?}", servers.story);
}

/// db2 is lost with transactions in its relay log that nobody else has, and `spoil` happened to it.
fn lost_with_a_relay_log(spoil: fn(&mut Instance)) -> (Servers, Report) {
    let (mut servers, mut machine, mut decision) =
        begin(vec![source(), replica(1, 9, 9), replica(2, 9, 9)], &RecoverySettings::default());
    while let Decision::Run { steps } = &decision {
        if servers.story.len() == 3 {
            // It is told to stop its receiver and says nothing.
            servers.dead.push(2);
        }
        if steps.iter().any(|s| matches!(s.action, Action::ResetReplication)) {
            servers.dead = vec![0];
            servers.all[2] = replica(2, 9, 12);
            spoil(&mut servers.all[2]);
        }
        let outcomes = servers.run(steps);
        decision = machine.advance(outcomes, at(1));
    }
    (servers, report(decision))
}

#[test]
fn a_lost_replica_applies_what_it_received_before_it_is_detached() {
    let (servers, report) = lost_with_a_relay_log(|_| {});
    assert_eq!(report.lost.iter().map(|l| &l.key).collect::<Vec<_>>(), [&key(2)]);
    let of: Vec<&str> = servers.changes().into_iter().filter(|s| s.starts_with("db2")).collect();
    let expected = ["db2 StopReceiver", "db2 StopReceiver", "db2 Drain", "db2 StopReplication", "db2 DetachSource"];
    assert_eq!(of, expected, "in vain at first: {:?}", servers.story);
    assert!(servers.all[2].executed_gtid.ends_with(":1-12"));
    assert!(servers.all[2].replication.source.is_detached());
}

#[test]
fn a_lost_replica_that_cannot_apply_what_it_received_keeps_its_relay_log_and_that_is_said() {
    let spoils: [fn(&mut Instance); 2] =
        [|server| server.replication.applier_errno = 1062, |server| server.replication.delay = 3_600];
    for spoil in spoils {
        let (servers, report) = lost_with_a_relay_log(spoil);
        let of: Vec<&str> = servers.changes().into_iter().filter(|s| s.starts_with("db2")).collect();
        assert_eq!(of, ["db2 StopReceiver", "db2 StopReceiver"], "in vain at first: {:?}", servers.story);
        assert_eq!(servers.all[2].replication.source, key(0));
        let reason = &report.lost[0].reason;
        assert!(reason.contains("not detached") && reason.contains(&format!("{SOURCE}:1-12")), "{reason}");
    }
}
