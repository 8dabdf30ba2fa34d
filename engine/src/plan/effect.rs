//! What an action makes of a server, as far as it can be said without asking.

use app::InstanceKey;
use app::plan::{Action, Positioning};
use app::topology::{Instance, Replication, ThreadState};

/// Applies an action that succeeded to what is known of its server. Waits and reads change nothing.
pub fn apply(action: &Action, server: &mut Instance) {
    let channel = &mut server.replication;
    let is_replica = channel.is_configured();
    let started = if is_replica { ThreadState::Running } else { ThreadState::NoThread };
    let stopped = if is_replica { ThreadState::Stopped } else { ThreadState::NoThread };
    match action {
        Action::Refresh
        | Action::Verify { .. }
        | Action::WaitForGtid { .. }
        | Action::WaitForPeer { .. }
        | Action::FindPlace { .. }
        | Action::InjectEntry
        | Action::KillSessions
        | Action::RunHooks { .. }
        | Action::InjectEmpty { .. }
        | Action::FlushBinaryLogs { .. }
        | Action::PurgeBinaryLogs { .. }
        | Action::KillQuery { .. }
        | Action::SetCredentials => {}
        Action::StartUntil { .. } => (channel.receiver, channel.applier) = (stopped, stopped),
        Action::SkipTransaction => (channel.applier_errno, channel.applier_error) = (0, String::new()),
        Action::ResetBinaryLogs { .. } => server.errant_gtid.clear(),
        Action::SetDelay { seconds } => channel.delay = *seconds,
        Action::StopReplication => (channel.receiver, channel.applier) = (stopped, stopped),
        Action::StartReplication => (channel.receiver, channel.applier) = (started, started),
        Action::StopReceiver => channel.receiver = stopped,
        Action::StartReceiver => channel.receiver = started,
        Action::StopApplier => channel.applier = stopped,
        Action::StartApplier => channel.applier = started,
        Action::Drain => {
            channel.applier = started;
            channel.exec = channel.read.clone();
        }
        Action::ChangeSource { to, positioning } => change_source(channel, to, positioning),
        Action::ResetReplication => *channel = Replication::default(),
        Action::DetachSource => channel.source = channel.source.detached(),
        Action::ReattachSource => channel.source = channel.source.reattached(),
        Action::SetReadOnly { on, super_too } => {
            server.read_only = *on;
            if let Some(own) = &mut server.super_read_only {
                *own = *on && (*super_too || *own);
            }
        }
        Action::SetSemiSyncSource { on } => server.semi_sync.source_enabled = *on,
        Action::SetSemiSyncReplica { on } => server.semi_sync.replica_enabled = *on,
    }
}

fn change_source(channel: &mut Replication, to: &InstanceKey, positioning: &Positioning) {
    channel.source = to.clone();
    channel.source_uuid.clear();
    channel.retrieved_gtid.clear();
    (channel.receiver, channel.applier) = (ThreadState::Stopped, ThreadState::Stopped);
    (channel.receiver_errno, channel.receiver_error) = (0, String::new());
    match positioning {
        Positioning::AutoPosition => channel.auto_position = true,
        Positioning::MariaDbGtid { using } => channel.mariadb_using_gtid.clone_from(using),
        Positioning::Coordinates { at } => {
            (channel.read, channel.exec) = (at.clone(), at.clone());
            channel.auto_position = false;
            channel.mariadb_using_gtid.clear();
        }
        Positioning::At { .. } | Positioning::Matched => {
            channel.auto_position = false;
            channel.mariadb_using_gtid.clear();
        }
        Positioning::Unchanged | Positioning::AsBefore => {}
    }
}
