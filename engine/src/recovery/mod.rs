//! The recovery machine: outcomes in, steps out.
//!
//! A recovery is no script, because who is most advanced is known only after the replicas are frozen. [`Machine`] holds every
//! decision; the server only runs steps and tells how they ended:
//!
//! ```text
//! (machine, decision) = Machine::begin(finding, snapshot, settings, now)
//! while decision is Run(steps):
//!     store machine and steps          // before anything is done
//!     outcomes = run steps
//!     decision = machine.advance(outcomes, now)
//! store the report or the reason
//! ```
//!
//! A node that finds a stored machine calls [`Machine::resume`] in place of `advance`: the outstanding steps may or may not have been
//! done, so every participant is read afresh and the phase is planned again from what is seen. Each phase is planned from
//! facts alone and asks only for what is not so yet, so doing it twice does no harm.

mod co_source;
mod evidence;
mod group;
mod hooks;
mod intermediate;
mod machine;
mod pairs;
mod places;
mod promote;
mod regrouping;
mod rollback;
mod semi_sync;
mod source;
mod state;
mod takeover;
mod types;
mod writer;

#[cfg(test)]
mod tests;

pub use app::recovery::LOST_IN_RECOVERY;
pub use hooks::{FencingPolicy, HookSettings};
pub use machine::Machine;
pub use types::{
    AbortReason, Decision, LostReplica, RecoverySettings, Report, SessionPolicy, StepOutcome, TakeoverRequest,
};
