//! Where a recovery stops for hooks that may forbid it (`spec/recovery.md` 3.12.1).
//!
//! Hooks are a phase like any other: recorded before they run, judged by how they ended, planned again after an
//! interruption. They take their time, so what stood before them is looked at again after them: the phase that led to
//! them is entered once more, and what it finds now decides.

use app::InstanceKey;
use app::plan::{Action, Step, StepState};
use app::recovery::{HookList, RecoveryKind};
use app::topology::Instance;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::state::{Next, Phase};

/// What a failing fencing hook means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FencingPolicy {
    /// Nobody is promoted.
    #[default]
    Required,
    /// It is told, and the recovery goes on.
    Optional,
}

impl FencingPolicy {
    /// Reads `required` or `optional`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "required" => Some(Self::Required),
            "optional" => Some(Self::Optional),
            _ => None,
        }
    }
}

/// Which hooks a recovery stops for; stored with it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HookSettings {
    /// No hook is run for this recovery, not at its end either (`recover-lite`).
    pub skipped: bool,
    /// Hooks of the detection are to be run before the others: a person began it, and nobody was told.
    pub detection: bool,
    /// Before the first change of a recovery; before the promotion of a planned takeover.
    pub pre_failover: bool,
    /// Before the old primary of a planned takeover is made read-only.
    pub pre_takeover: bool,
    /// Before somebody is promoted in place of a dead source.
    pub fencing: Option<FencingPolicy>,
    /// The longest that a list may take, milliseconds; for the record, each hook has its own bound.
    pub limit_ms: u64,
}

impl Machine {
    /// The phase to go on with: `to`, or the hooks that come before it.
    pub(super) fn gate(&self, to: Phase) -> Phase {
        match self.hooks_before(&to) {
            Some(list) => Phase::Hooks { list, then: Box::new(self.phase.clone()) },
            None => to,
        }
    }

    fn hooks_before(&self, to: &Phase) -> Option<HookList> {
        let hooks = &self.settings.hooks;
        if hooks.skipped {
            return None;
        }
        let due = |wanted: bool, list: HookList| (wanted && !self.hooks_run.contains(&list)).then_some(list);
        let pre_failover = due(hooks.pre_failover, HookList::PreFailover);
        match (self.kind, to) {
            (_, Phase::RollBack { .. } | Phase::Hooks { .. }) => None,
            (RecoveryKind::Takeover, Phase::StopWrites) => due(hooks.pre_takeover, HookList::PreGracefulTakeover),
            (RecoveryKind::Takeover, Phase::TakeOver) => pre_failover,
            (RecoveryKind::Takeover, _) => None,
            // Nothing is changed while everybody is read.
            (_, Phase::ReadFacts | Phase::AwaitSilence | Phase::ReadTree) => None,
            // `spec/recovery.md` 3.12.1: before a source is made writable, but not before acknowledgers are switched.
            (RecoveryKind::ReadOnlySource, Phase::OpenWriter) => pre_failover,
            (RecoveryKind::ReadOnlySource | RecoveryKind::SemiSync, _) => None,
            (RecoveryKind::Source | RecoveryKind::CoSource, Phase::Promote) => {
                pre_failover.or_else(|| due(hooks.fencing.is_some(), HookList::Fencing))
            }
            (
                RecoveryKind::Source
                | RecoveryKind::CoSource
                | RecoveryKind::IntermediateSource
                | RecoveryKind::GroupMember,
                _,
            ) => pre_failover,
        }
    }

    pub(super) fn enter_hooks(&self, hooks: HookList) -> Vec<Step> {
        let about = self.facts.get(&self.failed).cloned().unwrap_or_else(|| Instance::unseen(self.failed.clone()));
        let mut list = self.list();
        let step = list.push(&about, 1, Action::RunHooks { list: hooks }, "hooks that may forbid what comes next");
        step.timeout_ms = self.settings.hooks.limit_ms;
        list.finish()
    }

    pub(super) fn judge_hooks(&mut self, list: HookList, then: Phase, now: DateTime<Utc>) -> Next {
        self.hooks_run.insert(list);
        let failure = self.ended.values().find_map(|state| match state {
            StepState::Done => None,
            StepState::Failed { error } => Some(error.clone()),
            _ => Some("nothing is known of how they ended".to_owned()),
        });
        let Some(error) = failure else { return Next::Go(then) };
        if list == HookList::Fencing && self.settings.hooks.fencing == Some(FencingPolicy::Optional) {
            self.tell(now, format!("{list} failed and are optional; going on: {error}"));
            return Next::Go(then);
        }
        let code = if list == HookList::Fencing { "fencing-failed" } else { "hook-veto" };
        Next::Go(self.roll_back(now, code, format!("{list}: {error}")))
    }

    /// The detection is to be told first: nobody has been told of it.
    pub fn announces(&self) -> bool {
        self.settings.hooks.detection && !self.settings.hooks.skipped
    }

    /// The server that is to take over, as far as it is chosen.
    pub fn chosen(&self) -> Option<&InstanceKey> {
        self.chosen.as_ref()
    }

    /// Hooks may be run for this recovery.
    pub fn may_run_hooks(&self) -> bool {
        !self.settings.hooks.skipped
    }

    /// The recovery has stopped for these hooks, however they ended.
    pub fn has_run(&self, list: HookList) -> bool {
        self.hooks_run.contains(&list)
    }

    /// Adds a line to the story about what was done outside the machine (hooks, publication).
    pub fn note(&mut self, at: DateTime<Utc>, message: impl Into<String>) {
        self.tell(at, message);
    }
}
