//! Where recoveries stop for hooks, and what their failure means.

use app::recovery::HookList;

use super::*;

/// Runs to the end; hooks of these lists fail.
fn finish_with(servers: &mut Servers, machine: &mut Machine, mut decision: Decision, failing: &[HookList]) -> Decision {
    for _ in 0..60 {
        let Decision::Run { steps } = decision else { return decision };
        let outcomes = match &steps[0].action {
            Action::RunHooks { list } => {
                assert_eq!(steps.len(), 1, "hooks run alone");
                servers.story.push(format!("hooks {list}"));
                let state = match failing.contains(list) {
                    true => StepState::Failed { error: "exit status 1".into() },
                    false => StepState::Done,
                };
                vec![StepOutcome { id: steps[0].id, state, errno: None, fresh: None }]
            }
            _ => servers.run(&steps),
        };
        decision = machine.advance(outcomes, at(1));
    }
    panic!("no end: {:?}", servers.story);
}

fn settings(fencing: Option<FencingPolicy>) -> RecoverySettings {
    let hooks = HookSettings { pre_failover: true, pre_takeover: true, fencing, ..HookSettings::default() };
    RecoverySettings { hooks, ..RecoverySettings::default() }
}

fn dead_source() -> Vec<Instance> {
    vec![source(), replica(1, 7, 7), replica(2, 5, 9)]
}

/// The first thing of this kind in the story.
fn place(servers: &Servers, what: &str) -> usize {
    servers.story.iter().position(|line| line == what).unwrap_or_else(|| panic!("no {what}: {:#?}", servers.story))
}

fn changes(servers: &Servers) -> Vec<&String> {
    servers.story.iter().filter(|line| !line.ends_with("Refresh") && !line.starts_with("hooks")).collect()
}

#[test]
fn pre_failover_comes_before_the_first_change_and_fencing_before_the_promotion() {
    let (mut servers, mut machine, decision) = begin(dead_source(), &settings(Some(FencingPolicy::Required)));
    let report = report(finish_with(&mut servers, &mut machine, decision, &[]));
    assert_eq!(report.successor, key(2));
    let pre = place(&servers, "hooks PreFailoverProcesses");
    assert!(servers.story[..pre].iter().all(|line| line.ends_with("Refresh")), "{:#?}", servers.story);
    assert!(servers.story[pre + 1].ends_with("Refresh"), "what stood before a hook is read again after it");
    let fenced = place(&servers, "hooks FencingProcesses");
    assert!(pre < fenced && fenced < place(&servers, "db2 ResetReplication"), "{:#?}", servers.story);
    for list in ["PreFailoverProcesses", "FencingProcesses"] {
        let times = servers.story.iter().filter(|line| **line == format!("hooks {list}")).count();
        assert_eq!(times, 1, "{list}");
    }
    assert!(machine.has_run(HookList::PreFailover) && machine.has_run(HookList::Fencing));
}

#[test]
fn a_failing_pre_failover_hook_forbids_it_and_nothing_is_changed() {
    let (mut servers, mut machine, decision) = begin(dead_source(), &settings(None));
    let failing = [HookList::PreFailover];
    let reason = reason(finish_with(&mut servers, &mut machine, decision, &failing));
    assert_eq!(reason.code, "hook-veto");
    assert!(reason.message.contains("PreFailoverProcesses") && reason.message.contains("exit status 1"));
    assert!(reason.changed.is_empty() && changes(&servers).is_empty(), "{:#?}", servers.story);
}

#[test]
fn a_failing_fencing_hook_ends_it_where_it_is_required_only() {
    let failing = [HookList::Fencing];
    let (mut servers, mut machine, decision) = begin(dead_source(), &settings(Some(FencingPolicy::Required)));
    let reason = reason(finish_with(&mut servers, &mut machine, decision, &failing));
    assert_eq!(reason.code, "fencing-failed");
    assert!(servers.all[1..].iter().all(|s| s.read_only && s.replication.source == key(0)), "all is put back");
    assert!(reason.changed.is_empty(), "{:?}", reason.changed);

    let (mut servers, mut machine, decision) = begin(dead_source(), &settings(Some(FencingPolicy::Optional)));
    let report = report(finish_with(&mut servers, &mut machine, decision, &failing));
    assert_eq!(report.successor, key(2));
    assert!(report.story.iter().any(|line| line.message.contains("optional")));
    assert!(report.errors.iter().any(|error| error.contains("exit status 1")), "{:?}", report.errors);
}

#[test]
fn hooks_of_a_dead_node_are_asked_for_again() {
    let (mut servers, mut machine, mut decision) = begin(dead_source(), &settings(None));
    while let Decision::Run { steps } = &decision {
        if matches!(steps[0].action, Action::RunHooks { .. }) {
            break;
        }
        let outcomes = servers.run(steps);
        decision = machine.advance(outcomes, at(1));
    }
    let stored = serde_json::to_string(&machine).expect("stored");
    let mut machine: Machine = serde_json::from_str(&stored).expect("loaded");
    let snapshot = Snapshot::new(servers.all.clone(), Annotations::default(), at(0));
    let decision = machine.resume(&snapshot, at(2));
    let report = report(finish_with(&mut servers, &mut machine, decision, &[]));
    assert_eq!(report.successor, key(2));
    place(&servers, "hooks PreFailoverProcesses");
}

#[test]
fn a_recovery_without_hooks_stops_for_none() {
    let mut lite = settings(Some(FencingPolicy::Required));
    lite.hooks.skipped = true;
    for settings in [lite, RecoverySettings::default()] {
        let (mut servers, mut machine, decision) = begin(dead_source(), &settings);
        report(finish_with(&mut servers, &mut machine, decision, &[]));
        assert!(servers.story.iter().all(|line| !line.starts_with("hooks")));
    }
}

fn take_over(failing: &[HookList]) -> (Servers, Decision) {
    let mut taker = replica(1, 5, 5);
    taker.replication.receiver = ThreadState::Running;
    taker.lag = Some(0);
    let all = vec![source(), taker];
    let snapshot = Snapshot::new(all.clone(), Annotations::default(), at(0));
    let request = TakeoverRequest { source: key(0), designated: None, auto: true };
    let (mut machine, decision) =
        Machine::begin_takeover(&request, &snapshot, &settings(Some(FencingPolicy::Required)), at(0));
    let mut servers = Servers::of(all, vec![]);
    let decision = finish_with(&mut servers, &mut machine, decision, failing);
    (servers, decision)
}

#[test]
fn a_takeover_stops_before_writes_stop_and_before_the_promotion_and_fences_nobody() {
    let (servers, decision) = take_over(&[]);
    assert_eq!(report(decision).successor, key(1));
    let (planned, closed) = (place(&servers, "hooks PreGracefulTakeoverProcesses"), place(&servers, "db0 SetReadOnly"));
    let (pre, promoted) = (place(&servers, "hooks PreFailoverProcesses"), place(&servers, "db1 ResetReplication"));
    assert!(planned < closed && closed < pre && pre < promoted, "{:#?}", servers.story);
    assert!(!servers.story.iter().any(|line| line == "hooks FencingProcesses"));
}

#[test]
fn a_takeover_that_a_hook_forbids_leaves_the_old_primary_writeable() {
    for list in [HookList::PreGracefulTakeover, HookList::PreFailover] {
        let (servers, decision) = take_over(&[list]);
        let reason = reason(decision);
        assert_eq!(reason.code, "hook-veto", "{list}");
        assert!(reason.changed.is_empty(), "{list}: {:?}", reason.changed);
        assert!(!servers.all[0].read_only && servers.all[1].is_replica(), "{list}");
    }
}
