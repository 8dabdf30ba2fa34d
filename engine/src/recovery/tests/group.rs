//! Dead group members with replicas: db0 died, db1 to db3 are the others, db4 and on replicate from db0.

use app::topology::GroupMembership;

use super::*;

fn member(n: usize, role: &str, state: &str, center: &str) -> Instance {
    let mut server = Instance { data_center: center.into(), ..replica(n, 5, 5) };
    server.replication = Replication::default();
    server.group = GroupMembership {
        name: "bbbbbbbb-0000-0000-0000-000000000000".into(),
        single_primary: true,
        state: state.into(),
        role: role.into(),
        members: (0..4).filter(|other| *other != n).map(key).collect(),
        primary: key(1),
    };
    server
}

fn run(members: Vec<Instance>) -> (Servers, Decision) {
    let mut servers = vec![Instance { key: key(0), ..member(0, "SECONDARY", "ONLINE", "ams") }];
    servers.extend(members);
    servers.extend([replica(4, 4, 5), replica(5, 5, 5)]);
    run_code(AnalysisCode::DeadGroupMemberWithReplicas, servers, vec![0], &RecoverySettings::default())
}

#[test]
fn its_replicas_go_to_a_healthy_member_nearby_and_not_to_the_primary() {
    let (servers, decision) = run(vec![
        member(1, "PRIMARY", "ONLINE", "ams"),
        member(2, "SECONDARY", "ONLINE", "fra"),
        member(3, "SECONDARY", "ONLINE", "ams"),
    ]);
    let report = report(decision);
    assert_eq!((report.successor, report.followers), (key(3), vec![key(4), key(5)]));
    assert!(report.fence.is_empty());
    for n in [4, 5] {
        assert!(servers.all[n].replication.source == key(3) && servers.all[n].replication.is_running());
    }
}

#[test]
fn a_member_that_is_not_online_takes_nobody_and_says_why() {
    let (servers, decision) = run(vec![
        member(1, "PRIMARY", "ERROR", "ams"),
        member(2, "SECONDARY", "RECOVERING", "ams"),
        member(3, "SECONDARY", "OFFLINE", "ams"),
    ]);
    let reason = reason(decision);
    assert_eq!(reason.code, "no-candidate");
    let told: Vec<&str> = reason.considered.iter().map(|c| c.reason.as_str()).collect();
    assert!(told.contains(&"its state in the group is ERROR"), "{told:?}");
    assert_eq!(servers.changes(), [] as [&str; 0]);
}
