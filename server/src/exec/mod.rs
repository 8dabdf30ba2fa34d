//! The one writer of MySQL state: runs steps, each under a lock that carries the operation's name, within its time,
//! recorded before it runs (`docs/ARCHITECTURE.md`, "One writer of MySQL state").
//!
//! Steps of one phase run side by side. A step is skipped when an earlier step on the same server failed; the other
//! servers' steps go on. What to do about a failure is not decided here: a plan is undone per server, a recovery
//! asks its machine.

mod gate;
mod hands;
mod locks;
mod matching;
mod names;
mod place;
mod run;
mod server_hands;
mod stopping;

pub use gate::Gate;
pub use hands::{HandError, Hands};
pub use locks::{Guard, Held, Holder, Locks, Purpose};
pub use matching::SearchError;
pub use run::{Exec, Observer, StepResult, Undone};
pub use server_hands::ServerHands;

#[cfg(test)]
mod tests;
