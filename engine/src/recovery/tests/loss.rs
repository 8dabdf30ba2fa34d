//! Writes that may be lost: refused by name, and accepted only by policy or by name.

use super::*;
use crate::candidate::LossPolicy;

/// The source committed 12, db1 received 8, and db2, which had all, died with the source.
fn run(change: impl Fn(&mut RecoverySettings, &mut Vec<Instance>)) -> (Servers, Decision) {
    let mut servers = vec![source(), replica(1, 8, 8), replica(2, 12, 12)];
    servers[0].executed_gtid = format!("{SOURCE}:1-12");
    let mut settings = RecoverySettings::default();
    change(&mut settings, &mut servers);
    run_code(AnalysisCode::DeadSourceAndSomeReplicas, servers, vec![0, 2], &settings)
}

fn risk() -> String {
    format!("{SOURCE}:9-12")
}

#[test]
fn by_default_the_transactions_are_named_and_nobody_is_promoted() {
    let (servers, decision) = run(|_, _| {});
    let reason = reason(decision);
    assert_eq!((reason.code.as_str(), &reason.at_risk, &reason.changed), ("data-at-risk", &risk(), &vec![]));
    assert!(reason.message.contains("AcceptDataLoss of the cluster is never"), "{}", reason.message);
    assert!(servers.all[1].read_only);
}

#[test]
fn what_is_accepted_is_in_the_story_with_its_reason() {
    let (_, decision) = run(|settings, _| settings.choice.loss = LossPolicy::Always);
    let report = report(decision);
    assert_eq!(report.successor, key(1));
    let story: String = report.story.iter().map(|l| l.message.as_str()).collect::<Vec<_>>().join("\n");
    assert!(story.contains(&risk()) && story.contains("AcceptDataLoss of the cluster is always"), "{story}");
}

#[test]
fn a_person_must_name_all_of_them() {
    let named = |text: String| run(move |settings, _| settings.choice.accept_loss_of.clone_from(&text)).1;
    assert_eq!(report(named(risk())).successor, key(1));
    let too_few = reason(named(format!("{SOURCE}:9-11")));
    assert_eq!(too_few.code, "data-at-risk");
    assert!(too_few.message.contains("not all of those at risk"), "{}", too_few.message);
}

#[test]
fn a_bound_in_seconds_needs_to_know_how_far_behind_the_server_was() {
    let bounded = |heard_ms: Option<u64>, lag: Option<i64>| {
        run(move |settings, servers| {
            settings.choice.loss = LossPolicy::Within { seconds: 30 };
            servers[0].check.last_seen = Some(at(0));
            servers[1].check.last_seen = Some(at(0));
            servers[1].replication.heartbeat_age_ms = heard_ms;
            servers[1].lag = lag;
        })
        .1
    };
    assert_eq!(report(bounded(Some(20_000), None)).successor, key(1));
    assert_eq!(report(bounded(None, Some(30))).successor, key(1));
    for (heard, lag, told) in
        [(Some(31_000), None, "31 s behind"), (Some(1_000), Some(40), "40 s behind"), (None, None, "not known")]
    {
        let reason = reason(bounded(heard, lag));
        assert_eq!(reason.code, "data-at-risk");
        assert!(reason.message.contains(told), "{}", reason.message);
    }
}

#[test]
fn a_relay_log_that_will_never_be_applied_is_given_up_only_by_name_or_policy() {
    let stuck = |named: Option<&str>| {
        let mut broken = replica(1, 5, 9);
        (broken.replication.applier, broken.replication.applier_errno) = (ThreadState::Stopped, 1062);
        let mut settings = RecoverySettings::default();
        settings.choice.accept_loss_of = named.unwrap_or_default().to_owned();
        let (mut servers, mut machine, decision) =
            begin_code(AnalysisCode::DeadSource, vec![source(), broken], vec![0], &settings);
        servers.refuses = vec![(1, "Drain"); 9];
        finish(&mut servers, &mut machine, decision)
    };
    let refused = reason(stuck(None));
    assert_eq!((refused.code.as_str(), refused.at_risk.as_str()), ("data-at-risk", format!("{SOURCE}:6-9").as_str()));
    assert_eq!(report(stuck(Some(&refused.at_risk))).successor, key(1));
}
