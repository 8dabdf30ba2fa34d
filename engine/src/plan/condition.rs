//! Whether a condition holds on a server as just read.

use app::gtid::GtidPosition;
use app::plan::Condition;
use app::topology::Instance;

/// Checks a condition against a fresh read.
///
/// # Errors
/// One sentence: what was found and what was expected.
pub fn check(fresh: &Instance, condition: &Condition) -> Result<(), String> {
    let channel = &fresh.replication;
    let (holds, found) = match condition {
        Condition::Reachable => (true, String::new()),
        Condition::SourceIs { source } => {
            let same = if source.is_null() { !fresh.is_replica() } else { channel.source == *source };
            (same, if fresh.is_replica() { channel.source.to_string() } else { "no source".to_owned() })
        }
        Condition::ReceiverRunning { running } => {
            (channel.receiver.is_running() == *running, with_error(channel.receiver, &channel.receiver_error))
        }
        Condition::ApplierRunning { running } => {
            (channel.applier.is_running() == *running, with_error(channel.applier, &channel.applier_error))
        }
        Condition::ReadOnly { on } => {
            (fresh.read_only == *on, format!("read_only is {}", if fresh.read_only { "on" } else { "off" }))
        }
        Condition::Acknowledgers { at_least, at_most } => {
            let clients = fresh.semi_sync.source_clients;
            (clients >= *at_least && at_most.is_none_or(|most| clients <= most), format!("{clients}"))
        }
        Condition::ExecutedIs { at } => (channel.exec == *at, channel.exec.to_string()),
        Condition::ExecutedCovers { set } => return covers(fresh, set),
        Condition::RelayLogApplied => return relay_log_applied(fresh),
        Condition::UsesGtid { on } => {
            let found = if channel.uses_gtid() { "GTID" } else { "file and position" };
            (channel.uses_gtid() == *on, found.to_owned())
        }
    };
    if holds { Ok(()) } else { Err(format!("{}: expected that it {condition}, found {found}", fresh.key)) }
}

fn with_error(state: app::topology::ThreadState, error: &str) -> String {
    if error.is_empty() { format!("{state:?}") } else { format!("{state:?} ({error})") }
}

fn covers(fresh: &Instance, set: &str) -> Result<(), String> {
    let unreadable = |error: app::gtid::GtidError| format!("{}: {error}", fresh.key);
    let executed = GtidPosition::executed_by(fresh).map_err(unreadable)?;
    let wanted = GtidPosition::parse_for(fresh.flavor(), set).map_err(unreadable)?;
    if executed.covers(&wanted) {
        return Ok(());
    }
    let missing = wanted.minus(&executed).map_or_else(|_| set.to_owned(), |m| m.to_string());
    Err(format!("{}: has not executed {missing}", fresh.key))
}

fn relay_log_applied(fresh: &Instance) -> Result<(), String> {
    let channel = &fresh.replication;
    if !channel.uses_gtid() {
        // Several appliers tell their common position only now and then; what they executed is known at once, where all that arrives
        // has a GTID.
        let by_gtid = fresh.is_mysql() && fresh.gtid_mode == "ON" && !channel.retrieved_gtid.is_empty();
        return if channel.is_applied_by_position() || (by_gtid && covers(fresh, &channel.retrieved_gtid).is_ok()) {
            Ok(())
        } else {
            Err(format!("{}: received up to {}, applied up to {}", fresh.key, channel.read, channel.exec))
        };
    }
    let held = GtidPosition::held_by(fresh).map_err(|error| format!("{}: {error}", fresh.key))?;
    covers(fresh, &held.to_string())
}

#[cfg(test)]
mod tests {
    use app::InstanceKey;
    use app::topology::{Replication, ThreadState};

    use super::*;

    const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn replica() -> Instance {
        Instance {
            key: InstanceKey::new("db2", 3306),
            version: "9.7.0".into(),
            gtid_mode: "ON".into(),
            executed_gtid: format!("{UUID}:1-8"),
            replication: Replication {
                source: InstanceKey::new("db1", 3306),
                auto_position: true,
                receiver: ThreadState::Stopped,
                applier: ThreadState::Running,
                retrieved_gtid: format!("{UUID}:5-9"),
                ..Replication::default()
            },
            ..Instance::default()
        }
    }

    #[test]
    fn what_was_found_and_what_was_expected_are_both_told() {
        let replica = replica();
        assert_eq!(check(&replica, &Condition::ReceiverRunning { running: false }), Ok(()));
        let error = check(&replica, &Condition::SourceIs { source: InstanceKey::new("db3", 3306) }).expect_err("db1");
        assert_eq!(error, "db2:3306: expected that it replicates from db3:3306, found db1:3306");
        assert!(check(&replica, &Condition::SourceIs { source: InstanceKey::default() }).is_err());
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut replica = replica();
        let error = check(&replica, &Condition::RelayLogApplied).expect_err("9 is not applied");
        assert_eq!(error, format!("db2:3306: has not executed {UUID}:9"));
        replica.executed_gtid = format!("{UUID}:1-9");
        assert_eq!(check(&replica, &Condition::RelayLogApplied), Ok(()));
        assert_eq!(check(&replica, &Condition::ExecutedCovers { set: format!("{UUID}:3") }), Ok(()));
        assert!(check(&replica, &Condition::ExecutedCovers { set: format!("{UUID}:10") }).is_err());
    }
}
