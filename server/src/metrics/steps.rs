//! Steps on servers.

use std::time::Duration;

use app::plan::{Action, StepState};

use super::{Histograms, network};

/// Times steps, by what they do and how they ended.
#[derive(Debug)]
pub struct StepMeter {
    pub(super) durations: Histograms<2>,
}

impl Default for StepMeter {
    fn default() -> Self {
        Self { durations: Histograms::new_with_constructor(network) }
    }
}

impl StepMeter {
    /// A step ended.
    pub fn ended(&self, action: &Action, state: &StepState, took: Duration) {
        let labels = [("action", action_name(action)), ("outcome", outcome_name(state))];
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

fn outcome_name(state: &StepState) -> &'static str {
    match state {
        StepState::Pending => "pending",
        StepState::Running => "running",
        StepState::Done => "done",
        StepState::Failed { .. } => "failed",
        StepState::TimedOut => "timed_out",
        StepState::Skipped => "skipped",
        StepState::Undone => "undone",
    }
}

/// The name that records of recoveries have for it.
fn action_name(action: &Action) -> &'static str {
    match action {
        Action::Refresh => "refresh",
        Action::StopReplication => "stop_replication",
        Action::StartReplication => "start_replication",
        Action::StopReceiver => "stop_receiver",
        Action::StartReceiver => "start_receiver",
        Action::StopApplier => "stop_applier",
        Action::StartApplier => "start_applier",
        Action::Drain => "drain",
        Action::WaitForGtid { .. } => "wait_for_gtid",
        Action::WaitForPeer { .. } => "wait_for_peer",
        Action::FindPlace { .. } => "find_place",
        Action::InjectEntry => "inject_entry",
        Action::ChangeSource { .. } => "change_source",
        Action::ResetReplication => "reset_replication",
        Action::DetachSource => "detach_source",
        Action::ReattachSource => "reattach_source",
        Action::SetReadOnly { .. } => "set_read_only",
        Action::KillSessions => "kill_sessions",
        Action::SetSemiSyncSource { .. } => "set_semi_sync_source",
        Action::SetSemiSyncReplica { .. } => "set_semi_sync_replica",
        Action::StartUntil { .. } => "start_until",
        Action::SkipTransaction => "skip_transaction",
        Action::InjectEmpty { .. } => "inject_empty",
        Action::ResetBinaryLogs { .. } => "reset_binary_logs",
        Action::FlushBinaryLogs { .. } => "flush_binary_logs",
        Action::PurgeBinaryLogs { .. } => "purge_binary_logs",
        Action::KillQuery { .. } => "kill_query",
        Action::SetDelay { .. } => "set_delay",
        Action::SetCredentials => "set_credentials",
        Action::RunHooks { .. } => "run_hooks",
        Action::Verify { .. } => "verify",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_have_the_names_of_the_record() {
        for action in [
            Action::Refresh,
            Action::StopReplication,
            Action::Drain,
            Action::WaitForGtid { set: String::new() },
            Action::SetReadOnly { on: true, super_too: false },
            Action::SetSemiSyncSource { on: true },
            Action::KillQuery { process: 7 },
            Action::FindPlace { peer: app::InstanceKey::default() },
            Action::InjectEntry,
            Action::Verify { expect: vec![] },
        ] {
            let recorded = serde_json::to_value(&action).expect("JSON");
            assert_eq!(recorded["kind"], action_name(&action));
        }
    }
}
