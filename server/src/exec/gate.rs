//! The way out: work that changes servers is let come to where it can be left.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Knows what is at work on servers, and whether it is to come to an end. Cheap to clone: all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    closing: CancellationToken,
    work: TaskTracker,
}

impl Gate {
    /// Something is at work until what this gives is dropped.
    pub fn enter(&self) -> TaskTrackerToken {
        self.work.token()
    }

    /// The service is about to stop: leave the work where it can be taken up again.
    pub fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Asks all that is at work to come to such a place and waits for it; `false` when it did not within `limit`.
    pub async fn close(&self, limit: Duration) -> bool {
        self.closing.cancel();
        self.work.close();
        tokio::time::timeout(limit, self.work.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_gate_closes_behind_the_last_one() {
        let gate = Gate::default();
        let work = gate.enter();
        assert!(!gate.is_closing());
        assert!(!gate.close(Duration::from_secs(1)).await);
        assert!(gate.is_closing());
        drop(work);
        assert!(gate.close(Duration::from_secs(1)).await);
    }
}
